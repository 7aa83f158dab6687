//! Certificates for tests.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

/// Signs certificates for tests, valid from 30 days ago to 30 days from now.
#[allow(missing_debug_implementations, reason = "holds a key")]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one, whom nobody believes yet.
    pub fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(parameters, key).unwrap())
    }

    /// Its own certificate, as a file.
    pub fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(format!("{name}.ca.pem"));
        std::fs::write(&path, self.0.pem()).unwrap();
        path
    }

    /// A certificate for `host` and its key, as files.
    pub fn issue(&self, folder: &Path, name: &str, host: &str) -> (PathBuf, PathBuf) {
        self.issue_until(folder, name, host, Duration::days(30))
    }

    /// One that expired yesterday.
    pub fn issue_expired(&self, folder: &Path, name: &str, host: &str) -> (PathBuf, PathBuf) {
        self.issue_until(folder, name, host, Duration::days(-1))
    }

    fn issue_until(
        &self,
        folder: &Path,
        name: &str,
        host: &str,
        expires_in: Duration,
    ) -> (PathBuf, PathBuf) {
        let mut parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.not_before = OffsetDateTime::now_utc() - Duration::days(30);
        parameters.not_after = OffsetDateTime::now_utc() + expires_in;
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        let (cert_path, key_path) = (
            folder.join(format!("{name}.pem")),
            folder.join(format!("{name}.key")),
        );
        std::fs::write(&cert_path, certificate.pem()).unwrap();
        std::fs::write(&key_path, key.serialize_pem()).unwrap();
        (cert_path, key_path)
    }
}
