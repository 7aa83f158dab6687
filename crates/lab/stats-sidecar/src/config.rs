//! Settings of the sidecar.

use std::path::PathBuf;

use clap::Parser;
use metrics_db::MetricsDbConfig;
use runtime::config::{ServiceCommand, TelemetryConfig};

/// Samples the processes or containers of running lab runs into the metrics database.
///
/// Containers are read through the Docker API: DOCKER_HOST, else the local socket.
#[derive(Clone, Debug, Parser)]
#[command(name = "stats-sidecar", version)]
pub struct Config {
    /// What to do instead of sampling
    #[command(subcommand)]
    pub command: Option<ServiceCommand>,

    /// Where the metrics database is
    #[command(flatten)]
    pub database: MetricsDbConfig,

    /// Log lines
    #[command(flatten)]
    pub telemetry: TelemetryConfig,

    /// Directory for one CSV a run, DIR/TARGET/TARGET-MODE-TIMESTAMP-metrics.csv; none are written without it
    #[arg(long, env = "STATS_CSV_DIR", value_name = "DIR")]
    pub csv_dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Config::command().debug_assert();
    }
}
