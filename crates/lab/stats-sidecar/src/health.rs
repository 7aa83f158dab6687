//! The subcommand `health`: is a sidecar at work on this metrics database?
//!
//! The sidecar has no port. It asks the database several times a second, so the server's own list of
//! connections tells whether it lives.

use std::process::ExitCode;
use std::time::Duration;

use metrics_db::{MetricsDbConfig, Store};

use crate::{APPLICATION_NAME, Config};

/// A sidecar silent for so long is stuck, seconds.
const SILENT_S: f64 = 10.0;

/// Exit code 0 when a sidecar is at work, else 1 with the reason on standard error.
pub async fn check(config: &Config) -> ExitCode {
    match reason_against(config).await {
        None => ExitCode::SUCCESS,
        Some(reason) => {
            report(&reason);
            ExitCode::FAILURE
        }
    }
}

async fn reason_against(config: &Config) -> Option<String> {
    let database = MetricsDbConfig {
        connect_timeout: Duration::from_secs(2),
        ..config.database.clone()
    };
    let store = match Store::connect_as(&database, "stats-sidecar health").await {
        Ok(store) => store,
        Err(error) => return Some(error.to_string()),
    };
    match store.idle_seconds_of(APPLICATION_NAME).await {
        Ok(Some(idle)) if idle < SILENT_S => None,
        Ok(Some(idle)) => Some(format!("the sidecar has asked nothing for {idle:.0} s")),
        Ok(None) => Some("no sidecar is connected to the metrics database".into()),
        Err(error) => Some(error.to_string()),
    }
}

#[expect(clippy::print_stderr, reason = "the output of a subcommand")]
fn report(reason: &str) {
    eprintln!("not serving: {reason}");
}
