//! From what was measured to what is known of a run: figures, phases, checks, validity.
//!
//! [`judge`] is a pure function of what was measured; [`Judged::store`] writes its outcome.

use std::time::Duration;

use anyhow::Result;
use lab_bench::allowance::Allowance;
use lab_contract::audit::Audited;
use lab_contract::verify::Finding;
use metrics_db::{Check, CheckStatus, Performance, Phase, ResourceSample, Store, phase_usage};

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
    /// Ids of the checks because of which the run takes part in no ranking; empty where it does.
    pub failed_checks: Vec<String>,
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
        let status = if measured.timed {
            CheckStatus::Bad
        } else {
            CheckStatus::Warn
        };
        checks.push(Check::new("build", status).with("profile", "debug"));
    }
    checks.extend(validity::checks(&evidence));
    let (valid, failed_checks) = validity::verdict(&checks);
    Judged {
        performance,
        phases,
        checks,
        valid: (measured.timed || !valid).then_some(valid),
        failed_checks,
    }
}

impl Judged {
    /// What a check found, as a sentence; none where it was not made.
    pub fn words(&self, id: &str) -> Option<String> {
        let check = self.checks.iter().find(|check| check.id == id)?;
        Some(lab_report::checks::words(check).detail)
    }

    /// Why the run takes part in no ranking, a sentence each; empty where it does.
    pub fn reasons(&self) -> Vec<String> {
        self.failed_checks
            .iter()
            .filter_map(|id| self.words(id))
            .collect()
    }

    /// Stores it as that of a run.
    ///
    /// # Errors
    /// The metrics database refuses.
    pub async fn store(&self, store: &Store, run: i64) -> Result<()> {
        store.put_performance(run, &self.performance).await?;
        store.put_phases(run, &self.phases).await?;
        store.set_checks(run, &self.checks).await?;
        if let Some(valid) = self.valid {
            store.set_validity(run, valid, &self.failed_checks).await?;
        }
        Ok(())
    }
}

fn contract(findings: &[Finding]) -> Check {
    let (cases, passed) = (findings.len(), findings.iter().filter(|f| f.passed).count());
    let status = match (cases, passed) {
        (0, _) => CheckStatus::Warn,
        (cases, passed) if passed == cases => CheckStatus::Ok,
        _ => CheckStatus::Bad,
    };
    Check::new("contract", status)
        .with("passed", passed)
        .with("cases", cases)
}

/// An audit as a check; one that nobody made is as bad as one that failed.
fn audited(measured: &Measured<'_>) -> Check {
    let Some(audit) = measured.audit else {
        return Check::bad("audit");
    };
    let status = match (audit.passed, &audit.counts) {
        (false, _) => CheckStatus::Bad,
        (true, None) => CheckStatus::Warn,
        (true, Some(_)) => CheckStatus::Ok,
    };
    Check {
        context: audit.facts.clone(),
        ..Check::new("audit", status)
    }
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
            audit,
        }
    }

    #[test]
    fn a_run_is_judged_by_what_was_measured_alone() {
        let passed = Audited {
            counts: None,
            passed: true,
            facts: serde_json::Map::new(),
            stats: None,
        };
        let smoke = Summary::parse(SMOKE).unwrap();
        let judged = judge(&measured(&smoke, false, Some(&passed)));
        assert_eq!(judged.valid, None, "{:?}", judged.failed_checks);
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
        assert_eq!(debug.failed_checks.len(), blind.failed_checks.len() + 1);
    }
}
