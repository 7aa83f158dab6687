//! The contract check: what a target must do before it is worth measuring, seen from outside over the wire.
//!
//! - this file: which cases a scenario has, the same for both protocols
//! - `finding`: one case and how it ended
//! - `ingest` (`client`: one event; `merges`: many at once into one entity), `balance`, `stream`, `log`: the cases
//! - `own`: when a target of a user's own file is ready
//! - `wire`: a request over HTTP or gRPC on a connection of its own

mod balance;
mod client;
mod finding;
mod ingest;
mod log;
mod merges;
mod own;
mod stream;
mod wire;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lab_model::endpoint::Endpoint;
use lab_model::scenario::Scenario;
use lab_model::targets::Target;

use crate::application_db::ApplicationDb;

pub(crate) use balance::BalanceClient;
pub use finding::Finding;
pub(crate) use log::LogClient;
pub(crate) use merges::{Merges, merge_concurrently};
pub(crate) use stream::event_bytes;

/// Asks for the target's health until it answers or `limit` is over. `alive` may end the wait early.
pub async fn wait_healthy(
    target: &Target,
    endpoint: &Endpoint,
    limit: Duration,
    mut alive: impl FnMut() -> Result<()>,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(25);
    loop {
        alive()?;
        let error = match health(target, endpoint).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if Instant::now() > deadline {
            return Err(error).with_context(|| format!("not healthy within {} s", limit.as_secs()));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

/// An error where the target does not say that it is healthy.
async fn health(target: &Target, endpoint: &Endpoint) -> Result<()> {
    match target.scenario {
        Scenario::Ingest => client::Client::new(target, endpoint)?.health().await,
        Scenario::Own => own::ready(target, endpoint).await,
        _ => wire::health(target, endpoint).await,
    }
}

/// Runs every case of the target's scenario. Without `database` what is in it is not looked at.
pub async fn verify(
    target: &Target,
    endpoint: &Endpoint,
    database: Option<&ApplicationDb>,
) -> Result<Vec<Finding>> {
    if target.null {
        return Ok(vec![Finding::of(
            "health answers",
            health(target, endpoint).await,
        )]);
    }
    match target.scenario {
        Scenario::Ingest => ingest::cases(target, endpoint, database).await,
        Scenario::Balance => balance::cases(target, endpoint, database).await,
        Scenario::Stream => stream::cases(target, endpoint, database).await,
        Scenario::Log => log::cases(target, endpoint).await,
        // Its requests are tried by the generator that sends them.
        Scenario::Own => Ok(Vec::new()),
    }
}

/// The first failed case as an error.
pub fn require_all(findings: &[Finding]) -> Result<()> {
    match findings.iter().find(|f| !f.passed) {
        None => Ok(()),
        Some(failed) => bail!("the contract is broken: {}: {}", failed.case, failed.detail),
    }
}
