//! A client's side of TLS: whom it believes, and as whom it comes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::pem;
use super::provider::provider;
use crate::files::FileError;

/// How much of a server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Nothing: the connection is encrypted, with whomever.
    Nothing,
    /// That an authority has signed it.
    Chain,
    /// That, and that it is for the host that was asked for.
    ChainAndName,
}

/// The authorities that a client believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Those of the operating system (`SSL_CERT_FILE` and `SSL_CERT_DIR` override them).
    System,
    /// Those of a PEM file.
    File(PathBuf),
    /// None: one certificate, of a PEM file, is the only one that is believed, whatever its name, time and signer.
    Only(PathBuf),
}

/// A setting and the file that it names.
pub type NamedFile<'s> = (&'s str, PathBuf);

/// A client's settings. Names of settings are those that errors show.
#[derive(Clone, Debug)]
pub struct ClientTls<'s> {
    /// Whom it believes, and the setting that says so.
    pub roots: (&'s str, Roots),
    /// How much is checked.
    pub verify: Verify,
    /// The setting and the file of its own certificate, then those of the key.
    pub identity: Option<(NamedFile<'s>, NamedFile<'s>)>,
}

impl ClientTls<'_> {
    /// For a connector. `protocols` are those of ALPN, the preferred first.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn config(&self, protocols: &[&[u8]]) -> Result<ClientConfig, FileError> {
        let (setting, roots) = &self.roots;
        let failed = |problem: String| {
            let path = match roots {
                Roots::File(path) | Roots::Only(path) => path.as_path(),
                Roots::System => Path::new("the authorities of this machine"),
            };
            FileError::new(setting, path, problem)
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?;
        let verifier = match (self.verify, roots) {
            (Verify::Nothing, _) => Verifier {
                inner: None,
                only: None,
                name: false,
            },
            (_, Roots::Only(path)) => Verifier {
                inner: None,
                only: pem::certificates(setting, path)?.into_iter().next(),
                name: false,
            },
            (verify, _) => {
                let store = match roots {
                    Roots::File(path) => pem::authorities(setting, path)?,
                    _ => system().map_err(failed)?,
                };
                let inner =
                    WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider())
                        .build()
                        .map_err(|error| failed(error.to_string()))?;
                Verifier {
                    inner: Some(inner),
                    only: None,
                    name: verify == Verify::ChainAndName,
                }
            }
        };
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(((cert_setting, cert), (key_setting, key))) => {
                let certified = pem::certified_key((cert_setting, cert), (key_setting, key))?;
                let own = rustls::sign::SingleCertAndKey::from(certified);
                builder.with_client_cert_resolver(Arc::new(own))
            }
        };
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }
}

fn system() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        return Err("this machine has none: name a file with your own".to_owned());
    }
    Ok(store)
}

/// Checks a server's certificate as [`Verify`] and [`Roots`] say. The handshake's signature is always checked.
#[derive(Debug)]
struct Verifier {
    inner: Option<Arc<WebPkiServerVerifier>>,
    only: Option<CertificateDer<'static>>,
    name: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(only) = &self.only {
            return if only == end_entity {
                Ok(ServerCertVerified::assertion())
            } else {
                Err(CertificateError::UnknownIssuer.into())
            };
        }
        let Some(inner) = &self.inner else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified =
            inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The chain is checked before the name.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
