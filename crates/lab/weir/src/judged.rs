//! From what was measured to what is known of a run: figures, phases, checks, validity.
//!
//! [`judge`] is a pure function of what was measured; [`Judged::store`] writes its outcome.

use std::time::Duration;

use anyhow::Result;
use lab_bench::allowance::Allowance;
use lab_contract::audit::Audited;
use lab_contract::verify::Finding;
use lab_model::scenario::Scenario;
use metrics_db::{Check, Performance, Phase, ResourceSample, Store, phase_usage};

use crate::summary::Summary;
use crate::validity::{self, Evidence};

/// How long the sample at the end of the last phase may take to arrive.
const BOUNDARY_LIMIT: Duration = Duration::from_secs(2);

/// All that was measured of a run.
pub struct Measured<'a> {
    /// What the generator left.
    pub summary: &'a Summary,
    /// What the sampler stored.
    pub samples: &'a [ResourceSample],
    /// Phases are bounded by time.
    pub timed: bool,
    /// In seconds from the start of the first phase, as the sampler was told.
    pub boundaries: &'a [f64],
    /// CPUs of each part.
    pub allowance: Allowance,
    /// The target is on this machine and should have been sampled.
    pub sampled: bool,
    /// The services are debug builds.
    pub debug_build: bool,
    /// Of the contract check; empty where there was none.
    pub findings: &'a [Finding],
    /// What was measured.
    pub scenario: Scenario,
    /// None where nobody could compare what was counted.
    pub audit: Option<&'a Audited>,
}

/// What is known of a run.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Figures over the run.
    pub performance: Performance,
    /// Figures of each phase, with the resources that it took.
    pub phases: Vec<Phase>,
    /// Every check with its figure.
    pub checks: Vec<Check>,
    /// Whether the run is valid; none for a smoke run that works, which has measured nothing to judge.
    pub valid: Option<bool>,
    /// Why the run takes part in no ranking; empty where it does.
    pub invalid_reasons: Vec<String>,
}

/// The samples of a run; of a timed one, those of its last boundary are waited for: the sampler writes once a second.
///
/// # Errors
/// The metrics database cannot be read.
pub async fn samples(
    store: &Store,
    run: i64,
    timed: bool,
    boundaries: &[f64],
) -> Result<Vec<ResourceSample>> {
    if !timed {
        return Ok(Vec::new());
    }
    if let Some(last) = boundaries.len().checked_sub(1) {
        let last = i32::try_from(last).unwrap_or(i32::MAX);
        store.await_boundary(run, last, BOUNDARY_LIMIT).await?;
    }
    Ok(store.samples(run).await?)
}

/// Figures, checks and validity of what was measured.
#[must_use]
pub fn judge(measured: &Measured<'_>) -> Judged {
    let summary = measured.summary;
    let performance = summary.performance();
    let usage = if measured.timed {
        phase_usage(measured.samples, measured.boundaries)
    } else {
        Vec::new()
    };
    let mut phases = summary.phases();
    for (phase, usage) in phases.iter_mut().zip(&usage) {
        usage.apply(phase);
    }
    let crossed = summary.crossed_thresholds();
    let evidence = Evidence {
        timed: measured.timed,
        performance: &performance,
        phases: &phases,
        usage: &usage,
        allowance: measured.allowance,
        begun_late_p99: summary.begun_late_p99(),
        crossed: &crossed,
        sampled: measured.sampled,
    };
    let mut checks = vec![contract(measured.findings), audited(measured)];
    if measured.debug_build {
        let detail = "The services are debug builds, whose figures mean nothing.";
        let make = if measured.timed {
            Check::bad
        } else {
            Check::warn
        };
        checks.push(make("build", "Build", "debug", detail));
    }
    checks.extend(validity::checks(&evidence));
    let (valid, invalid_reasons) = validity::verdict(&checks);
    Judged {
        performance,
        phases,
        checks,
        valid: (measured.timed || !valid).then_some(valid),
        invalid_reasons,
    }
}

impl Judged {
    /// Stores it as that of a run.
    ///
    /// # Errors
    /// The metrics database refuses.
    pub async fn store(&self, store: &Store, run: i64) -> Result<()> {
        store.put_performance(run, &self.performance).await?;
        store.put_phases(run, &self.phases).await?;
        store.set_checks(run, &self.checks).await?;
        if let Some(valid) = self.valid {
            store
                .set_validity(run, valid, &self.invalid_reasons)
                .await?;
        }
        Ok(())
    }
}

fn contract(findings: &[Finding]) -> Check {
    if findings.is_empty() {
        let detail = "The contract was not checked before this run.";
        return Check::warn("contract", "Contract", "not checked", detail);
    }
    let passed = findings.iter().filter(|f| f.passed).count();
    let figure = format!("{passed} of {}", findings.len());
    let detail = format!(
        "The target passed {passed} of {} cases before it was measured.",
        findings.len()
    );
    let make = if passed == findings.len() {
        Check::ok
    } else {
        Check::bad
    };
    make("contract", "Contract", figure, detail)
}

fn audited(measured: &Measured<'_>) -> Check {
    measured.audit.map_or_else(
        || {
            let detail = "Nobody compared what the generator counted with what the target did.";
            Check::bad("audit", "Audit", "not made", detail)
        },
        |audit| badge(audit, measured.scenario),
    )
}

/// An audit as a badge.
fn badge(audit: &Audited, scenario: Scenario) -> Check {
    let terms = scenario.terms();
    let figure = match &audit.counts {
        Some(counts) => format!(
            "{} of {} {}",
            counts.stored, counts.acknowledged, terms.found
        ),
        None if scenario == Scenario::Own => "not audited".to_owned(),
        None => format!("not {}", terms.found),
    };
    let make = match (audit.passed, &audit.counts) {
        (false, _) => Check::bad,
        (true, None) => Check::warn,
        (true, Some(_)) => Check::ok,
    };
    make("audit", "Audit", figure, audit.sentence.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMOKE: &str = include_str!("../tests/data/k6-rest-smoke.json");
    const FULL: &str = include_str!("../tests/data/k6-rest-full.json");

    fn measured<'a>(summary: &'a Summary, timed: bool, audit: Option<&'a Audited>) -> Measured<'a> {
        Measured {
            summary,
            samples: &[],
            timed,
            boundaries: &[0.0],
            allowance: Allowance {
                generator: 2.0,
                database: 2.0,
                host: 2.0,
            },
            sampled: true,
            debug_build: false,
            findings: &[],
            scenario: Scenario::Ingest,
            audit,
        }
    }

    #[test]
    fn a_run_is_judged_by_what_was_measured_alone() {
        let passed = Audited {
            counts: None,
            passed: true,
            sentence: "All are there.".into(),
            stats: None,
        };
        let smoke = Summary::parse(SMOKE).unwrap();
        let judged = judge(&measured(&smoke, false, Some(&passed)));
        assert_eq!(judged.valid, None, "{:?}", judged.invalid_reasons);
        assert_eq!(judged.performance.successful_requests, 5);

        let unaudited = judge(&measured(&smoke, false, None));
        assert_eq!(unaudited.valid, Some(false));
        assert!(unaudited.checks.iter().any(|check| check.id == "audit"));

        // Nothing was sampled: it is not known whether the generator was the limit.
        let full = Summary::parse(FULL).unwrap();
        let blind = judge(&measured(&full, true, Some(&passed)));
        assert_eq!(blind.valid, Some(false));
        assert_eq!(blind.phases.len(), 4);
        let debug = judge(&Measured {
            debug_build: true,
            ..measured(&full, true, Some(&passed))
        });
        assert_eq!(debug.invalid_reasons.len(), blind.invalid_reasons.len() + 1);
    }
}
