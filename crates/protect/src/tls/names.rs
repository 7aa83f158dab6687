//! The names by which a client certificate is known.

use std::net::IpAddr;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The subject alternative names (DNS names, addresses, e-mail addresses, URIs) of a certificate in DER; where it has none,
/// its common name. Empty for what is no certificate.
///
/// RFC 9525 and RFC 6125: a common name says nothing where alternative names are present.
pub fn names(der: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Vec::new();
    };
    let alternative = certificate.subject_alternative_name();
    let names: Vec<String> = match &alternative {
        Ok(Some(extension)) => extension
            .value
            .general_names
            .iter()
            .filter_map(text)
            .collect(),
        Ok(None) => Vec::new(),
        // Damaged or given twice: it names nobody.
        Err(_) => return Vec::new(),
    };
    if !names.is_empty() {
        return names;
    }
    let mut common = certificate.subject().iter_common_name();
    let name = common.next().and_then(|name| name.as_str().ok());
    name.map(str::to_owned).into_iter().collect()
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_ascii_lowercase()),
        GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let address: Option<IpAddr> = match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok().map(IpAddr::from),
                16 => <[u8; 16]>::try_from(*bytes).ok().map(IpAddr::from),
                _ => None,
            };
            address.map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(common_name: &str, alternative: Vec<SanType>) -> Vec<u8> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters
            .distinguished_name
            .push(DnType::CommonName, common_name);
        parameters.subject_alt_names = alternative;
        let key = KeyPair::generate().expect("key");
        parameters
            .self_signed(&key)
            .expect("certificate")
            .der()
            .to_vec()
    }

    #[test]
    fn alternative_names_count_and_without_them_the_common_name() {
        assert_eq!(names(&certificate("acme", Vec::new())), ["acme"]);
        let dns = |name: &str| SanType::DnsName(name.try_into().expect("dns"));
        assert_eq!(
            names(&certificate(
                "root",
                vec![
                    dns("Acme.Example"),
                    SanType::Rfc822Name("ops@acme.example".try_into().expect("mail")),
                    SanType::URI("spiffe://acme/ingest".try_into().expect("uri")),
                    SanType::IpAddress("10.0.0.1".parse().expect("ip")),
                ]
            )),
            [
                "acme.example",
                "ops@acme.example",
                "spiffe://acme/ingest",
                "10.0.0.1"
            ]
        );
        assert!(names(b"no certificate").is_empty());
    }
}
