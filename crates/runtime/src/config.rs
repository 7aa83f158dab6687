//! Settings that services share: clap argument groups, each setting a flag and an environment variable.

use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use clap::builder::{StringValueParser, TypedValueParser, ValueParserFactory};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, FromArgMatches};
use tokio_postgres::config::Host;

/// Reads the settings of a binary: flags win over environment variables, those over `.env` in the
/// working directory, that over the defaults.
///
/// An environment variable that is set but empty counts as not set. A wrong setting ends the process
/// with exit code 2 and a message that names it. Flags may stand before or after a subcommand.
pub fn parse<C: clap::Parser>() -> C {
    if let Err(message) = load_dotenv(Path::new(".env")) {
        C::command().error(ErrorKind::Io, message).exit();
    }
    parse_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

/// [`parse`] without `.env` and without ending the process, for tests and for callers with arguments of their own.
pub fn parse_from<C, I, T>(arguments: I) -> Result<C, clap::Error>
where
    C: CommandFactory + FromArgMatches,
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let mut command = without_empty_variables(C::command()).mut_args(|arg| arg.global(true));
    let matches = command
        .try_get_matches_from_mut(arguments)
        .map_err(|error| naming_the_variable(error, &command))?;
    C::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The error with the environment variable beside the flag, since the wrong value may come from there.
fn naming_the_variable(mut error: clap::Error, command: &Command) -> clap::Error {
    if let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && let Some(variable) = variable_of(command, flag)
        && !flag.contains(&variable)
    {
        let both = format!("{flag} ({variable})");
        error.insert(ContextKind::InvalidArg, ContextValue::String(both));
    }
    error
}

/// The variable of the setting that clap shows as `flag`, for example `--server-port <PORT>`.
fn variable_of(command: &Command, flag: &str) -> Option<String> {
    let long = flag.split_whitespace().next()?.strip_prefix("--")?;
    let own = command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(long))
        .and_then(Arg::get_env)
        .map(|variable| variable.to_string_lossy().into_owned());
    own.or_else(|| {
        command
            .get_subcommands()
            .find_map(|command| variable_of(command, flag))
    })
}

/// Adds the variables of `path` to the environment, without overriding any; no such file is no error.
fn load_dotenv(path: &Path) -> Result<(), String> {
    match dotenvy::from_path(path) {
        Ok(()) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // The error would quote the line, and the line may hold a password.
        Err(dotenvy::Error::LineParse(_, position)) => Err(format!(
            ".env: a line is not NAME=value (error at its character {position})"
        )),
        Err(error) => Err(format!(".env cannot be read: {error}")),
    }
}

fn without_empty_variables(command: Command) -> Command {
    let unset_if_empty = |arg: Arg| {
        let empty = arg
            .get_env()
            .and_then(std::env::var_os)
            .is_some_and(|value| value.is_empty());
        if empty {
            arg.env(None::<&'static str>)
        } else {
            arg
        }
    };
    command
        .mut_args(unset_if_empty)
        .mut_subcommands(without_empty_variables)
}

/// Value parser of durations: `500ms`, `10s`, `2m`; a unit is required except for `0`.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim())
        .map_err(|error| format!("{error} (write for example 500ms, 10s or 2m)"))
}

/// The subcommand that every service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum ServiceCommand {
    /// Exit with 0 if the service with these settings serves, with 1 if not
    Health,
}

/// How to reach PostgreSQL.
#[derive(Clone, Debug, clap::Args)]
pub struct DatabaseConfig {
    /// The application database
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgresql://postgres:password@localhost:5432/car_entities",
        value_name = "URL"
    )]
    pub database_url: DatabaseUrl,

    /// Connections of the whole process together, at least 1
    #[arg(
        long,
        env = "DATABASE_POOL_SIZE",
        default_value = "10",
        value_name = "N"
    )]
    pub database_pool_size: NonZeroUsize,

    /// Longest wait for a connection before a request is refused
    #[arg(long, env = "DATABASE_ACQUIRE_TIMEOUT", default_value = "2s", value_name = "DURATION", value_parser = duration)]
    pub database_acquire_timeout: Duration,
}

/// What is logged, and how.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TelemetryConfig {
    /// Log filter, for example `info,ingest=debug`; wins over LOG_LEVEL
    #[arg(long, env = "RUST_LOG", value_name = "FILTER")]
    pub rust_log: Option<String>,

    /// Log level: off, error, warn, info, debug or trace [default: info]
    #[arg(long, env = "LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<tracing_subscriber::filter::LevelFilter>,

    /// Form of log lines [default: text on a terminal, json otherwise]
    #[arg(long, env = "LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// The address that a service binds.
#[derive(Clone, Debug, clap::Args)]
pub struct ListenConfig {
    /// Address to listen on
    #[arg(long, env = "HOST", default_value = "0.0.0.0", value_name = "ADDRESS")]
    pub host: String,
}

/// How a service stops.
#[derive(Clone, Debug, clap::Args)]
pub struct ShutdownConfig {
    /// How long requests that were accepted may take after SIGTERM or SIGINT
    #[arg(long, env = "SHUTDOWN_GRACE", default_value = "10s", value_name = "DURATION", value_parser = duration)]
    pub shutdown_grace: Duration,
}

/// A PostgreSQL connection URL (or `key=value` string) whose password never shows: `Debug` and `Display`
/// print `postgresql://user:***@host:port/database`.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    text: String,
    parsed: tokio_postgres::Config,
}

impl DatabaseUrl {
    /// The URL as given, with its password.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The settings in the URL.
    pub fn config(&self) -> &tokio_postgres::Config {
        &self.parsed
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = String;

    /// The error does not contain the text, since that may hold a password.
    fn from_str(text: &str) -> Result<Self, String> {
        let example = "expected postgresql://user:password@host:5432/database";
        // The parser's own error may quote a part of the password.
        let parsed: tokio_postgres::Config = text
            .parse()
            .map_err(|_| format!("not a PostgreSQL URL; {example}"))?;
        if parsed.get_hosts().is_empty() && parsed.get_hostaddrs().is_empty() {
            return Err(format!("no host; {example}"));
        }
        Ok(Self {
            text: text.to_owned(),
            parsed,
        })
    }
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

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
