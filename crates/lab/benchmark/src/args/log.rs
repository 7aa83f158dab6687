//! Options of the scenarios of the event log.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use load_log::plan::Durability;

/// What is appended and read.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Scenarios append, tail, verify, produce, consume, follow")]
pub struct LogArgs {
    /// Tail and verify: entries of the partition, appended before
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub entries: u64,

    /// In-process: when an append counts as done; a server has its own setting
    #[arg(long, value_parser = durability(), default_value = "synced")]
    pub durability: Durability,

    /// In-process: where a folder is made, and removed afterwards [default: the system's temporary files]
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<PathBuf>,

    /// Produce and consume: 0 or 1 (written), -1 (on the disk)
    #[arg(
        long,
        default_value_t = 1,
        value_name = "N",
        allow_hyphen_values = true
    )]
    pub acks: i32,

    /// Consume: partitions of the topic
    #[arg(long, default_value_t = 12, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub partitions: u32,

    /// Consume: cut one member off at the middle of the measured window, and measure how long its partitions stay without
    /// a reader
    #[arg(long)]
    pub kill_member: bool,
}

/// Durability by its name.
fn durability() -> impl TypedValueParser<Value = Durability> {
    let values = Durability::ALL.map(|one| PossibleValue::new(one.name()).help(one.promise()));
    PossibleValuesParser::new(values)
        .try_map(|name| Durability::named(&name).ok_or("no such durability"))
}
