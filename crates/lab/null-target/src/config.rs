//! Settings, each a flag and an environment variable.

use clap::{Parser, ValueEnum};

/// A target that parses, answers and does nothing: the ceiling of a load generator
#[derive(Clone, Debug, Parser)]
#[command(name = "null-target", version)]
pub struct Config {
    /// Address to listen on
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: String,
    /// Port for REST; 0 takes a free one
    #[arg(long, env = "SERVER_PORT", default_value_t = 8090)]
    pub server_port: u16,
    /// Port for gRPC; 0 takes a free one
    #[arg(long, env = "GRPC_SERVER_PORT", default_value_t = 8091)]
    pub grpc_server_port: u16,
    /// CPU that is burned on top of what the requests cost, percent of it: a planted difference
    #[arg(long, env = "BURN_PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub burn_percent: f64,
    /// Store events: acknowledge each after its commit in the database of DATABASE_URL
    #[arg(long, env = "STORE")]
    pub store: bool,
    /// Database for --store
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// What is done wrong on purpose
    #[arg(long, env = "FAULT", value_enum, default_value_t)]
    pub fault: Fault,
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok();
    percent
        .filter(|percent| (0.0..=1000.0).contains(percent))
        .ok_or_else(|| "expected 0 to 1000".to_owned())
}

/// A fault that contract check or audit must notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Nothing
    #[default]
    None,
    /// Acknowledges one event in a thousand without storing it
    LosesOneInThousand,
    /// Acknowledges an event, and commits it a second later
    AcknowledgesBeforeCommit,
    /// Merges an event by replacing what the entity held
    MergesByReplacing,
    /// Answers a bad event with the status of an internal error
    WrongStatus,
    /// Stores a record without its headers
    DropsHeaders,
    /// Sends every tenth event of a stream twice
    RepeatsEvent,
}
