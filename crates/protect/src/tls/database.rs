//! What a PostgreSQL connection string says of TLS: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, as libpq takes them.
//!
//! PostgreSQL, "libpq: SSL Support". Two differences: `allow` is refused, since it prefers to send in the clear, and no file
//! of the home directory is read unasked.

use std::ops::Range;
use std::path::{Path, PathBuf};

use rustls::ClientConfig;

use super::client::{ClientTls, NamedFile, Roots, Verify};
use crate::files::FileError;

/// How much TLS a connection to PostgreSQL needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// None at all.
    Disable,
    /// As much as the server offers: with whomever, and in the clear where it offers none.
    #[default]
    Prefer,
    /// Encrypted, with whomever; with `sslrootcert` as `VerifyCa`.
    Require,
    /// The server's certificate is signed by an authority of `sslrootcert`.
    VerifyCa,
    /// That, and it is for the host of the connection string.
    VerifyFull,
}

/// The parameters of a connection string that concern TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseTls {
    mode: SslMode,
    roots: Option<Roots>,
    identity: Option<(PathBuf, PathBuf)>,
}

const PARAMETERS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

impl DatabaseTls {
    /// Takes the four parameters out of a connection string (a URL, or `key=value` pairs), and gives the rest of it.
    ///
    /// # Errors
    /// What is wrong with which parameter. No other part of the string is repeated, since it may hold a password.
    pub fn take_from(text: &str) -> Result<(String, Self), String> {
        let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
        let found = if is_url {
            in_query(text)?
        } else {
            in_pairs(text)
        };
        let mut rest = String::with_capacity(text.len());
        let mut at = 0;
        let mut values: [Option<String>; 4] = Default::default();
        for Found { span, index, value } in found {
            rest.push_str(&text[at..span.start]);
            at = span.end;
            // Of repeated parameters the last counts.
            values[index] = Some(value).filter(|value| !value.is_empty());
        }
        rest.push_str(&text[at..]);
        if is_url && rest.ends_with(['?', '&']) {
            rest.pop();
        }
        Ok((rest, Self::new(values)?))
    }

    fn new([mode, roots, cert, key]: [Option<String>; 4]) -> Result<Self, String> {
        let system = roots.as_deref() == Some("system");
        let mode = match mode.as_deref() {
            None if system => SslMode::VerifyFull,
            None => SslMode::Prefer,
            Some("disable") => SslMode::Disable,
            Some("prefer") => SslMode::Prefer,
            Some("require") => SslMode::Require,
            Some("verify-ca") => SslMode::VerifyCa,
            Some("verify-full") => SslMode::VerifyFull,
            Some(_) => {
                return Err(
                    "the parameter 'sslmode' has a value that is not taken: use disable, prefer, require, verify-ca or \
                     verify-full"
                        .to_owned(),
                );
            }
        };
        if system && mode != SslMode::VerifyFull {
            return Err(
                "the parameter 'sslrootcert' is system, which needs sslmode=verify-full: anybody can have a certificate \
                 of a public authority"
                    .to_owned(),
            );
        }
        let verifies = matches!(mode, SslMode::VerifyCa | SslMode::VerifyFull);
        if verifies && roots.is_none() {
            return Err(
                "the parameter 'sslrootcert' is missing: sslmode=verify-ca and verify-full need the file of the \
                 authorities, or system"
                    .to_owned(),
            );
        }
        let identity = match (cert, key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert.into(), key.into())),
            (Some(_), None) => {
                return Err(
                    "the parameter 'sslkey' is missing: sslcert needs its private key".to_owned(),
                );
            }
            (None, Some(_)) => {
                return Err(
                    "the parameter 'sslcert' is missing: sslkey belongs to a certificate"
                        .to_owned(),
                );
            }
        };
        Ok(Self {
            mode,
            roots: roots.map(|roots| {
                if system {
                    Roots::System
                } else {
                    Roots::File(roots.into())
                }
            }),
            identity,
        })
    }

    /// How much TLS is needed.
    pub fn mode(&self) -> SslMode {
        self.mode
    }

    /// For a connector. Files are read at each call, so that renewed ones are found.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn config(&self) -> Result<ClientConfig, FileError> {
        let verify = match self.mode {
            SslMode::VerifyFull => Verify::ChainAndName,
            SslMode::VerifyCa => Verify::Chain,
            SslMode::Require if self.roots.is_some() => Verify::Chain,
            SslMode::Require | SslMode::Prefer | SslMode::Disable => Verify::Nothing,
        };
        let identity = self.identity.as_ref().map(|(cert, key)| {
            let named: (NamedFile<'_>, NamedFile<'_>) =
                (("sslcert", cert.clone()), ("sslkey", key.clone()));
            named
        });
        if let Some((_, (_, key))) = &identity {
            private(key)?;
        }
        let tls = ClientTls {
            roots: ("sslrootcert", self.roots.clone().unwrap_or(Roots::System)),
            verify,
            identity,
        };
        // PostgreSQL 17 and later ask for it where TLS is negotiated directly.
        tls.config(&[b"postgresql"])
    }
}

/// As libpq has it: others may not read the key; a group may where root owns it.
fn private(key: &Path) -> Result<(), FileError> {
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(key) {
        use std::os::unix::fs::MetadataExt;
        let allowed = if metadata.uid() == 0 { 0o640 } else { 0o600 };
        if metadata.mode() & 0o777 & !allowed != 0 {
            let problem = "others may read the private key: chmod 600, or 640 where root owns it";
            return Err(FileError::new("sslkey", key, problem));
        }
    }
    Ok(())
}

/// One of [`PARAMETERS`], and where it stands.
struct Found {
    span: Range<usize>,
    index: usize,
    value: String,
}

/// In the query of a URL. The span holds the `&` behind a parameter.
fn in_query(text: &str) -> Result<Vec<Found>, String> {
    let Some(query) = text.find('?') else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let mut at = query + 1;
    for pair in text[query + 1..].split_inclusive('&') {
        let span = at..at + pair.len();
        at = span.end;
        let (name, value) = pair
            .trim_end_matches('&')
            .split_once('=')
            .unwrap_or_default();
        if let Some(index) = PARAMETERS.iter().position(|known| *known == name) {
            let value = decoded(value)
                .ok_or_else(|| format!("the parameter '{name}' is not percent-encoded UTF-8"))?;
            found.push(Found { span, index, value });
        }
    }
    Ok(found)
}

fn decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let (high, low) = digit().zip(digit())?;
            u8::try_from(high << 4 | low).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(decoded).ok()
}

/// In `key = value` pairs, whose values may be in single quotes. A string that is not of that form gives what was found before
/// the fault; whoever parses the rest names it.
fn in_pairs(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let blank = |at: usize| {
        let blanks = bytes[at..].iter().take_while(|b| b.is_ascii_whitespace());
        at + blanks.count()
    };
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let start = blank(at);
        let Some(length) = bytes[start..].iter().position(|b| *b == b'=') else {
            return found;
        };
        let name = text[start..start + length].trim_end();
        let mut end = blank(start + length + 1);
        let mut value = Vec::new();
        let quoted = bytes.get(end) == Some(&b'\'');
        end += usize::from(quoted);
        loop {
            match bytes.get(end) {
                Some(b'\\') => {
                    value.extend(bytes.get(end + 1));
                    end += 2;
                }
                Some(b'\'') if quoted => {
                    end += 1;
                    break;
                }
                Some(byte) if !quoted && byte.is_ascii_whitespace() => break,
                Some(byte) => {
                    value.push(*byte);
                    end += 1;
                }
                None => break,
            }
        }
        let end = end.min(bytes.len());
        if let Some(index) = PARAMETERS.iter().position(|known| *known == name) {
            found.push(Found {
                span: start..end,
                index,
                value: String::from_utf8_lossy(&value).into_owned(),
            });
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(text: &str) -> (String, DatabaseTls) {
        DatabaseTls::take_from(text).expect(text)
    }

    #[test]
    fn the_parameters_are_taken_and_the_rest_is_left() {
        let file = |path: &str| Some(Roots::File(path.into()));
        for (text, rest, mode, roots) in [
            (
                "postgresql://u:p@h/d",
                "postgresql://u:p@h/d",
                SslMode::Prefer,
                None,
            ),
            (
                "postgresql://h/d?sslmode=require",
                "postgresql://h/d",
                SslMode::Require,
                None,
            ),
            (
                "postgres://h/d?a=1&sslmode=verify-full&sslrootcert=%2Fx%20y.pem&b=2",
                "postgres://h/d?a=1&b=2",
                SslMode::VerifyFull,
                file("/x y.pem"),
            ),
            (
                "postgresql://h/d?sslmode=disable&application_name=x",
                "postgresql://h/d?application_name=x",
                SslMode::Disable,
                None,
            ),
            (
                "postgresql://h/d?sslrootcert=system",
                "postgresql://h/d",
                SslMode::VerifyFull,
                Some(Roots::System),
            ),
            (
                "host=h sslmode = 'verify-ca' password='a b' sslrootcert='/x\\'y.pem'",
                "host=h  password='a b' ",
                SslMode::VerifyCa,
                file("/x'y.pem"),
            ),
            ("host=h sslmode=require", "host=h ", SslMode::Require, None),
            (
                "host=h password='sslmode=require'",
                "host=h password='sslmode=require'",
                SslMode::Prefer,
                None,
            ),
        ] {
            let (left, tls) = taken(text);
            assert_eq!(left, rest, "{text}");
            assert_eq!((tls.mode, tls.roots), (mode, roots), "{text}");
        }
    }

    #[test]
    fn a_wrong_parameter_is_named_and_nothing_else_is_repeated() {
        for (parameters, name) in [
            ("sslmode=allow", "'sslmode'"),
            ("sslmode=maybe", "'sslmode'"),
            ("sslmode=verify-full", "'sslrootcert' is missing"),
            ("sslmode=verify-ca", "'sslrootcert' is missing"),
            (
                "sslmode=require&sslrootcert=system",
                "needs sslmode=verify-full",
            ),
            ("sslcert=/c", "'sslkey' is missing"),
            ("sslkey=/k", "'sslcert' is missing"),
            ("sslrootcert=%zz", "'sslrootcert' is not percent-encoded"),
        ] {
            let text = format!("postgresql://u:hidden@h/d?{parameters}");
            let error = DatabaseTls::take_from(&text).expect_err(&text);
            assert!(error.contains(name) && !error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("folder");
        let (cert, key) = testkit::tls::Authority::new().issue(folder.path(), "c", "client");
        let text = format!(
            "host=h sslmode=require sslcert={} sslkey={}",
            cert.display(),
            key.display()
        );
        let (_, tls) = taken(&text);
        let mode = |mode| {
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).expect("chmod");
        };
        mode(0o644);
        let error = tls.config().expect_err("readable by all").to_string();
        assert!(
            error.contains("sslkey") && error.contains("chmod 600"),
            "{error}"
        );
        mode(0o600);
        tls.config().expect("private");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(postgresql://)?[a-z=&?%'\\\\ é]{0,60}") {
            drop(DatabaseTls::take_from(&text));
        }

        #[test]
        fn without_the_parameters_nothing_changes(text in "[a-rt-z=&?%'\\\\ é]{0,60}") {
            let (rest, tls) = taken(&text);
            prop_assert_eq!(rest, text);
            prop_assert_eq!(tls, DatabaseTls::default());
        }
    }
}
