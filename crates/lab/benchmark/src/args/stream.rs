//! Options of scenario `stream`.

use clap::Args;
use load_stream::database_url::DatabaseUrl;
use load_stream::plan::SEEDED_SINCE;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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

    /// Subscribers beside --clients that read slowly, each on a connection of its own; they are in no figure of the others
    #[arg(long, value_name = "N", requires = "live")]
    pub slow_clients: Option<usize>,

    /// Events a second that each of them reads at most
    #[arg(
        long,
        default_value_t = 10.0,
        value_name = "N",
        requires = "slow_clients"
    )]
    pub slow_rate: f64,

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
