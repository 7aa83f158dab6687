//! What a client of a target shows and believes. Plain data: whoever connects reads the files.

use std::fmt;
use std::path::PathBuf;

/// How a target is come to. The default is in the clear and without a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// TLS; none: in the clear.
    pub tls: Option<Tls>,
    /// Bearer token to send.
    pub token: Option<Token>,
}

/// TLS as a client sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities of the server's certificate, PEM; none: those of the machine.
    pub ca: Option<PathBuf>,
    /// The client's own certificate and its key, PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A bearer token. Neither shown nor serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token of these characters.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The token itself, for the header alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Access {
    /// Over TLS, believing `ca`.
    #[must_use]
    pub fn secure(ca: Option<PathBuf>) -> Self {
        let tls = Tls { ca, identity: None };
        Self {
            tls: Some(tls),
            token: None,
        }
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        let access = Access {
            token: Some(Token::new("s3cret")),
            ..Access::default()
        };
        assert!(!format!("{access:?}").contains("s3cret"));
    }
}
