//! What makes the load of a run: which generator can, and which one does.

use crate::error::RequestError;
use crate::modes::Mode;
use crate::scenario::Scenario;
use crate::targets::{Grpc, Target};

pub use crate::generator::Driver;

impl Driver {
    /// Why it cannot make the load of a target; none where it can.
    #[must_use]
    pub fn refuses(self, target: &Target) -> Option<String> {
        let reconnects = matches!(
            &target.grpc,
            Some(Grpc {
                reconnect: true,
                ..
            })
        );
        match (self, target.scenario) {
            (Self::K6, _) => None,
            (Self::Benchmark, _) if target.tls || is_secure(target) => Some(format!(
                "target {} serves over TLS, which k6 measures in sessions",
                target.name
            )),
            (Self::Benchmark, _) if reconnects => Some(format!(
                "target {} opens a connection for every call, which k6 alone does",
                target.name
            )),
            (Self::Benchmark, Scenario::Ingest | Scenario::Balance) => None,
            (Self::Benchmark, scenario) => Some(format!(
                "the scenario '{scenario}' of target {} is measured by k6 in sessions; `benchmark` measures it alone",
                target.name
            )),
        }
    }
}

/// What makes the load of this target: what was asked for, else what the target names, else what the mode names where that
/// can do it, else k6.
///
/// # Errors
/// What was asked for cannot make its load.
pub fn choose(asked: Option<Driver>, target: &Target, mode: &Mode) -> Result<Driver, RequestError> {
    let named = asked.or(target.generator);
    if let Some(driver) = named {
        return match driver.refuses(target) {
            None => Ok(driver),
            Some(why) => Err(RequestError(format!("--driver {}: {why}", driver.as_str()))),
        };
    }
    // What a mode proposes is no demand.
    let of_mode = mode
        .driver
        .filter(|driver| driver.refuses(target).is_none());
    Ok(of_mode.unwrap_or(Driver::K6))
}

fn is_secure(target: &Target) -> bool {
    target
        .url
        .as_ref()
        .is_some_and(|url| url.starts_with("https:"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::modes::Modes;
    use crate::targets::Targets;

    #[test]
    fn saturation_takes_benchmark_where_it_can_and_the_other_modes_k6() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let (modes, targets) = (Modes::load(&root).unwrap(), Targets::load(&root).unwrap());
        let of = |mode: &str, target: &str, asked| {
            choose(
                asked,
                targets.get(target).unwrap(),
                modes.get(mode).unwrap(),
            )
        };
        for mode in ["smoke", "full", "compare"] {
            assert_eq!(
                of(mode, "producer-rest", None).unwrap(),
                Driver::K6,
                "{mode}"
            );
        }
        let benchmark = Some(Driver::Benchmark);
        assert_eq!(
            of("saturation", "producer-grpc", None).unwrap(),
            Driver::Benchmark
        );
        assert_eq!(
            of("saturation", "balance-rest", None).unwrap(),
            Driver::Benchmark
        );
        assert_eq!(
            of("saturation", "producer-rest", Some(Driver::K6)).unwrap(),
            Driver::K6
        );
        assert_eq!(of("saturation", "stream-sse", None).unwrap(), Driver::K6);
        assert_eq!(
            of("saturation", "producer-grpc-reconnect", None).unwrap(),
            Driver::K6
        );
        assert_eq!(
            of("compare", "producer-rest", benchmark).unwrap(),
            Driver::Benchmark
        );
        let error = of("compare", "stream-sse", benchmark)
            .unwrap_err()
            .to_string();
        assert!(error.contains("'stream' of target stream-sse"), "{error}");
        let error = of("full", "producer-grpc-reconnect", benchmark)
            .unwrap_err()
            .to_string();
        assert!(error.contains("a connection for every call"), "{error}");
    }
}
