//! How a cell ended, as a row for `--json` and as a line for the user.

use lab_model::scenario::Scenario;
use metrics_db::{Audit, RunStatus};
use serde::Serialize;

use crate::output::thousands;

/// How a cell ended.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    /// Place in the session, from 1.
    pub(crate) order: u32,
    /// Target's name.
    pub(crate) target: String,
    /// Payload's name.
    pub(crate) payload: String,
    /// From 1.
    pub(crate) trial: u32,
    /// Number of the run in the metrics database; none where not even that could be had.
    pub(crate) run: Option<i64>,
    /// How far it came.
    pub(crate) status: RunStatus,
    /// Why it did not complete.
    pub(crate) error: Option<String>,
    /// What was measured.
    pub(crate) figures: Option<Figures>,
}

/// The figures of a measured cell that the user sees at once.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    /// What was measured.
    pub(crate) scenario: Scenario,
    /// True where the mode measures rates; false for smoke.
    pub(crate) timed: bool,
    /// Successes a second: events, balances, streamed events, records.
    pub(crate) throughput_per_sec: f64,
    /// Milliseconds, of successful requests.
    pub(crate) p95_ms: Option<f64>,
    /// Failed requests.
    pub(crate) errors: i64,
    /// What the generator counted and what was found; none where the service's side is not known.
    pub(crate) audit: Option<Audit>,
    /// Whether the audit passed.
    pub(crate) passed: bool,
    /// What it compared, and how it came out.
    pub(crate) audit_sentence: String,
    /// Why it takes part in no ranking; empty where it does.
    pub(crate) invalid_reasons: Vec<String>,
}

impl Outcome {
    /// Place and name, e.g. `[3/10] producer-rest 4k`.
    pub(crate) fn name(&self, cells: usize) -> String {
        let trial = if self.trial > 1 {
            format!(" trial {}", self.trial)
        } else {
            String::new()
        };
        format!(
            "[{}/{cells}] {} {}{trial}",
            self.order, self.target, self.payload
        )
    }

    /// The cell in a line.
    pub(crate) fn line(&self, cells: usize) -> String {
        let name = self.name(cells);
        let figures = self.figures.as_ref().map(Figures::words);
        match (self.status, figures, &self.error) {
            (RunStatus::Completed, Some(figures), _) => format!("{name}: {figures}"),
            (RunStatus::Aborted, _, _) => format!("{name}: ABORTED, stopped by the user"),
            (_, Some(figures), Some(error)) => format!("{name}: FAILED, {error} ({figures})"),
            (_, _, error) => format!("{name}: FAILED, {}", error.as_deref().unwrap_or("unknown")),
        }
    }
}

impl Figures {
    fn words(&self) -> String {
        let terms = self.scenario.terms();
        let mut words = if self.timed {
            format!("{} {}s/s", thousands(self.throughput_per_sec), terms.unit)
        } else if let Some(audit) = &self.audit {
            let (acknowledged, stored) = (audit.acknowledged, audit.stored);
            format!(
                "{acknowledged} {}s {}, {stored} {}",
                terms.unit, terms.counted, terms.found
            )
        } else {
            format!("{}s {}", terms.unit, terms.counted)
        };
        if let Some(p95) = self.p95_ms {
            words += &format!(", p95 {p95:.1} ms");
        }
        words += &format!(", {} errors", self.errors);
        if self.timed {
            words += match (&self.audit, self.passed) {
                (None, true) if self.scenario == Scenario::Own => ", not audited",
                (_, true) => ", audit passed",
                (_, false) => ", audit FAILED",
            };
        }
        if let Some(first) = self.invalid_reasons.first() {
            words += &format!("; not ranked: {first}");
        }
        words
    }
}
