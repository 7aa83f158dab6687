//! Certificates and private keys out of PEM files. Errors name the setting and the file, and hold nothing of a key.

use std::path::Path;
use std::time::SystemTime;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::provider::provider;
use crate::files::{self, FileError};

/// The certificates of a file, at least one.
///
/// # Errors
/// No such file, not PEM, no certificate inside.
pub fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let wrong = |problem: &str| FileError::new(setting, path, problem);
    let bytes = files::read(setting, path)?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let list = parsed.map_err(|_| wrong("not PEM: a section is broken"))?;
    if list.is_empty() {
        return Err(wrong(if has_section(&bytes) {
            "no certificate inside: expected a section -----BEGIN CERTIFICATE-----"
        } else {
            "not PEM: expected a section -----BEGIN CERTIFICATE-----"
        }));
    }
    for certificate in &list {
        if X509Certificate::from_der(certificate).is_err() {
            return Err(wrong("a certificate inside is damaged"));
        }
    }
    Ok(list)
}

/// The private key of a file: PKCS #8, PKCS #1 or SEC 1.
///
/// # Errors
/// No such file, not PEM, no key inside, an encrypted one.
pub fn private_key(setting: &str, path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let wrong = |problem: &str| FileError::new(setting, path, problem);
    let bytes = files::read(setting, path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        let text = String::from_utf8_lossy(&bytes);
        wrong(if text.contains("ENCRYPTED") {
            "the private key is encrypted: store it without a passphrase, readable by this user alone"
        } else if has_section(&bytes) {
            "no private key inside: expected a section -----BEGIN PRIVATE KEY-----"
        } else {
            "not PEM: expected a section -----BEGIN PRIVATE KEY-----"
        })
    })
}

fn has_section(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

/// A certificate chain with its private key. One that has expired, or is not valid yet, is logged at warn.
///
/// # Errors
/// What is wrong with which file, also that the key belongs to another certificate.
pub fn certified_key(
    (cert_setting, cert): (&str, &Path),
    (key_setting, key): (&str, &Path),
) -> Result<CertifiedKey, FileError> {
    let chain = certificates(cert_setting, cert)?;
    warn_of_time(cert_setting, cert, &chain[0]);
    let private = private_key(key_setting, key)?;
    CertifiedKey::from_der(chain, private, &provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => FileError::new(
            key_setting,
            key,
            format!(
                "the key does not belong to the certificate in {cert_setting} {}",
                cert.display()
            ),
        ),
        _ => FileError::new(
            key_setting,
            key,
            "the private key is damaged or of a type that is not supported: use RSA, ECDSA or Ed25519",
        ),
    })
}

/// The authorities of a file.
///
/// # Errors
/// As [`certificates`].
pub fn authorities(setting: &str, path: &Path) -> Result<RootCertStore, FileError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(setting, path)? {
        warn_of_time(setting, path, &certificate);
        store.add(certificate).map_err(|_| {
            FileError::new(setting, path, "a certificate inside cannot be an authority")
        })?;
    }
    Ok(store)
}

/// What is wrong with the time of a certificate.
fn untimely(certificate: &CertificateDer<'_>, now: SystemTime) -> Option<&'static str> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let now = i64::try_from(now).ok()?;
    let validity = certificate.validity();
    if validity.not_after.timestamp() < now {
        Some("the certificate has expired: clients will refuse it, replace the file")
    } else if validity.not_before.timestamp() > now {
        Some("the certificate is not valid yet: check it and this machine's clock")
    } else {
        None
    }
}

fn warn_of_time(setting: &str, path: &Path, certificate: &CertificateDer<'_>) {
    if let Some(problem) = untimely(certificate, SystemTime::now()) {
        tracing::warn!(setting, file = %path.display(), "{problem}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use testkit::tls::Authority;

    use super::*;

    #[test]
    fn each_fault_of_a_file_has_its_words() {
        let folder = tempfile::tempdir().expect("folder");
        let authority = Authority::new();
        let (cert, key) = authority.issue(folder.path(), "a", "localhost");
        let (_, other) = authority.issue(folder.path(), "b", "localhost");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let text = write("text", "my-secret-key");
        let missing = folder.path().join("missing");
        let encrypted = write(
            "encrypted",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nbXktc2VjcmV0\n-----END ENCRYPTED PRIVATE KEY-----\n",
        );
        let damaged = write(
            "damaged",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        );
        for (cert, key, setting, part) in [
            (&missing, &key, "TLS_CERT", "no such file"),
            (&cert, &missing, "TLS_KEY", "no such file"),
            (&text, &key, "TLS_CERT", "not PEM"),
            (&cert, &text, "TLS_KEY", "not PEM"),
            (&key, &key, "TLS_CERT", "no certificate inside"),
            (&cert, &cert, "TLS_KEY", "no private key inside"),
            (&cert, &encrypted, "TLS_KEY", "encrypted"),
            (&damaged, &key, "TLS_CERT", "damaged"),
            (
                &cert,
                &other,
                "TLS_KEY",
                "does not belong to the certificate",
            ),
            (
                &folder.path().to_owned(),
                &key,
                "TLS_CERT",
                "not a regular file",
            ),
        ] {
            let error = certified_key(("TLS_CERT", cert), ("TLS_KEY", key)).expect_err(part);
            assert_eq!(error.setting, setting, "{error}");
            let told = error.to_string();
            assert!(told.contains(part), "{told} lacks {part}");
            assert!(!told.contains("my-secret"), "{told}");
        }
        certified_key(("TLS_CERT", &cert), ("TLS_KEY", &key)).expect("good");
    }

    #[test]
    fn an_expired_certificate_is_known() {
        let folder = tempfile::tempdir().expect("folder");
        let (cert, _) = Authority::new().issue(folder.path(), "a", "localhost");
        let list = certificates("TLS_CERT", &cert).expect("good");
        let now = SystemTime::now();
        assert_eq!(untimely(&list[0], now), None);
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        assert!(untimely(&list[0], now + days(365)).is_some_and(|t| t.contains("expired")));
        assert!(untimely(&list[0], now - days(365)).is_some_and(|t| t.contains("not valid yet")));
    }
}
