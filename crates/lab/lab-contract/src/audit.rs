//! The audit: what the generator counted as done against what the target is seen to have done.
//!
//! - this file: what an audit says, and that of ingestion: events in the database
//! - `balance`, `stream`, `log`: those of the other scenarios
//! - `claims`: what a generator says that it did; `counters`: what a service counted itself

mod balance;
mod claims;
mod counters;
mod log;
mod stream;

use anyhow::{Context, Result};
use lab_model::endpoint::Endpoint;
use lab_model::scenario::Scenario;
use lab_model::targets::Target;
use serde_json::Value;

use crate::application_db::ApplicationDb;

pub use claims::{Claims, Counts, StreamClaims};
pub use counters::CountersAt;

/// What an audit needs to know.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What was measured.
    pub target: &'a Target,
    /// Where it listens.
    pub at: &'a Endpoint,
    /// Where it counts its work; none: nobody knows what it counted.
    pub counters: Option<&'a CountersAt>,
    /// The application database; none where the scenario has none.
    pub database: Option<&'a ApplicationDb>,
    /// What the run's events carry.
    pub run_label: &'a str,
}

/// What a generator counted, and what was found of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Counted by the generator as acknowledged.
    pub acknowledged: i64,
    /// Sent, and answered with an error or not at all.
    pub in_doubt: i64,
    /// Found on the target's side.
    pub stored: i64,
    /// Whether `acknowledged <= stored <= acknowledged + in_doubt`, and whatever else the audit demands.
    pub passed: bool,
}

impl Comparison {
    /// All that was acknowledged is there, and nothing beyond what was sent.
    #[must_use]
    pub fn of(acknowledged: i64, in_doubt: i64, stored: i64) -> Self {
        Self {
            acknowledged,
            in_doubt,
            stored,
            passed: acknowledged <= stored && stored <= acknowledged + in_doubt,
        }
    }
}

/// What a service had counted before the measurement.
#[derive(Clone, Debug, Default)]
pub struct Baseline(Option<counters::Counters>);

/// What an audit found.
#[derive(Clone, Debug)]
pub struct Audited {
    /// The counts compared; none where the service's side is not known.
    pub counts: Option<Comparison>,
    /// Whether all of it holds.
    pub passed: bool,
    /// What was compared with what, and how it came out.
    pub sentence: String,
    /// Figures of the scenario alone.
    pub stats: Option<Value>,
}

impl Baseline {
    /// Reads the service's counters where the audit needs them.
    pub async fn take(subject: Subject<'_>) -> Result<Self> {
        let needed = matches!(
            subject.target.scenario,
            Scenario::Balance | Scenario::Stream
        );
        match subject.counters {
            Some(at) if needed => Ok(Self(Some(at.read().await?))),
            _ => Ok(Self::default()),
        }
    }
}

/// Audits a run whose measurement has ended and whose target still runs.
pub async fn audit(subject: Subject<'_>, baseline: &Baseline, claims: &Claims) -> Result<Audited> {
    match subject.target.scenario {
        Scenario::Ingest => {
            let database = subject
                .database
                .context("there is no application database")?;
            let counts = of_events(database, subject.run_label, &claims.counts).await?;
            Ok(Audited {
                sentence: sentence(&counts),
                passed: counts.passed,
                counts: Some(counts),
                stats: None,
            })
        }
        Scenario::Balance => balance::audit(subject, baseline, claims).await,
        Scenario::Stream => stream::audit(subject, baseline, claims).await,
        Scenario::Log => log::audit(subject, claims).await,
    }
}

/// Counts the run's events in the database and judges them: everything acknowledged is there, and nothing
/// beyond what was sent. An event that was sent but answered with an error, or not at all, may be there.
async fn of_events(
    database: &ApplicationDb,
    run_label: &str,
    counts: &Counts,
) -> Result<Comparison> {
    let stored = database.count_events(run_label).await?;
    Ok(Comparison::of(
        counts.acknowledged,
        counts.in_doubt(),
        stored,
    ))
}

/// The audit of ingestion as a sentence.
pub fn sentence(audit: &Comparison) -> String {
    let Comparison {
        acknowledged,
        in_doubt,
        stored,
        passed,
    } = *audit;
    if passed && in_doubt == 0 {
        return format!("All {acknowledged} acknowledged events are in the database, once each.");
    }
    if passed {
        return format!(
            "{acknowledged} events were acknowledged, {stored} are stored; {in_doubt} were sent without an \
             acknowledgement and may be stored."
        );
    }
    if stored < acknowledged {
        let lost = acknowledged - stored;
        return format!(
            "Audit: {lost} of {acknowledged} acknowledged events are not in the database."
        );
    }
    format!(
        "Audit: {stored} events are stored, but only {acknowledged} were acknowledged and {in_doubt} in doubt."
    )
}

impl Audited {
    /// Counts and further conditions: the first that does not hold is the sentence.
    fn of(counts: Option<Comparison>, broken: Option<String>, good: String, stats: Value) -> Self {
        let passed = broken.is_none();
        Self {
            counts: counts.map(|counts| Comparison { passed, ..counts }),
            passed,
            sentence: broken.map_or(good, |what| format!("Audit: {what}")),
            stats: Some(stats),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_what_is_wrong() {
        assert!(sentence(&Comparison::of(5, 0, 5)).starts_with("All 5"));
        assert!(sentence(&Comparison::of(5, 2, 6)).contains("2 were sent"));
        assert!(sentence(&Comparison::of(5, 0, 3)).contains("2 of 5 acknowledged events are not"));
        assert!(sentence(&Comparison::of(5, 1, 9)).contains("9 events are stored"));
    }
}
