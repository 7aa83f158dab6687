//! A server's side of TLS. The certificate, its key and the authorities of clients are replaced when their files change:
//! handshakes take the new ones, open connections go on.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerSessionMemoryCache,
    StoresServerSessions, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};

use super::names::names;
use super::pem;
use super::provider::provider;
use crate::files::{FileError, Seen};

/// Sessions that clients without a certificate may resume.
const SESSIONS: usize = 4096;

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They may.
    Optional,
    /// They must.
    Required,
}

/// The files of a server.
#[derive(Clone, Debug)]
pub struct ServerTlsFiles {
    /// `TLS_CERT`: its certificate, then those between it and the authority.
    pub cert: PathBuf,
    /// `TLS_KEY`.
    pub key: PathBuf,
    /// `TLS_CLIENT_CA`: the authorities of clients, needed unless `client_auth` is `None`.
    pub client_ca: Option<PathBuf>,
    /// `TLS_CLIENT_AUTH`.
    pub client_auth: ClientAuth,
}

impl ServerTlsFiles {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }

    fn load(&self) -> Result<Material, FileError> {
        let certified = pem::certified_key(("TLS_CERT", &self.cert), ("TLS_KEY", &self.key))?;
        let clients = match (self.client_auth, &self.client_ca) {
            (ClientAuth::None, _) => None,
            (_, None) => {
                let problem = "is not set: TLS_CLIENT_AUTH needs the authorities of clients";
                return Err(FileError::new("TLS_CLIENT_CA", Path::new(""), problem));
            }
            (_, Some(path)) => {
                let roots = Arc::new(pem::authorities("TLS_CLIENT_CA", path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .build()
                    .map_err(|error| FileError::new("TLS_CLIENT_CA", path, error.to_string()))?;
                Some(verifier)
            }
        };
        Ok(Material {
            certified: Arc::new(certified),
            clients,
        })
    }
}

/// What the files hold.
struct Material {
    certified: Arc<CertifiedKey>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

/// A server's side of TLS. Cheap to clone; clones change together.
#[derive(Clone)]
pub struct ServerTls(Arc<Shared>);

struct Shared {
    files: ServerTlsFiles,
    now: ArcSwap<Material>,
    seen: Mutex<Seen>,
}

impl fmt::Debug for ServerTls {
    /// Leaves out the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerTls").field(&self.0.files).finish()
    }
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn open(files: ServerTlsFiles) -> Result<Self, FileError> {
        let seen = Seen::of(files.paths());
        let now = ArcSwap::from_pointee(files.load()?);
        Ok(Self(Arc::new(Shared {
            files,
            now,
            seen: Mutex::new(seen),
        })))
    }

    /// Reads the files anew where they have changed. Wrong ones leave those before in force, and are logged once at error.
    pub fn refresh(&self) {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let found = seen.now();
        if found == *seen {
            return;
        }
        match self.0.files.load() {
            Ok(material) => {
                self.0.now.store(Arc::new(material));
                tracing::info!(file = %self.0.files.cert.display(), "the TLS files have changed and are in force");
            }
            Err(error) => {
                tracing::error!(%error, "the TLS files have changed and are wrong: those before stay in force");
            }
        }
        *seen = found;
    }

    /// For an acceptor: follows every change of the files. `protocols` are those of ALPN, the preferred first.
    ///
    /// # Errors
    /// The provider lacks a TLS version.
    pub fn config(&self, protocols: &[&[u8]]) -> Result<ServerConfig, Error> {
        let shared = Arc::clone(&self.0);
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?;
        let asks = self.0.files.client_auth != ClientAuth::None;
        let builder = if asks {
            builder.with_client_cert_verifier(Arc::new(Clients(shared.clone())))
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_cert_resolver(Arc::new(Certificate(shared)));
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        // A resumed session shows no certificate again: an authority that was taken away would still count.
        let sessions: Arc<dyn StoresServerSessions> = if asks {
            Arc::new(NoServerSessionStorage {})
        } else {
            ServerSessionMemoryCache::new(SESSIONS)
        };
        config.session_storage = sessions;
        Ok(config)
    }

    /// The names of a client that showed `chain`. The server's own certificate, with which its `health` command comes, has
    /// none.
    pub fn client_names(&self, chain: &[CertificateDer<'_>]) -> Vec<String> {
        match chain.first() {
            Some(shown) if !self.0.is_own(shown) => names(shown),
            _ => Vec::new(),
        }
    }
}

impl Shared {
    fn is_own(&self, shown: &CertificateDer<'_>) -> bool {
        self.now.load().certified.cert.first() == Some(shown)
    }
}

/// The certificate in force.
struct Certificate(Arc<Shared>);

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.now.load().certified))
    }
}

/// Verifies clients by the authorities in force.
struct Clients(Arc<Shared>);

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clients")
    }
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.0.files.client_auth == ClientAuth::Required
    }

    /// None: the authorities may change while this is held.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // Whoever has the server's key is the server: its own `health` command.
        if self.0.is_own(end_entity) {
            return Ok(ClientCertVerified::assertion());
        }
        let material = self.0.now.load();
        let clients = material.clients.as_ref();
        let clients = clients.ok_or_else(|| Error::General("no authorities".to_owned()))?;
        clients.verify_client_cert(end_entity, intermediates, now)
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

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
