//! The URL of a database, which never shows its password.

use std::error::Error;
use std::fmt;

use clap::builder::{StringValueParser, TypedValueParser, ValueParserFactory};
use clap::error::ErrorKind;
use clap::{Arg, Command};
use protect::tls::{DatabaseTls, SslMode};
use tokio_postgres::config::{Host, SslMode as Negotiation};

const EXAMPLE: &str = "expected postgresql://user:password@host:5432/database";

/// A PostgreSQL connection URL (or `key=value` string) whose password never shows: `Debug` and `Display`
/// print `postgresql://user:***@host:port/database`.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    text: String,
    parsed: tokio_postgres::Config,
    tls: DatabaseTls,
}

impl DatabaseUrl {
    /// The URL as given, with its password.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What the URL says of TLS.
    pub fn tls(&self) -> &DatabaseTls {
        &self.tls
    }

    /// The settings in the URL, without the files of TLS.
    pub fn config(&self) -> &tokio_postgres::Config {
        &self.parsed
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = String;

    /// The error does not contain the text, since that may hold a password.
    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, tls) = DatabaseTls::take_from(text)?;
        let mut parsed: tokio_postgres::Config = rest.parse().map_err(|error| {
            problem(text, &error).unwrap_or_else(|| format!("not a PostgreSQL URL; {EXAMPLE}"))
        })?;
        if parsed.get_hosts().is_empty() && parsed.get_hostaddrs().is_empty() {
            return Err(format!("no host; {EXAMPLE}"));
        }
        parsed.ssl_mode(match tls.mode() {
            SslMode::Disable => Negotiation::Disable,
            SslMode::Prefer => Negotiation::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Negotiation::Require,
        });
        Ok(Self {
            text: text.to_owned(),
            parsed,
            tls,
        })
    }
}

/// The name of the parameter that is wrong. `None` if the name may be a part of the password.
fn problem(text: &str, error: &tokio_postgres::Error) -> Option<String> {
    // The parser reports its errors only as text.
    let cause = error.source()?.to_string();
    let name = cause.split('`').nth(1)?;
    if cause.starts_with("invalid value for option") {
        return Some(format!(
            "the parameter '{name}' has a value that is not allowed"
        ));
    }
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let known = cause.starts_with("unknown option") && is_name && !may_be_password(text);
    let remedy = if name == "schema" {
        "name the schema with options=-csearch_path%3DNAME"
    } else {
        "remove it"
    };
    known.then(|| format!("unknown parameter '{name}': {remedy}"))
}

/// Whether an unknown parameter may be a part of the password: one with an unescaped `@`, `?`, `=` or blank in it.
fn may_be_password(text: &str) -> bool {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return text
            .split_once('?')
            .is_none_or(|(_, parameters)| parameters.contains('@'));
    }
    text.contains("password") || text.contains('@')
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.parsed;
        f.write_str("postgresql://")?;
        if let Some(user) = config.get_user() {
            f.write_str(user)?;
            if config.get_password().is_some() {
                f.write_str(":***")?;
            }
            f.write_str("@")?;
        }
        let ports = config.get_ports();
        let addresses = config.get_hostaddrs();
        for index in 0..config.get_hosts().len().max(addresses.len()) {
            if index > 0 {
                f.write_str(",")?;
            }
            match (config.get_hosts().get(index), addresses.get(index)) {
                (Some(Host::Tcp(name)), _) => f.write_str(name)?,
                #[cfg(unix)]
                (Some(Host::Unix(path)), _) => write!(f, "{}", path.display())?,
                (None, Some(address)) => write!(f, "{address}")?,
                (None, None) => {}
            }
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            write!(f, ":{port}")?;
        }
        write!(
            f,
            "/{}",
            config
                .get_dbname()
                .or(config.get_user())
                .unwrap_or_default()
        )
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl ValueParserFactory for DatabaseUrl {
    type Parser = DatabaseUrlParser;

    fn value_parser() -> DatabaseUrlParser {
        DatabaseUrlParser
    }
}

/// clap's parser of [`DatabaseUrl`]. Its error names the setting and leaves out the value, which clap's own
/// error would quote.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseUrlParser;

impl TypedValueParser for DatabaseUrlParser {
    type Value = DatabaseUrl;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<DatabaseUrl, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, arg, value)?;
        text.parse().map_err(|reason: String| {
            let flag = arg.and_then(Arg::get_long).unwrap_or("database-url");
            let variable = arg
                .and_then(Arg::get_env)
                .map(|name| name.to_string_lossy());
            let variable = variable
                .map(|name| format!(" ({name})"))
                .unwrap_or_default();
            command.clone().error(
                ErrorKind::ValueValidation,
                format!("invalid --{flag}{variable}: {reason}"),
            )
        })
    }
}
