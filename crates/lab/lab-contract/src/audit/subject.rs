//! What an audit needs, and what it gives.

use anyhow::Result;
use lab_model::endpoint::Endpoint;
use lab_model::scenario::Scenario;
use lab_model::targets::Target;
use serde_json::{Map, Value};

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
    /// What was compared with what, and what is wrong (`fault`), as data: `lab_words::checks` has the words.
    pub facts: Map<String, Value>,
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

/// A condition that does not hold: its name, and the facts that belong to it alone.
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) facts: Vec<(&'static str, Value)>,
}

impl Fault {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            facts: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, fact: impl Into<Value>) -> Self {
        self.facts.push((name, fact.into()));
        self
    }
}

impl Audited {
    /// What was counted on both sides, and the first condition that does not hold. `stored` is `None` where the service's
    /// side is not known.
    pub(super) fn of(
        scenario: Scenario,
        (acknowledged, in_doubt, stored): (i64, i64, Option<i64>),
        fault: Option<Fault>,
        stats: Option<Value>,
    ) -> Self {
        let passed = fault.is_none();
        let mut facts = Map::new();
        facts.insert("scenario".into(), scenario.as_str().into());
        facts.insert("acknowledged".into(), acknowledged.into());
        facts.insert("in_doubt".into(), in_doubt.into());
        facts.insert("stored".into(), stored.into());
        if let Some(fault) = fault {
            facts.insert("fault".into(), fault.name.into());
            facts.extend(
                fault
                    .facts
                    .into_iter()
                    .map(|(name, fact)| (name.into(), fact)),
            );
        }
        let counts = stored.map(|stored| Comparison {
            passed,
            ..Comparison::of(acknowledged, in_doubt, stored)
        });
        Self {
            counts,
            passed,
            facts,
            stats,
        }
    }

    /// The same for a target that does its work after it has acknowledged it: how long the audit waited for that.
    #[must_use]
    pub fn after_waiting(self, waited: Option<std::time::Duration>) -> Self {
        match waited {
            Some(waited) => self.with("waited_s", waited.as_secs_f64()),
            None => self,
        }
    }

    /// The same with one more fact.
    pub(super) fn with(mut self, name: &str, fact: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), fact.into());
        self
    }
}
