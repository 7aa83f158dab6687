//! Settings that services share: clap argument groups, each setting a flag and an environment variable.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, FromArgMatches};

mod database_url;
mod duration;
mod range;

pub use database_url::{DatabaseUrl, DatabaseUrlParser};
pub use duration::duration;
pub use range::{Within, bytes, count, duration_within, time_limit};

/// Reads the settings of a binary: flags win over environment variables, those over `.env` in the
/// working directory, that over the defaults.
///
/// An environment variable that is set but empty counts as not set. A wrong setting ends the process
/// with [`usage_error::EXIT_USAGE`] and a message that names it. Flags may stand before or after a subcommand.
pub fn parse<C: clap::Parser>() -> C {
    read().unwrap_or_else(|error| usage_error::exit(&error))
}

/// [`parse`] for a program whose command line was promised to end with 2 on wrong usage: `event-log`.
pub fn parse_or_exit_2<C: clap::Parser>() -> C {
    read().unwrap_or_else(|error: clap::Error| error.exit())
}

fn read<C: clap::Parser>() -> Result<C, clap::Error> {
    if !asks_for_words(std::env::args_os())
        && let Err(message) = load_dotenv(Path::new(".env"))
    {
        return Err(C::command().error(ErrorKind::Io, message));
    }
    parse_from(std::env::args_os())
}

/// [`parse`] without `.env` and without ending the process, for tests and for callers with arguments of their own.
pub fn parse_from<C, I, T>(arguments: I) -> Result<C, clap::Error>
where
    C: CommandFactory + FromArgMatches,
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let command = range::shown_in_help(without_empty_variables(C::command()));
    let mut command = command.mut_args(|arg| arg.global(true));
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

/// Whether the arguments ask for help or the version, which need no settings.
fn asks_for_words(arguments: impl Iterator<Item = OsString>) -> bool {
    arguments
        .take_while(|argument| argument != "--")
        .any(|argument| {
            ["-h", "--help", "-V", "--version", "help"]
                .iter()
                .any(|asked| argument == *asked)
        })
}

/// Adds the variables of `path` to the environment, without overriding any; no such file is no error.
fn load_dotenv(path: &Path) -> Result<(), String> {
    let found = env_file::read(path).map_err(|error| error.to_string())?;
    for warning in &found.warnings {
        warn(warning);
    }
    // dotenvy is what sets them; each value is handed to it with what it would read anew escaped.
    let quoted: String = found
        .variables
        .iter()
        .map(|(name, value)| {
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('$', "\\$");
            format!("{name}=\"{value}\"\n")
        })
        .collect();
    dotenvy::from_read(quoted.as_bytes()).map_err(|_| format!("{}: cannot be used", path.display()))
}

/// Logging is set up by the settings that are only being read.
fn warn(text: &str) {
    use std::io::Write;
    // Where nobody reads standard error there is nobody to warn.
    drop(writeln!(std::io::stderr(), "warning: {text}"));
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

/// The subcommand that every service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum ServiceCommand {
    /// Exit with 0 if the service with these settings serves, with 1 if not
    Health,
}

/// More connections than a PostgreSQL server takes by far.
const MOST_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

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

    /// Connections of the whole process together
    #[arg(
        long,
        env = "DATABASE_POOL_SIZE",
        default_value = "10",
        value_name = "N",
        value_parser = count(NonZeroUsize::MIN..=MOST_CONNECTIONS)
    )]
    pub database_pool_size: NonZeroUsize,

    /// Longest wait for a connection before a request is refused
    #[arg(long, env = "DATABASE_ACQUIRE_TIMEOUT", default_value = "2s", value_name = "DURATION", value_parser = time_limit())]
    pub database_acquire_timeout: Duration,
}

/// What is logged, and how.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TelemetryConfig {
    /// Log filter, for example `info,ingest=debug`; takes precedence over LOG_LEVEL
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
    #[arg(long, env = "SHUTDOWN_GRACE", default_value = "10s", value_name = "DURATION", value_parser = duration_within(Duration::ZERO..=Duration::from_secs(24 * 60 * 60)))]
    pub shutdown_grace: Duration,
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
