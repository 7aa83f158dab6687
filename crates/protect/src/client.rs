//! How our own clients connect to a protected service: flags, and the TLS settings and token made from them.

use std::path::{Path, PathBuf};

use clap::Args;
use rustls::ClientConfig;

use crate::files::{self, FileError};
use crate::tls::{ClientTls, Roots, Verify};

/// The variable that holds a token where no file is named. No flag takes one: a process list shows flags.
pub const TOKEN_VARIABLE: &str = "WEIR_TOKEN";

/// How a client comes to a protected service.
#[derive(Args, Clone, Debug, Default)]
pub struct ClientArgs {
    /// Authorities of the server's certificate, PEM; connects over TLS [default: those of this machine, for https://]
    #[arg(long, alias = "ca", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,

    /// Certificate to show, PEM; connects over TLS
    #[arg(long, alias = "cert", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of --tls-cert, PEM
    #[arg(long, alias = "key", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// File with the bearer token to send [default: the token in the variable WEIR_TOKEN, if it is set]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

impl ClientArgs {
    /// Whether a file of TLS is named.
    pub fn names_tls(&self) -> bool {
        self.tls_ca.is_some() || self.tls_cert.is_some()
    }

    /// For a connector. `protocols` are those of ALPN, the preferred first.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn tls(&self, protocols: &[&[u8]]) -> Result<ClientConfig, FileError> {
        let roots = self.tls_ca.clone().map_or(Roots::System, Roots::File);
        let identity = self.tls_cert.clone().zip(self.tls_key.clone());
        let tls = ClientTls {
            roots: ("--tls-ca", roots),
            verify: Verify::ChainAndName,
            identity: identity.map(|(cert, key)| (("--tls-cert", cert), ("--tls-key", key))),
        };
        tls.config(protocols)
    }

    /// The value of the header `authorization`; `None`: no token is named.
    ///
    /// # Errors
    /// Those of [`ClientArgs::token`].
    pub fn authorization(&self) -> Result<Option<String>, FileError> {
        let token = self.token()?;
        Ok(token.map(|token| format!("Bearer {token}")))
    }

    /// The bearer token, from the file or else from [`TOKEN_VARIABLE`]; `None`: none is named.
    ///
    /// # Errors
    /// The file cannot be read, or holds no token. The error repeats nothing of it.
    pub fn token(&self) -> Result<Option<String>, FileError> {
        const SETTING: &str = "--token-file";
        if let Some(path) = &self.token_file {
            let text = files::read_text(SETTING, path)?;
            let wrong = |problem| FileError::new(SETTING, path, problem);
            return single(&text).map(Some).map_err(wrong);
        }
        let given = std::env::var_os(TOKEN_VARIABLE).filter(|value| !value.is_empty());
        let Some(given) = given else {
            return Ok(None);
        };
        let wrong = |problem| FileError::new(TOKEN_VARIABLE, Path::new("its value"), problem);
        let text = given.to_str().ok_or("not UTF-8 text").map_err(wrong)?;
        single(text).map(Some).map_err(wrong)
    }
}

/// The token in `text`, or what is wrong with it.
fn single(text: &str) -> Result<String, &'static str> {
    let token = text.trim();
    if token.is_empty() {
        return Err("empty: write the token into it");
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("more than one token: write one, on a line of its own, without blanks");
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_from_its_file_and_no_error_repeats_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("token");
        let client = ClientArgs {
            token_file: Some(path.clone()),
            ..ClientArgs::default()
        };
        for (text, told) in [
            ("weir_abc\n", Ok(Some("Bearer weir_abc"))),
            (" \n", Err("empty")),
            ("hidden one\n", Err("more than one token")),
            ("hidden\r\nhidden", Err("more than one token")),
        ] {
            std::fs::write(&path, text).expect("written");
            let found = client.authorization();
            match told {
                Ok(value) => assert_eq!(found.expect("good").as_deref(), value),
                Err(part) => {
                    let error = found.expect_err(part).to_string();
                    assert!(
                        error.contains(part) && error.contains("--token-file"),
                        "{error}"
                    );
                    assert!(!error.contains("hidden"), "{error}");
                }
            }
        }
        assert_eq!(ClientArgs::default().authorization(), Ok(None));
    }
}
