//! `stats-sidecar`: samples the lab's processes or containers into the metrics database until SIGTERM.

use std::process::ExitCode;

use runtime::config::ServiceCommand;
use stats_sidecar::{Config, health, process};

// One thread: sampling is a few milliseconds of work a second, and it must not compete with what it measures.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let config: Config = runtime::config::parse();
    if let Some(ServiceCommand::Health) = config.command {
        return Ok(health::check(&config).await);
    }
    process::run(config).await
}
