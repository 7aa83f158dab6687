//! Options of scenario `stream`.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The first of the transactions that `weir seed` makes.
pub const SEEDED_SINCE: &str = "2025-01-01T00:00:00Z";

/// What is subscribed to, by whom.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Scenario stream")]
pub struct StreamArgs {
    /// Subscribers; of tail, verify and produce requests in flight [default: that of --workload, else 1]
    #[arg(long, value_name = "N")]
    pub clients: Option<usize>,

    /// Replay from this time on [default: 2025-01-01T00:00:00Z, that of the seeded ones; with --live: none]
    #[arg(long, value_name = "TIME", value_parser = rfc3339)]
    pub since: Option<String>,

    /// Ask each stream to end after this many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,

    /// Insert live transactions meanwhile, and measure from their commits too
    #[arg(long)]
    pub live: bool,

    /// Live transactions a second, each committed alone [default: that of --workload, else 100]
    #[arg(long, value_name = "N", requires = "live")]
    pub feed_rate: Option<f64>,

    /// Connections that insert them
    #[arg(long, default_value_t = 8, value_name = "N", requires = "live")]
    pub feed_connections: usize,

    /// The application database, for --live
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgresql://postgres:password@localhost:5432/car_entities",
        value_name = "URL"
    )]
    pub database_url: DatabaseUrl,
}

fn rfc3339(text: &str) -> Result<String, String> {
    match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(_) => Ok(text.into()),
        Err(error) => Err(format!("expected RFC 3339, as in {SEEDED_SINCE}: {error}")),
    }
}

/// A connection URL whose password is shown nowhere.
#[derive(Clone)]
pub struct DatabaseUrl(tokio_postgres::Config);

impl DatabaseUrl {
    /// The settings.
    pub fn config(&self) -> &tokio_postgres::Config {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The error's text would repeat parts of the URL.
        let config = text.parse().map_err(|_| "expected postgresql://...")?;
        Ok(Self(config))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.0;
        let hosts = config.get_hosts().iter().zip(config.get_ports());
        let hosts: Vec<String> = hosts
            .map(|(host, port)| format!("{host:?}:{port}"))
            .collect();
        write!(
            f,
            "{}/{}",
            hosts.join(","),
            config.get_dbname().unwrap_or_default()
        )
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
