//! Where a target listens, and the URLs that say so.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use crate::access::Access;
use crate::error::RequestError;

/// A host and a TCP port. Displayed as in a URL: an IPv6 address stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address; an IPv6 address without brackets, as the resolver takes it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What a client shows and believes there.
    pub access: Access,
}

impl Endpoint {
    /// A port of this machine.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self::at("127.0.0.1", port)
    }

    /// A port of a host, in the clear.
    pub fn at(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            access: Access::default(),
        }
    }

    /// The same place, come to in this way.
    #[must_use]
    pub fn with(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// The same place with what its URL does not say: the token, and where it is `https`, the files of TLS.
    #[must_use]
    pub fn given(self, client: &Access) -> Self {
        let tls = self.access.tls.clone();
        let tls = tls.map(|own| client.tls.clone().unwrap_or(own));
        let token = client.token.clone();
        self.with(Access { tls, token })
    }

    /// The host as a URL holds it: an IPv6 address in brackets.
    #[must_use]
    pub fn url_host(&self) -> Cow<'_, str> {
        if self.host.contains(':') {
            Cow::Owned(format!("[{}]", self.host))
        } else {
            Cow::Borrowed(&self.host)
        }
    }

    /// Reads `http://host:port`, `https://host:port`, `grpc://host:port` or `host:port`. A host is a name, an IPv4 address, or an IPv6 address
    /// in brackets.
    ///
    /// # Errors
    /// There is no port, or something follows it.
    pub fn parse(url: &str) -> Result<Self, RequestError> {
        let problem = |what: &str| Err(RequestError(format!("url {url}: {what}")));
        let access = match url.starts_with("https://") {
            true => Access::secure(None),
            false => Access::default(),
        };
        let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
        let authority = authority.trim_end_matches('/');
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let Some((address, after)) = rest.split_once(']') else {
                    return problem("the bracket of the IPv6 address is not closed");
                };
                if address.parse::<Ipv6Addr>().is_err() {
                    return problem(&format!("'{address}' is not an IPv6 address"));
                }
                (address, after.strip_prefix(':'))
            }
            None => match authority.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => {
                    return problem(
                        "an IPv6 address must stand in brackets, e.g. http://[::1]:8081",
                    );
                }
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let Some(port) = port else {
            return problem("must end with a port, e.g. http://127.0.0.1:8081");
        };
        if host.is_empty() || authority.contains('/') {
            return problem("must be http://host:port");
        }
        match port.parse() {
            Ok(port) => Ok(Self::at(host, port).with(access)),
            Err(_) => problem(&format!("'{port}' is not a port")),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.url_host(), self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Token;

    #[test]
    fn a_url_gives_host_and_port() {
        for (url, host, port, shown) in [
            ("http://10.0.0.5:8081/", "10.0.0.5", 8081, "10.0.0.5:8081"),
            ("localhost:9090", "localhost", 9090, "localhost:9090"),
            ("grpc://a.example:1", "a.example", 1, "a.example:1"),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port));
            assert_eq!(endpoint.to_string(), shown);
        }
    }

    #[test]
    fn https_is_over_tls_and_takes_what_the_client_has() {
        let endpoint = Endpoint::parse("https://a.example:8443").unwrap();
        assert_eq!(endpoint.access, Access::secure(None));
        let client = Access {
            token: Some(Token::new("t")),
            ..Access::secure(Some("/ca.pem".into()))
        };
        assert_eq!(endpoint.given(&client).access, client);
        // The scheme decides about TLS, not what the client has for others.
        let clear = Endpoint::parse("http://a.example:8081").unwrap();
        let access = clear.given(&client).access;
        assert_eq!((access.tls, access.token), (None, client.token));
    }

    #[test]
    fn the_brackets_of_an_ipv6_address_belong_to_the_url() {
        for url in ["http://[::1]:8081", "[::1]:8081", "grpc://[::1]:8081/"] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!((endpoint.host.as_str(), endpoint.port), ("::1", 8081));
            assert_eq!(endpoint.to_string(), "[::1]:8081");
        }
    }

    #[test]
    fn a_url_that_names_no_listener_is_refused_with_the_reason() {
        for (url, reason) in [
            ("https://a", "must end with a port"),
            ("http://a", "must end with a port"),
            ("http://[::1]", "must end with a port"),
            ("http://a:b", "'b' is not a port"),
            ("http://a:70000", "'70000' is not a port"),
            ("http://a:1/path", "must be http://host:port"),
            ("http://:1", "must be http://host:port"),
            ("http://::1:8081", "in brackets"),
            ("http://[::1:8081", "not closed"),
            ("http://[a]:8081", "not an IPv6 address"),
            ("http://[::1]x:8081", "must end with a port"),
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(error.contains(url) && error.contains(reason), "{error}");
        }
    }
}
