//! What protects a service while it is measured: TLS, principals and limits, none of which refuses anything.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use lab_host::certificates::{Certificates, Readers};
use protect::ClientArgs;
use protect::principals::tokens::TokenHash;

/// Of one session: whoever reads it here could read the folder too.
const TOKEN: &str = "weir_of_the_ratios";

/// The files of both sides.
#[derive(Clone, Debug)]
pub(crate) struct Protected {
    certificates: Certificates,
    principals: std::path::PathBuf,
    token: std::path::PathBuf,
}

impl Protected {
    /// Makes them below `folder`.
    pub(crate) fn make(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.join("protected");
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        let made = Self {
            certificates: Certificates::make(&folder, &names, Readers::Owner)?,
            principals: folder.join("principals.toml"),
            token: folder.join("token"),
        };
        let hash = TokenHash::of(TOKEN.as_bytes()).to_hex();
        // Limits that are counted and never reached.
        let principals = format!(
            "[[principal]]\nname = \"ratios\"\ntoken_sha256 = [\"{hash}\"]\nrights = [\"ingest:write\"]\n\
             limits = {{ events_per_second = 10000000, bytes_per_second = 4000000000, streams = 10000 }}\n"
        );
        fs::write(&made.principals, principals).context("the principals")?;
        fs::write(&made.token, TOKEN).context("the token")?;
        Ok(made)
    }

    /// Tells a service.
    pub(crate) fn tell(&self, command: &mut Command) {
        command
            .env("TLS_CERT", &self.certificates.cert)
            .env("TLS_KEY", &self.certificates.key)
            .env("PRINCIPALS_FILE", &self.principals);
    }

    /// How the load comes to it.
    pub(crate) fn client(&self) -> ClientArgs {
        ClientArgs {
            tls_ca: Some(self.certificates.ca.clone()),
            token_file: Some(self.token.clone()),
            ..ClientArgs::default()
        }
    }
}
