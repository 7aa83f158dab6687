//! What a client shows and believes, made once from its settings.

use std::fmt;
use std::io;
use std::sync::Arc;

use anyhow::Context;
use http::HeaderValue;
use protect::ClientArgs;
use protect::tls::ClientTls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What HTTP/1.1 is called in ALPN (RFC 7301).
pub const HTTP1: &[u8] = b"http/1.1";
/// What HTTP/2 is called in ALPN (RFC 9113, 3.1).
pub const H2: &[u8] = b"h2";

/// How a client comes to a service. The default is in the clear and without a token. A clone is cheap, and all clones
/// share the TLS sessions that are resumed.
#[derive(Clone, Default)]
pub struct Access {
    tls: Option<TlsConnector>,
    authorization: Option<HeaderValue>,
}

/// Shows neither keys nor the token.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("tls", &self.tls.is_some())
            .field("token", &self.authorization.is_some())
            .finish()
    }
}

impl Access {
    /// Reads what `client` names. TLS is used where `secure` says so, which is what `https` means, and where `client` names a
    /// file of TLS. `protocol` is the one that is offered in ALPN: [`HTTP1`] or [`H2`].
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn new(client: &ClientArgs, secure: bool, protocol: &[u8]) -> anyhow::Result<Self> {
        let access = Self::over(client, secure, protocol)?;
        match client.authorization()? {
            Some(value) => access.with_authorization(value),
            None => Ok(access),
        }
    }

    /// As [`Access::new`], without a token.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn over(client: &ClientArgs, secure: bool, protocol: &[u8]) -> anyhow::Result<Self> {
        let secure = secure || client.names_tls();
        let config = secure.then(|| client.tls(&[protocol])).transpose()?;
        Ok(Self {
            tls: config.map(|config| TlsConnector::from(Arc::new(config))),
            authorization: None,
        })
    }

    /// The same with this bearer token.
    ///
    /// # Errors
    /// The token holds what no header may hold. The error repeats nothing of it.
    pub fn with_token(self, token: &str) -> anyhow::Result<Self> {
        self.with_authorization(format!("Bearer {token}"))
    }

    fn with_authorization(self, value: String) -> anyhow::Result<Self> {
        let mut value = HeaderValue::try_from(value).context("the token is no header value")?;
        value.set_sensitive(true);
        let authorization = Some(value);
        Ok(Self {
            authorization,
            ..self
        })
    }

    /// With settings of TLS of another kind, and without a token; `None`: in the clear.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn of_tls(tls: Option<&ClientTls<'_>>, protocol: &[u8]) -> anyhow::Result<Self> {
        let config = tls.map(|tls| tls.config(&[protocol])).transpose()?;
        Ok(Self {
            tls: config.map(|config| TlsConnector::from(Arc::new(config))),
            authorization: None,
        })
    }

    /// Whether connections go over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.is_secure() { "https" } else { "http" }
    }

    /// The value of the header `authorization`, marked as sensitive; `None`: no token is named.
    #[must_use]
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Agrees on TLS over a connection to `host`, a name or an address, also one in brackets. `None`: this access is in the
    /// clear, and the caller keeps its connection.
    ///
    /// # Errors
    /// The server's certificate is not believed, or it refuses ours.
    pub fn secure<S>(
        &self,
        host: &str,
        stream: S,
    ) -> Result<impl Future<Output = io::Result<TlsStream<S>>> + use<S>, S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(connector) = self.tls.clone() else {
            return Err(stream);
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = host.to_owned().try_into();
        Ok(async move {
            let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            connector.connect(name, stream).await
        })
    }
}
