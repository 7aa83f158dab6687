//! The contract check: what a target must do before it is worth measuring, seen from outside over the wire.
//!
//! - this file: which cases a scenario has, the same for both protocols
//! - `ingest` (`client`: one event), `balance`, `stream`, `log`: the cases
//! - `wire`: a request over HTTP or gRPC on a connection of its own

mod balance;
mod client;
mod ingest;
mod log;
mod stream;
mod wire;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lab_model::endpoint::Endpoint;
use lab_model::scenario::Scenario;
use lab_model::targets::Target;
use serde::Serialize;

use crate::application_db::ApplicationDb;

pub(crate) use balance::BalanceClient;
pub(crate) use log::LogClient;
pub(crate) use stream::event_bytes;

/// One case and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What is asked of the target.
    pub case: &'static str,
    /// Whether it does it.
    pub passed: bool,
    /// What it did instead; empty where it passed.
    pub detail: String,
}

/// Most characters of a finding's detail: an answer with a thousand ids must not become a line of ten kilobytes.
const DETAIL_CHARACTERS: usize = 400;

impl Finding {
    fn of(case: &'static str, outcome: Result<()>) -> Self {
        Self {
            case,
            passed: outcome.is_ok(),
            detail: outcome.err().map_or_else(String::new, |error| {
                shortened(&format!("{error:#}"), DETAIL_CHARACTERS)
            }),
        }
    }
}

/// The text with its middle left out where it has more than `most` characters; beginning and end stay.
fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let head: String = text.chars().take(most * 2 / 3).collect();
    let tail: String = text.chars().skip(count - most / 3).collect();
    format!(
        "{head} [... {} characters left out ...] {tail}",
        count - head.chars().count() - tail.chars().count()
    )
}

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
        _ => wire::health(target, endpoint).await,
    }
}

/// Runs every case of the target's scenario. Without `database` what is in it is not looked at.
pub async fn verify(
    target: &Target,
    endpoint: &Endpoint,
    database: Option<&ApplicationDb>,
) -> Result<Vec<Finding>> {
    match target.scenario {
        Scenario::Ingest => ingest::cases(target, endpoint, database).await,
        Scenario::Balance => balance::cases(target, endpoint, database).await,
        Scenario::Stream => stream::cases(target, endpoint, database).await,
        Scenario::Log => log::cases(target, endpoint).await,
    }
}

/// The first failed case as an error.
pub fn require_all(findings: &[Finding]) -> Result<()> {
    match findings.iter().find(|f| !f.passed) {
        None => Ok(()),
        Some(failed) => bail!("the contract is broken: {}: {}", failed.case, failed.detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_detail_is_shortened_to_its_ends() {
        let ids: Vec<String> = (0..1001).map(|n| format!("0.0.{}", 100_000 + n)).collect();
        let long = format!("GET /balances?ids={} answered 500", ids.join(","));
        let finding = Finding::of("1,001 ids", Err(anyhow::anyhow!("{long}")));
        assert!(!finding.passed && long.len() > 10_000);
        assert!(finding.detail.chars().count() < 460, "{}", finding.detail);
        assert!(finding.detail.starts_with("GET /balances?ids=0.0.100000,"));
        assert!(finding.detail.ends_with("0.0.101000 answered 500"));
        assert!(finding.detail.contains("characters left out"));
        // Characters, not bytes: no letter is cut in two.
        assert_eq!(shortened("äöü", 3), "äöü");
        assert!(shortened(&"ä".repeat(500), 30).starts_with("ää"));
    }
}
