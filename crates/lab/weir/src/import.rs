//! From k6's summary and the stored samples to the rows of a run: figures, phases, checks, validity.

mod command;

use std::time::Duration;

use anyhow::Result;
use lab_contract::audit::Audited;
use lab_contract::verify::Finding;
use lab_model::scenario::Scenario;
use metrics_db::{Check, Performance, Store, phase_usage};

use crate::summary::Summary;
use crate::validity::{self, Allowance, Evidence};

pub use command::{ImportArgs, run};

/// What is known of a run beside its summary and its samples.
pub struct Facts<'a> {
    /// Phases are bounded by time.
    pub timed: bool,
    /// In seconds from the start of the first phase, as the sampler was told.
    pub boundaries: Vec<f64>,
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

/// How long the sample at the end of the last phase may take to arrive.
const BOUNDARY_LIMIT: Duration = Duration::from_secs(2);

/// What was stored.
pub struct Imported {
    /// Figures over the run.
    pub performance: Performance,
    /// Why the run takes part in no ranking; empty where it does.
    pub invalid_reasons: Vec<String>,
}

/// Stores figures, phases, checks and validity of a run.
pub async fn import(
    store: &Store,
    run: i64,
    summary: &Summary,
    facts: &Facts<'_>,
) -> Result<Imported> {
    let performance = summary.performance();
    let usage = if facts.timed {
        if let Some(last) = facts.boundaries.len().checked_sub(1) {
            // The sidecar writes once a second: the last sample may be on its way.
            let last = i32::try_from(last).unwrap_or(i32::MAX);
            store.await_boundary(run, last, BOUNDARY_LIMIT).await?;
        }
        phase_usage(&store.samples(run).await?, &facts.boundaries)
    } else {
        Vec::new()
    };
    let mut phases = summary.phases();
    for (phase, usage) in phases.iter_mut().zip(&usage) {
        usage.apply(phase);
    }
    store.put_performance(run, &performance).await?;
    store.put_phases(run, &phases).await?;

    let crossed = summary.crossed_thresholds();
    let evidence = Evidence {
        timed: facts.timed,
        performance: &performance,
        phases: &phases,
        usage: &usage,
        allowance: facts.allowance,
        begun_late_p99: summary.begun_late_p99(),
        crossed: &crossed,
        sampled: facts.sampled,
    };
    let mut checks = vec![contract(facts.findings), audited(facts)];
    if facts.debug_build {
        let detail = "The services are debug builds, whose figures mean nothing.";
        let make = if facts.timed { Check::bad } else { Check::warn };
        checks.push(make("build", "Build", "debug", detail));
    }
    checks.extend(validity::checks(&evidence));
    let (valid, invalid_reasons) = validity::verdict(&checks);
    store.set_checks(run, &checks).await?;
    // A smoke run that works is neither valid nor invalid: it has measured nothing to judge.
    if facts.timed || !valid {
        store.set_validity(run, valid, &invalid_reasons).await?;
    }
    Ok(Imported {
        performance,
        invalid_reasons,
    })
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

fn audited(facts: &Facts<'_>) -> Check {
    facts.audit.map_or_else(
        || {
            let detail = "Nobody compared what the generator counted with what the target did.";
            Check::bad("audit", "Audit", "not made", detail)
        },
        |audit| badge(audit, facts.scenario),
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
        None => format!("not {}", terms.found),
    };
    let make = match (audit.passed, &audit.counts) {
        (false, _) => Check::bad,
        (true, None) => Check::warn,
        (true, Some(_)) => Check::ok,
    };
    make("audit", "Audit", figure, audit.sentence.clone())
}
