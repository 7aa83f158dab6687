//! From what was measured to what is known of a run: figures, phases, checks, validity.
//!
//! [`judge`] is a pure function of what was measured; [`Judged::store`] writes its outcome.

use std::time::Duration;

use anyhow::Result;
use lab_contract::audit::Audited;
use lab_contract::verify::Finding;
use lab_model::allowance::Allowance;
use lab_model::modes::PhaseCriterion;
use metrics_db::{
    Check, CheckStatus, Performance, Phase, PhaseUsage, ResourceSample, Store, phase_usage,
};

use crate::ceiling;
use crate::criteria;
use crate::generated::Generated;
use crate::validity::{self, Evidence};

/// How long the sample at the end of the last phase may take to arrive.
const BOUNDARY_LIMIT: Duration = Duration::from_secs(2);

/// All that was measured of a run.
pub struct Measured<'a> {
    /// What the generator left.
    pub generated: &'a Generated,
    /// What the sampler stored.
    pub samples: &'a [ResourceSample],
    /// Phases are bounded by time.
    pub timed: bool,
    /// In seconds from the start of the first phase, as the sampler was told.
    pub boundaries: &'a [f64],
    /// Requests a second that the generator reaches at most; none where that is not known.
    pub ceiling: Option<f64>,
    /// A pause lies between two phases, with a boundary at either end.
    pub paused: bool,
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
    /// What the mode asks of its phases.
    pub criteria: &'a [PhaseCriterion],
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
    let generated = measured.generated;
    let performance = generated.performance.clone();
    let usage = usage(measured);
    let mut phases = generated.phases.clone();
    for (phase, usage) in phases.iter_mut().zip(&usage) {
        usage.apply(phase);
    }
    let evidence = Evidence {
        timed: measured.timed,
        performance: &performance,
        phases: &phases,
        usage: &usage,
        allowance: measured.allowance,
        begun_late_p99: generated.begun_late_p99,
        crossed: &generated.crossed,
        sampled: measured.sampled,
        one_in_flight: generated.one_in_flight,
        generators: &generated.generators,
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
    checks.extend(generated.criteria.iter().cloned());
    checks.extend(criteria::checks(measured.criteria, &phases));
    let ceiling = measured.ceiling.filter(|_| measured.timed);
    let part = generated.largest_part();
    checks.extend(ceiling.and_then(|ceiling| ceiling::check(&phases, ceiling, part)));
    let (valid, failed_checks) = validity::verdict(&checks);
    Judged {
        performance,
        phases,
        checks,
        valid: (measured.timed || !valid).then_some(valid),
        failed_checks,
    }
}

/// What each phase used: of the stretches between boundaries every one, or, with pauses, every other.
fn usage(measured: &Measured<'_>) -> Vec<PhaseUsage> {
    if !measured.timed {
        return Vec::new();
    }
    let stretches = phase_usage(measured.samples, measured.boundaries);
    let every = if measured.paused { 2 } else { 1 };
    stretches
        .into_iter()
        .step_by(every)
        .zip(1..)
        .map(|(usage, phase_number)| PhaseUsage {
            phase_number,
            ..usage
        })
        .collect()
}

impl Judged {
    /// What a check found, as a sentence; none where it was not made.
    pub fn words(&self, id: &str) -> Option<String> {
        let check = self.checks.iter().find(|check| check.id == id)?;
        Some(lab_words::checks::words(check).detail)
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
    use crate::summary::Summary;

    const SMOKE: &str = include_str!("../tests/data/k6-rest-smoke.json");
    const FULL: &str = include_str!("../tests/data/k6-rest-full.json");

    fn measured<'a>(
        generated: &'a Generated,
        timed: bool,
        audit: Option<&'a Audited>,
    ) -> Measured<'a> {
        Measured {
            generated,
            samples: &[],
            timed,
            boundaries: &[0.0],
            paused: false,
            ceiling: None,
            allowance: Allowance {
                generator: 2.0,
                database: Some(2.0),
                host: 2.0,
            },
            sampled: true,
            debug_build: false,
            findings: &[],
            audit,
            criteria: &[],
        }
    }

    #[test]
    fn a_pause_between_two_phases_is_part_of_neither() {
        let full = Summary::parse(FULL).unwrap().generated();
        let paused = Measured {
            boundaries: &[0.0, 10.0, 13.0, 23.0],
            paused: true,
            ..measured(&full, true, None)
        };
        let found: Vec<_> = usage(&paused)
            .iter()
            .map(|usage| (usage.phase_number, usage.duration_seconds))
            .collect();
        assert_eq!(found, [(1, 10.0), (2, 10.0)]);
    }

    #[test]
    fn a_run_is_judged_by_what_was_measured_alone() {
        let passed = Audited {
            counts: None,
            passed: true,
            facts: serde_json::Map::new(),
            stats: None,
        };
        let smoke = Summary::parse(SMOKE).unwrap().generated();
        let judged = judge(&measured(&smoke, false, Some(&passed)));
        assert_eq!(judged.valid, None, "{:?}", judged.failed_checks);
        assert_eq!(judged.performance.successful_requests, 5);

        let unaudited = judge(&measured(&smoke, false, None));
        assert_eq!(unaudited.valid, Some(false));
        assert!(unaudited.checks.iter().any(|check| check.id == "audit"));

        // Nothing was sampled: it is not known whether the generator was the limit.
        let full = Summary::parse(FULL).unwrap().generated();
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
