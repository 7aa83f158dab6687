//! Options of scenario `own`.

use std::path::PathBuf;

use clap::Args;

/// Prepared requests of a user's own services.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Scenario own")]
pub struct OwnArgs {
    /// The requests to send, as `weir` has prepared them (weir.requests/1); variables that they name are read from the
    /// environment
    #[arg(long, value_name = "FILE")]
    pub requests_file: Option<PathBuf>,

    /// Numbers of {{counter}} begin after this one
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub counter_base: u64,

    /// Places of the requests in the file that are counted as events, from 0, separated by commas [default: all]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    pub counted: Vec<usize>,
}
