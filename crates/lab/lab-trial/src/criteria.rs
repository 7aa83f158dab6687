//! What a mode asks of its phases, as checks. One that is missed is a warning: it says something about the target, and nothing
//! against the measurement.

use lab_model::modes::PhaseCriterion;
use metrics_db::{Check, CheckStatus, Phase};

/// A check for each criterion whose phase was measured.
pub fn checks(criteria: &[PhaseCriterion], phases: &[Phase]) -> Vec<Check> {
    let mut all = Vec::new();
    for criterion in criteria {
        let Some(phase) = phases
            .iter()
            .find(|phase| phase.phase_name == criterion.phase)
        else {
            continue;
        };
        if let Some(bound) = criterion.p99_ms {
            let p99 = phase.latency.p99;
            all.push((
                phase,
                "p99",
                format!("under {bound} ms"),
                p99.map_or_else(|| "not measured".into(), |p99| format!("{p99:.2} ms")),
                p99.is_some_and(|p99| p99 < bound),
            ));
        }
        if let Some(bound) = criterion.errors {
            let errors = phase.failed_requests;
            let most = i64::try_from(bound).unwrap_or(i64::MAX);
            all.push((
                phase,
                "errors",
                format!("at most {bound}"),
                errors.to_string(),
                errors <= most && phase.successful_requests > 0,
            ));
        }
    }
    let numbered = all.into_iter().zip(1..);
    let check = |((phase, what, bound, measured, met), number): (
        (&Phase, &str, String, String, bool),
        i32,
    )| {
        let status = if met {
            CheckStatus::Ok
        } else {
            CheckStatus::Warn
        };
        Check::new(&format!("criterion_{number}"), status)
            .with("what", what)
            .with("bound", bound)
            .with("measured", measured)
            .with("phase", phase.phase_name.as_str())
    };
    numbered.map(check).collect()
}

#[cfg(test)]
mod tests {
    use metrics_db::Latency;

    use super::*;

    #[test]
    fn a_criterion_is_met_or_missed_in_its_own_phase() {
        let phase = |name: &str, p99: f64, failed: i64| Phase {
            phase_name: name.into(),
            latency: Latency {
                p99: Some(p99),
                ..Latency::default()
            },
            successful_requests: 10,
            failed_requests: failed,
            ..Phase::default()
        };
        let criteria = [
            PhaseCriterion {
                phase: "50".into(),
                p99_ms: Some(100.0),
                errors: None,
            },
            PhaseCriterion {
                phase: "100".into(),
                p99_ms: None,
                errors: Some(0),
            },
        ];
        let status = |phases: &[Phase]| {
            let checks = checks(&criteria, phases);
            checks.iter().map(|check| check.status).collect::<Vec<_>>()
        };
        let good = [phase("50", 99.0, 3), phase("100", 500.0, 0)];
        assert_eq!(status(&good), [CheckStatus::Ok, CheckStatus::Ok]);
        let bad = [phase("50", 100.0, 0), phase("100", 1.0, 1)];
        assert_eq!(status(&bad), [CheckStatus::Warn, CheckStatus::Warn]);
        assert_eq!(status(&good[..1]), [CheckStatus::Ok]);
    }
}
