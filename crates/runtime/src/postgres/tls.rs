//! TLS to PostgreSQL: what `sslmode`, `sslrootcert`, `sslcert` and `sslkey` of `DATABASE_URL` ask for.

use anyhow::Context;
use protect::files::FileError;
use protect::tls::{DatabaseTls, SslMode};
use tokio_postgres::config::SslMode as Negotiation;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::DatabaseUrl;

/// Makes connections to PostgreSQL private. The files are read anew for each connection, so that renewed ones are found.
#[derive(Clone, Debug)]
pub struct Connector(DatabaseTls);

/// The stream below a connection.
pub type TlsStream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// The connector for a URL: the one place where it is made.
///
/// # Errors
/// What is wrong with which file.
pub fn connector(url: &DatabaseUrl) -> anyhow::Result<Connector> {
    let tls = url.tls();
    if tls.mode() != SslMode::Disable {
        tls.config()
            .with_context(|| format!("DATABASE_URL {url}"))?;
    }
    Ok(Connector(tls.clone()))
}

impl Connector {
    /// Opens a connection. Where TLS is only preferred and its handshake fails, it is tried in the clear, as libpq does.
    ///
    /// # Errors
    /// As `Config::connect`.
    pub async fn connect(
        &self,
        config: &Config,
    ) -> Result<(Client, Connection<Socket, TlsStream>), Error> {
        let failed = match config.connect(self.clone()).await {
            Ok(connected) => return Ok(connected),
            Err(error) => error,
        };
        if self.0.mode() != SslMode::Prefer || !is_of_handshake(&failed) {
            return Err(failed);
        }
        tracing::debug!(error = %failed, "no TLS with PostgreSQL: connecting in the clear");
        let mut plain = config.clone();
        plain.ssl_mode(Negotiation::Disable);
        plain.connect(self.clone()).await
    }
}

/// tokio-postgres keeps the kind of its errors to itself.
fn is_of_handshake(error: &Error) -> bool {
    error
        .to_string()
        .starts_with("error performing TLS handshake")
}

impl MakeTlsConnect<Socket> for Connector {
    type Stream = TlsStream;
    type TlsConnect = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
    type Error = FileError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, FileError> {
        let mut made = MakeRustlsConnect::new(self.0.config()?);
        match MakeTlsConnect::<Socket>::make_tls_connect(&mut made, host) {
            Ok(connect) => Ok(connect),
            Err(never) => match never {},
        }
    }
}
