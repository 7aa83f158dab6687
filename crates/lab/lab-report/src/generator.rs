//! Was the generator the limit? Judged per phase, from CPU counters.
//!
//! Two ways to be the limit: the generator used up its own allowance, or it shared the machine's cores with
//! the service and the database, the cores were all busy, and most of that was the generator's own work.
//! In both cases a faster service would hardly have shown a higher rate.

use metrics_db::Phase;
use serde_json::Value;

pub use lab_model::bounds::{BUSY_HOST_CPU as MACHINE_BOUND, GENERATOR_CPU as ALLOWANCE_BOUND};

/// The cores that the generator may use, and those of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cores {
    /// Limit of the generator's container; the machine's cores where it has none.
    pub generator: Option<f64>,
    /// All cores of the machine.
    pub machine: Option<f64>,
}

/// What the generator did in a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GeneratorUse {
    /// Share of its allowance, 0 to 1; none where it was not sampled.
    pub share: Option<f64>,
    /// It was the limit.
    pub limited: bool,
}

/// Reads the cores from a session's environment, for a run of this driver.
pub fn cores(environment: &Value, driver: &str) -> Cores {
    let number = |path| {
        environment
            .pointer(path)
            .and_then(number_of)
            .filter(|n| *n > 0.0)
    };
    if let Some(several) = of_several(environment) {
        // They are elsewhere: what this machine has is not theirs to use.
        return Cores {
            generator: Some(several),
            machine: None,
        };
    }
    let machine = number("/machine/cores");
    let own = match driver {
        // A thread uses one core at most.
        "benchmark" => number("/lab/benchmark/threads"),
        _ => number("/lab/limits/generator/cpus"),
    };
    let generator = match (own, machine) {
        (Some(own), Some(machine)) => Some(own.min(machine)),
        _ => own.or(machine),
    };
    Cores { generator, machine }
}

/// The threads of several generators together; none where one makes the load.
fn of_several(environment: &Value) -> Option<f64> {
    let each = environment
        .pointer("/lab/generators/generator")?
        .as_array()?;
    let usual = environment
        .pointer("/lab/benchmark/threads")
        .and_then(number_of);
    let threads = |one: &Value| one.get("threads").and_then(number_of).or(usual);
    each.iter().map(threads).sum()
}

/// Numbers come as such or, from compose files, as text.
fn number_of(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// Judges a phase.
pub fn judge(phase: &Phase, cores: Cores) -> GeneratorUse {
    let Some(used) = phase.generator_cpu_seconds else {
        return GeneratorUse::default();
    };
    if phase.duration_seconds <= 0.0 {
        return GeneratorUse::default();
    }
    let busy_cores = used / phase.duration_seconds;
    let share = cores.generator.map(|allowance| busy_cores / allowance);
    let own_limit = share.is_some_and(|share| share >= ALLOWANCE_BOUND);
    let others =
        phase.target_cpu_seconds.unwrap_or(0.0) + phase.database_cpu_seconds.unwrap_or(0.0);
    let machine_full = cores
        .machine
        .is_some_and(|all| (used + others) / phase.duration_seconds / all >= MACHINE_BOUND);
    GeneratorUse {
        share,
        limited: own_limit || (machine_full && used > others),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn phase(generator: f64, target: f64, database: f64) -> Phase {
        Phase {
            duration_seconds: 10.0,
            generator_cpu_seconds: Some(generator),
            target_cpu_seconds: Some(target),
            database_cpu_seconds: Some(database),
            ..Phase::default()
        }
    }

    #[test]
    fn several_generators_have_the_threads_of_all() {
        let environment = json!({
            "machine": {"cores": 2},
            "lab": {
                "benchmark": {"threads": 1},
                "generators": {"generator": [{"name": "a"}, {"name": "b", "threads": 3}]},
            },
        });
        let found = cores(&environment, "benchmark");
        assert_eq!((found.generator, found.machine), (Some(4.0), None));
    }

    #[test]
    fn limited_by_its_allowance_or_by_a_machine_that_it_fills() {
        let two = Cores {
            generator: Some(2.0),
            machine: Some(8.0),
        };
        let shared = Cores {
            generator: Some(2.0),
            machine: Some(2.0),
        };
        let table = [
            ("half of its allowance", phase(10.0, 8.0, 9.0), two, false),
            ("all of its allowance", phase(18.0, 8.0, 9.0), two, true),
            (
                "machine full, mostly generator",
                phase(11.0, 4.0, 4.0),
                shared,
                true,
            ),
            (
                "machine full, mostly service",
                phase(5.0, 9.0, 5.0),
                shared,
                false,
            ),
            ("machine idle", phase(2.0, 0.5, 0.5), shared, false),
            (
                "nothing known of the cores",
                phase(18.0, 1.0, 1.0),
                Cores::default(),
                false,
            ),
        ];
        for (name, phase, cores, limited) in table {
            assert_eq!(judge(&phase, cores).limited, limited, "{name}");
        }
        assert_eq!(judge(&Phase::default(), two), GeneratorUse::default());
    }

    #[test]
    fn cores_are_read_from_numbers_and_text() {
        let machine = json!({"cores": 8});
        let limited = cores(
            &json!({"machine": machine, "lab": {"limits": {"generator": {"cpus": "2.0"}}}}),
            "k6",
        );
        assert_eq!(
            limited,
            Cores {
                generator: Some(2.0),
                machine: Some(8.0)
            }
        );
        let beyond = cores(
            &json!({"machine": {"cores": 1}, "lab": {"limits": {"generator": {"cpus": 2}}}}),
            "k6",
        );
        assert_eq!(
            beyond,
            Cores {
                generator: Some(1.0),
                machine: Some(1.0)
            }
        );
        let bare = cores(&json!({"machine": machine}), "k6");
        assert_eq!(
            bare,
            Cores {
                generator: Some(8.0),
                machine: Some(8.0)
            }
        );
        assert_eq!(cores(&json!({}), "k6"), Cores::default());
        let both = json!({"machine": {"cores": 4}, "lab": {"benchmark": {"threads": 2}}});
        assert_eq!(cores(&both, "benchmark").generator, Some(2.0));
        assert_eq!(cores(&both, "k6").generator, Some(4.0));
    }
}
