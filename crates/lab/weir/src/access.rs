//! What the command line says about how targets are come to.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lab_host::variables::quoted;
use lab_model::access::{Access, Tls, Token};
use protect::ClientArgs;

/// The model's words for `client`, with absolute paths: children have other working directories. Files that are wrong are
/// found now, not in the middle of a session.
pub(crate) fn access(client: &ClientArgs) -> Result<Access> {
    let absolute = |path: &Path| {
        std::path::absolute(path).with_context(|| format!("the path {}", path.display()))
    };
    let tls = match client.names_tls() {
        true => {
            client.tls(&[])?;
            let ca = client.tls_ca.as_deref().map(absolute).transpose()?;
            let files = client.tls_cert.as_deref().zip(client.tls_key.as_deref());
            let files = files.map(|(cert, key)| anyhow::Ok((absolute(cert)?, absolute(key)?)));
            Some(Tls {
                ca,
                identity: files.transpose()?,
            })
        }
        false => None,
    };
    Ok(Access {
        tls,
        token: client.token()?.map(Token::new),
    })
}

/// The options that repeat `client`, for a shell. They name files; a token that came in the environment is not among them.
pub(crate) fn to_shell(client: &ClientArgs) -> String {
    let mut text = String::new();
    let mut add = |name: &str, path: &Option<PathBuf>| {
        if let Some(path) = path {
            // Writing to a String cannot fail.
            write!(text, " {name} {}", quoted(&path.to_string_lossy())).ok();
        }
    };
    add("--tls-ca", &client.tls_ca);
    add("--tls-cert", &client.tls_cert);
    add("--tls-key", &client.tls_key);
    add("--token-file", &client.token_file);
    text
}
