//! Where a target is, and how it is come to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::HeaderValue;
use protect::ClientArgs;
use service_client::Access;
use service_client::access::{H2, HTTP1};
use tokio::net::TcpStream;

use super::Protocol;
use super::connection::Connection;
use super::counted::Counted;
use crate::tally::Wire;

/// The address of a target, looked up once, and what a client shows there.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `host:port` as the user wrote it.
    pub authority: String,
    /// Where connections go.
    pub address: SocketAddr,
    host: String,
    access: Access,
}

impl Endpoint {
    /// Takes `http://host:port` apart and looks the host up.
    ///
    /// # Errors
    /// For another scheme, a path, or a name that is not found.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        let place = Place::parse(url).map_err(|wrong| anyhow::anyhow!("{url}: {wrong}"))?;
        anyhow::ensure!(!place.secure, "{url}: expected http://host:port");
        Self::look_up(place, Access::default())
    }

    /// Takes `http://host:port` or `https://host:port` apart, looks the host up and reads the files that `client` names. TLS
    /// is used for `https` and where `client` names a file of TLS.
    ///
    /// # Errors
    /// For another scheme, a path, a name that is not found, and what is wrong with which file.
    pub fn of_client(url: &str, client: &ClientArgs, protocol: Protocol) -> anyhow::Result<Self> {
        let place = Place::parse(url).map_err(|wrong| anyhow::anyhow!("{url}: {wrong}"))?;
        let alpn = match protocol {
            Protocol::Rest => HTTP1,
            Protocol::Grpc => H2,
        };
        let access = Access::new(client, place.secure, alpn)?;
        Self::look_up(place, access)
    }

    fn look_up(place: Place, access: Access) -> anyhow::Result<Self> {
        let Place { host, port, .. } = place;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let mut addresses = std::net::ToSocketAddrs::to_socket_addrs(&(bare, port))
            .with_context(|| format!("cannot look up {host}"))?
            .collect::<Vec<_>>();
        // A name such as localhost may stand for both families, and services listen on 0.0.0.0.
        addresses.sort_by_key(|address| !address.is_ipv4());
        let address = *addresses
            .first()
            .with_context(|| format!("{host} has no address"))?;
        Ok(Self {
            authority: format!("{host}:{port}"),
            address,
            host,
            access,
        })
    }

    /// Its URL: `http://host:port`, or `https://host:port` where TLS is used.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.access.scheme(), self.authority)
    }

    /// How it is come to.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The value of the header `authorization`, if a token is named.
    #[must_use]
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.access.authorization()
    }

    /// The lines of an HTTP/1.1 head that belong to the target: its name, and the token if one is named.
    #[must_use]
    pub fn head_lines(&self) -> String {
        let host = format!("host: {}\r\n", self.authority);
        match self.authorization().and_then(|value| value.to_str().ok()) {
            Some(value) => format!("{host}authorization: {value}\r\n"),
            None => host,
        }
    }

    /// Opens a connection with TCP_NODELAY, so that a small request never waits for an acknowledgement, and agrees on TLS.
    ///
    /// # Errors
    /// Those of the socket and of TLS; a connection that is not there after `timeout` counts as timed out.
    pub async fn connect(
        &self,
        timeout: Duration,
        wire: &Arc<Wire>,
    ) -> std::io::Result<Connection> {
        let connecting = async {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            wire.add_connection();
            let socket = Counted::new(stream, Arc::clone(wire));
            match self.access.secure(&self.host, socket) {
                Ok(handshake) => Ok(Connection::secure(handshake.await?)),
                Err(socket) => Ok(Connection::clear(socket)),
            }
        };
        tokio::time::timeout(timeout, connecting)
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
    }
}

/// What a URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A name or an address; an IPv6 address in brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether the scheme is `https`.
    pub secure: bool,
}

impl Place {
    /// Takes `http://host:port` or `https://host:port` apart.
    ///
    /// # Errors
    /// For another scheme, a path, and a port that is none.
    pub fn parse(url: &str) -> Result<Self, String> {
        const FORM: &str = "http://host:port or https://host:port";
        let uri: http::Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(format!("expected {FORM}")),
        };
        if uri.path() != "/" || uri.query().is_some() {
            return Err(format!("expected {FORM} without a path"));
        }
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or(format!("expected {FORM}: there is no host"))?;
        // The parser takes 99999 for no port at all, and the scheme's own would be loaded instead.
        let authority = uri.authority().map_or("", |it| it.as_str());
        let port = match authority.rsplit_once(host) {
            Some((_, port)) if !port.is_empty() => uri.port_u16().filter(|port| *port > 0),
            _ => Some(if secure { 443 } else { 80 }),
        };
        let port = port.ok_or(format!("expected {FORM} with a port from 1 to 65535"))?;
        Ok(Self {
            host: host.into(),
            port,
            secure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_host_and_port() {
        let endpoint = Endpoint::parse("http://127.0.0.1:8081").unwrap();
        assert_eq!(endpoint.authority, "127.0.0.1:8081");
        assert_eq!(endpoint.url(), "http://127.0.0.1:8081");
        assert_eq!(endpoint.address.port(), 8081);
        assert!(
            Endpoint::parse("http://[::1]:9090/")
                .unwrap()
                .address
                .is_ipv6()
        );
        for wrong in [
            "ftp://127.0.0.1:8081",
            "127.0.0.1:8081",
            "http://127.0.0.1:1/path",
            "http://127.0.0.1:99999",
            "http://127.0.0.1:0",
            "http://:8081",
            "https://:8081",
            "",
        ] {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
        let secure = Place::parse("https://a.example").unwrap();
        assert_eq!((secure.secure, secure.port), (true, 443));
    }

    #[test]
    fn the_token_is_in_the_head_and_in_no_debug_output() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "weir_abc\n").unwrap();
        let client = ClientArgs {
            token_file: Some(file),
            ..ClientArgs::default()
        };
        let url = "http://127.0.0.1:8081";
        let endpoint = Endpoint::of_client(url, &client, Protocol::Rest).unwrap();
        let lines = "host: 127.0.0.1:8081\r\nauthorization: Bearer weir_abc\r\n";
        assert_eq!(endpoint.head_lines(), lines);
        assert!(!format!("{endpoint:?}").contains("weir_abc"));
    }

    #[test]
    fn a_file_of_tls_that_is_wrong_is_named() {
        let client = ClientArgs {
            tls_ca: Some("/no/such/ca.pem".into()),
            ..ClientArgs::default()
        };
        let url = "https://127.0.0.1:8081";
        let error = Endpoint::of_client(url, &client, Protocol::Rest).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("--tls-ca: /no/such/ca.pem"), "{error}");
    }
}
