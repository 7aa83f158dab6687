//! The audit: what the generator counted as done against what the target is seen to have done.
//!
//! - this file: what an audit says, and that of ingestion: events in the database
//! - `balance`, `stream`, `log`: those of the other scenarios
//! - `counters`: what a service counted itself

mod balance;
mod command;
mod counters;
mod log;
mod stream;

use anyhow::{Context, Result};
use lab_model::endpoint::Endpoint;
use lab_model::scenario::Scenario;
use lab_model::targets::Target;
use metrics_db::{Audit, Check};
use serde_json::Value;

use crate::application_db::ApplicationDb;
use crate::summary::{Counts, Summary};

pub use command::{AuditArgs, run};
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

/// What a service had counted before the measurement.
#[derive(Clone, Debug, Default)]
pub struct Baseline(Option<counters::Counters>);

/// What an audit found.
#[derive(Clone, Debug)]
pub struct Audited {
    /// The counts compared; none where the service's side is not known.
    pub counts: Option<Audit>,
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
pub async fn audit(
    subject: Subject<'_>,
    baseline: &Baseline,
    summary: &Summary,
) -> Result<Audited> {
    match subject.target.scenario {
        Scenario::Ingest => {
            let database = subject
                .database
                .context("there is no application database")?;
            let counts = of_events(database, subject.run_label, &summary.counts()).await?;
            Ok(Audited {
                sentence: sentence(&counts),
                passed: counts.passed,
                counts: Some(counts),
                stats: None,
            })
        }
        Scenario::Balance => balance::audit(subject, baseline, summary).await,
        Scenario::Stream => stream::audit(subject, baseline, summary).await,
        Scenario::Log => log::audit(subject, summary).await,
    }
}

/// Counts the run's events in the database and judges them: everything acknowledged is there, and nothing
/// beyond what was sent. An event that was sent but answered with an error, or not at all, may be there.
async fn of_events(database: &ApplicationDb, run_label: &str, counts: &Counts) -> Result<Audit> {
    let stored = database.count_events(run_label).await?;
    Ok(Audit::judge(counts.acknowledged, counts.in_doubt(), stored))
}

/// The audit of ingestion as a sentence.
pub fn sentence(audit: &Audit) -> String {
    let Audit {
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
    /// The audit as a badge.
    pub fn check(&self, scenario: Scenario) -> Check {
        let terms = scenario.terms();
        let figure = match &self.counts {
            Some(counts) => format!(
                "{} of {} {}",
                counts.stored, counts.acknowledged, terms.found
            ),
            None => format!("not {}", terms.found),
        };
        let make = match (self.passed, &self.counts) {
            (false, _) => Check::bad,
            (true, None) => Check::warn,
            (true, Some(_)) => Check::ok,
        };
        make("audit", "Audit", figure, self.sentence.clone())
    }

    /// Counts and further conditions: the first that does not hold is the sentence.
    fn of(counts: Option<Audit>, broken: Option<String>, good: String, stats: Value) -> Self {
        let passed = broken.is_none();
        Self {
            counts: counts.map(|counts| Audit { passed, ..counts }),
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
        assert!(sentence(&Audit::judge(5, 0, 5)).starts_with("All 5"));
        assert!(sentence(&Audit::judge(5, 2, 6)).contains("2 were sent"));
        assert!(sentence(&Audit::judge(5, 0, 3)).contains("2 of 5 acknowledged events are not"));
        assert!(sentence(&Audit::judge(5, 1, 9)).contains("9 events are stored"));
    }
}
