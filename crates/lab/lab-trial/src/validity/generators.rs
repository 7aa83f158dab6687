//! Checks of several generators: the worst of them stands for all, since a load of which a part is not what was asked for is
//! another load.

use lab_model::bounds;
use metrics_db::{Check, CheckStatus};

use crate::generated::Health;

/// The CPU of the busiest one; none where there is no generator but the one that is sampled.
pub(super) fn busiest(generators: &[Health], phases: usize) -> Option<Check> {
    let one = worst(generators, |one| one.cpu_share)?;
    Some(
        Check::new(
            "generator_cpu",
            bad_above(one.cpu_share, bounds::GENERATOR_CPU),
        )
        .measured(one.cpu_share, bounds::GENERATOR_CPU, "share")
        .with("generator", one.name.as_str())
        .with("cpus", one.threads)
        .with("phase", one.phase)
        .with("over", one.over)
        .with("phases", phases),
    )
}

/// Whether each of them sent what was due, and began when the others did.
pub(super) fn checks(generators: &[Health]) -> Vec<Check> {
    let missing = worst(generators, missed).map(|one| {
        let share = missed(one);
        Check::new("generator_missed", bad_above(share, bounds::DROPPED))
            .measured(share, bounds::DROPPED, "share")
            .with("generator", one.name.as_str())
            .with("missed", one.missed)
            .with("due", one.due)
            .with("generators", generators.len())
    });
    let skewed = worst(generators, skew).map(|one| {
        let skew = skew(one);
        Check::new("clock_skew", bad_above(skew, one.max_skew_ms))
            .measured(skew, one.max_skew_ms, "ms")
            .with("generator", one.name.as_str())
            .with("offset_ms", one.offset_ms)
            .with("within_ms", one.within_ms)
    });
    missing.into_iter().chain(skewed).collect()
}

fn missed(one: &Health) -> f64 {
    match one.due {
        0 => 0.0,
        due => one.missed as f64 / due as f64,
    }
}

fn skew(one: &Health) -> f64 {
    one.offset_ms.abs() + one.within_ms
}

fn worst(generators: &[Health], of: fn(&Health) -> f64) -> Option<&Health> {
    generators
        .iter()
        .max_by(|one, other| of(one).total_cmp(&of(other)))
}

fn bad_above(value: f64, bound: f64) -> CheckStatus {
    if value > bound {
        CheckStatus::Bad
    } else {
        CheckStatus::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy(name: &str) -> Health {
        Health {
            name: name.into(),
            cpu_share: 0.3,
            phase: 1,
            over: 0,
            threads: 1,
            due: 10_000,
            missed: 0,
            per_second: 1000.0,
            offset_ms: -0.4,
            within_ms: 0.1,
            max_skew_ms: 5.0,
        }
    }

    #[test]
    fn one_sick_generator_makes_the_run_invalid_whatever_the_others_do() {
        let well = [healthy("a"), healthy("b"), healthy("c"), healthy("d")];
        let status = |all: &[Health]| {
            let mut checks = checks(all);
            checks.extend(busiest(all, 1));
            let bad = checks
                .iter()
                .filter(|check| check.status == CheckStatus::Bad);
            bad.map(|check| check.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(status(&well), Vec::<String>::new());
        let with = |sick: Health| [well[0].clone(), sick, well[1].clone(), well[2].clone()];
        // Of all requests together 0.05 % are missing, which is within the bound: of its own 0.2 % are.
        let behind = Health {
            missed: 20,
            ..healthy("x")
        };
        assert_eq!(status(&with(behind)), ["generator_missed"]);
        let busy = Health {
            cpu_share: 0.9,
            over: 1,
            ..healthy("x")
        };
        assert_eq!(status(&with(busy)), ["generator_cpu"]);
        let ahead = Health {
            offset_ms: 4.95,
            ..healthy("x")
        };
        assert_eq!(status(&with(ahead)), ["clock_skew"]);
        assert!(checks(&[]).is_empty() && busiest(&[], 1).is_none());
    }
}
