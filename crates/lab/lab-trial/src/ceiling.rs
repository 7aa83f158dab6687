//! What a generator reaches at most on this machine: the busiest phase that it had with a target that does nothing.

use lab_model::bounds;
use lab_model::driver::Driver;
use lab_model::targets::Target;
use metrics_db::{Check, CheckStatus, Phase, Result, RunFilter, RunStatus, Store};
use serde_json::Value;

/// The mode whose runs say what ceilings are.
pub const MODE: &str = lab_model::modes::CALIBRATE;

/// Requests a second that the generator of a target reached on a null target of the same scenario, protocol and payload, with
/// the same build on the same machine; none where that was not measured.
pub async fn of(
    store: &Store,
    environment: &Value,
    driver: Driver,
    target: &Target,
    payload: &str,
) -> Result<Option<f64>> {
    let filter = RunFilter {
        mode: Some(MODE.into()),
        payload: Some(payload.into()),
        status: Some(RunStatus::Completed),
        ..RunFilter::default()
    };
    let mut highest: Option<f64> = None;
    for run in store.runs(&filter).await? {
        let like = run.driver == driver.as_str()
            && run.scenario == target.scenario.as_str()
            && run.protocol == target.protocol.as_str();
        let Some(session) = run.session_id.as_ref().filter(|_| like) else {
            continue;
        };
        let Some(session) = store.session(session).await? else {
            continue;
        };
        if generator(&session.environment, driver) != generator(environment, driver) {
            continue;
        }
        let phases = store.phases(run.id).await?;
        highest = highest.into_iter().chain(busiest(&phases)).reduce(f64::max);
    }
    Ok(highest)
}

/// What makes two ceilings comparable: the machine, and the build of the generator.
fn generator(environment: &Value, driver: Driver) -> [Option<&Value>; 2] {
    let build = match driver {
        Driver::K6 => "/lab/k6",
        Driver::Benchmark => "/lab/benchmark",
    };
    [environment.pointer("/machine"), environment.pointer(build)]
}

/// Requests a second of the busiest phase.
pub fn busiest(phases: &[Phase]) -> Option<f64> {
    phases
        .iter()
        .map(|phase| phase.throughput_per_sec)
        .reduce(f64::max)
}

/// Whether a run stays clear of its generator's ceiling. `part` is the part of the load that the busiest of several generators
/// made; 1 where there is one.
pub fn check(phases: &[Phase], ceiling: f64, part: f64) -> Option<Check> {
    let reached = busiest(phases)? * part;
    let share = reached / ceiling;
    let status = if share > bounds::CEILING {
        CheckStatus::Bad
    } else {
        CheckStatus::Ok
    };
    Some(
        Check::new("ceiling", status)
            .measured(share, bounds::CEILING, "share")
            .with("reached_per_sec", reached)
            .with("ceiling_per_sec", ceiling),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn phase(rate: f64) -> Phase {
        Phase {
            throughput_per_sec: rate,
            ..Phase::default()
        }
    }

    #[test]
    fn a_run_above_seventy_percent_of_the_ceiling_is_not_ranked() {
        let phases = [phase(100.0), phase(700.0)];
        let status = |ceiling| check(&phases, ceiling, 1.0).unwrap().status;
        assert_eq!(status(1000.0), CheckStatus::Ok);
        assert_eq!(status(999.0), CheckStatus::Bad);
        assert!(check(&[], 1000.0, 1.0).is_none());
        assert_eq!(check(&phases, 500.0, 0.5).unwrap().status, CheckStatus::Ok);
    }

    #[test]
    fn a_ceiling_is_that_of_a_machine_and_a_build() {
        let environment = |cores: u32, sha: &str| json!({"machine": {"cores": cores}, "lab": {"k6": "1.1", "benchmark": {"binary_sha256": sha}}});
        let (one, other) = (environment(2, "a"), environment(2, "b"));
        let same = |driver| generator(&one, driver) == generator(&other, driver);
        assert!(same(Driver::K6) && !same(Driver::Benchmark));
        assert_ne!(
            generator(&one, Driver::K6),
            generator(&environment(4, "a"), Driver::K6)
        );
    }
}
