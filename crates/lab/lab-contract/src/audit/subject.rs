//! What an audit needs, and what it gives.

use anyhow::Result;
use lab_model::endpoint::Endpoint;
use lab_model::scenario::Scenario;
use lab_model::targets::Target;
use serde_json::Value;

use super::counters::{Counters, CountersAt};
use crate::application_db::ApplicationDb;

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
pub struct Baseline(pub(super) Option<Counters>);

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
        let needed = subject.target.null
            || matches!(
                subject.target.scenario,
                Scenario::Balance | Scenario::Stream
            );
        match subject.counters {
            Some(at) if needed => Ok(Self(Some(at.read().await?))),
            _ => Ok(Self::default()),
        }
    }
}

impl Audited {
    /// Counts and further conditions: the first that does not hold is the sentence.
    pub(super) fn of(
        counts: Option<Comparison>,
        broken: Option<String>,
        good: String,
        stats: Value,
    ) -> Self {
        let passed = broken.is_none();
        Self {
            counts: counts.map(|counts| Comparison { passed, ..counts }),
            passed,
            sentence: broken.map_or(good, |what| format!("Audit: {what}")),
            stats: Some(stats),
        }
    }
}
