//! What connects to a target, from what the model says of it.

use anyhow::{Context, Result};
use lab_model::endpoint::Endpoint;
use protect::ClientArgs;
use service_client::Access;

/// How `at` is come to, with `protocol` in ALPN. Files are read each time: a check opens few connections.
pub(crate) fn access(at: &Endpoint, protocol: &[u8]) -> Result<Access> {
    let tls = at.access.tls.clone();
    let secure = tls.is_some();
    let tls = tls.unwrap_or_default();
    let (tls_cert, tls_key) = tls.identity.unzip();
    let client = ClientArgs {
        tls_ca: tls.ca,
        tls_cert,
        tls_key,
        token_file: None,
    };
    let access = Access::over(&client, secure, protocol)?;
    let Some(token) = &at.access.token else {
        return Ok(access);
    };
    access
        .with_token(token.reveal())
        .context("the token is no header value")
}
