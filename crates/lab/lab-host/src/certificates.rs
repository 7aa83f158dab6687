//! Certificates for services that the lab starts over TLS: an authority for each session, whose key nobody keeps.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

/// How long they are valid: longer than any session, and no longer than a forgotten file should be.
const VALID: Duration = Duration::days(30);

/// The files of one session, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The folder that holds them and nothing else.
    pub folder: PathBuf,
    /// The authority, which a client has to believe.
    pub ca: PathBuf,
    /// What a service shows.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Who may read the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// The user of the lab alone.
    Owner,
    /// Everybody on this machine: a container's user is another than the lab's.
    All,
}

impl Certificates {
    /// Names of the files in their folder.
    pub const CA: &str = "ca.pem";
    /// What a service shows.
    pub const CERT: &str = "server.pem";
    /// Its private key.
    pub const KEY: &str = "server.key";

    /// Makes them in `folder`, in the place of earlier ones, for `names` (DNS names or addresses).
    ///
    /// # Errors
    /// The folder cannot be written to, or a name is none.
    pub fn make(folder: &Path, names: &[String], readers: Readers) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let now = OffsetDateTime::now_utc();
        let parameters = |names: &[String]| {
            let mut parameters = CertificateParams::new(names)?;
            // Clocks of containers and machines differ.
            parameters.not_before = now - Duration::days(1);
            parameters.not_after = now + VALID;
            anyhow::Ok(parameters)
        };
        let mut root = parameters(&[])?;
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        root.distinguished_name
            .push(DnType::CommonName, "weir, for one session");
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let mut own = parameters(names)?;
        own.distinguished_name
            .push(DnType::CommonName, names.first().map_or("", String::as_str));
        let own = own.signed_by(&key, &root)?;

        let made = Self {
            folder: folder.to_owned(),
            ca: folder.join(Self::CA),
            cert: folder.join(Self::CERT),
            key: folder.join(Self::KEY),
        };
        let mode = match readers {
            Readers::Owner => 0o600,
            Readers::All => 0o644,
        };
        write(&made.ca, &root.pem(), 0o644)?;
        write(&made.cert, &own.pem(), 0o644)?;
        write(&made.key, &key.serialize_pem(), mode)?;
        Ok(made)
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let written = || {
        let mut options = File::options();
        let options = options.create(true).write(true).truncate(true).mode(mode);
        let mut file = options.open(path)?;
        // The mode above is for a new file, and less what the process masks.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_owners_alone_unless_containers_need_it() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let first = Certificates::make(folder.path(), &names, Readers::Owner).unwrap();
        assert_eq!(mode(&first.key), 0o600);
        let before = fs::read_to_string(&first.ca).unwrap();
        let second = Certificates::make(folder.path(), &names, Readers::All).unwrap();
        assert_eq!((mode(&second.key), &second), (0o644, &first));
        assert_ne!(fs::read_to_string(&second.ca).unwrap(), before);
        assert!(before.starts_with("-----BEGIN CERTIFICATE-----"));
    }
}
