//! What makes the load of a run: which generator can, and which one does.

use crate::error::RequestError;
use crate::modes::Mode;
use crate::scenario::Scenario;
use crate::targets::{Grpc, Protocol, Target};

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
            (Self::Benchmark, _) if reconnects => Some(format!(
                "target {} opens a connection for every call, which k6 alone does",
                target.name
            )),
            (Self::K6, _) if target.batch.is_some() => Some(format!(
                "target {} takes several events a request, which benchmark alone sends",
                target.name
            )),
            // The streams that it measures are live: it inserts into the database that the target reads.
            (Self::Benchmark, Scenario::Stream) if target.null => Some(format!(
                "target {} reads no database, into which benchmark inserts transactions",
                target.name
            )),
            _ => None,
        }
    }
}

/// What makes the load of this target: what was asked for, else what the target names, else what the mode names where that
/// can do it, else k6.
///
/// # Errors
/// What was asked for cannot make its load.
pub fn choose(asked: Option<Driver>, target: &Target, mode: &Mode) -> Result<Driver, RequestError> {
    if mode.scenario.is_some() {
        // What its criteria are about.
        return match (asked, Driver::Benchmark.refuses(target)) {
            (Some(Driver::K6), _) => Err(RequestError(
                "--driver k6: benchmark makes the load of this mode: leave it out".into(),
            )),
            (_, Some(why)) => Err(RequestError(why)),
            (_, None) => Ok(Driver::Benchmark),
        };
    }
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
    if Driver::K6.refuses(target).is_some() {
        return Ok(Driver::Benchmark);
    }
    Ok(of_mode.unwrap_or(Driver::K6))
}

/// k6's submetric that holds the latencies of a phase's successes.
pub fn latency_metric(protocol: Protocol, scenario: &str) -> String {
    match protocol {
        Protocol::Rest => {
            format!("http_req_duration{{scenario:{scenario},expected_response:true}}")
        }
        Protocol::Grpc => format!("grpc_req_duration{{scenario:{scenario},status:0}}"),
    }
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
        for target in ["stream-sse", "event-log-chain", "producer-rest-tls"] {
            let driver = of("saturation", target, None).unwrap();
            assert_eq!(driver, Driver::Benchmark, "{target}");
        }
        assert_eq!(
            of("saturation", "producer-grpc-reconnect", None).unwrap(),
            Driver::K6
        );
        assert_eq!(
            of("compare", "producer-rest", benchmark).unwrap(),
            Driver::Benchmark
        );
        let bulk = of("compare", "producer-rest-bulk-10", None).unwrap();
        assert_eq!(bulk, Driver::Benchmark);
        assert!(of("compare", "producer-rest-bulk-10", Some(Driver::K6)).is_err());
        assert_eq!(of("low", "stream-sse", None).unwrap(), Driver::Benchmark);
        assert!(of("low", "stream-sse", Some(Driver::K6)).is_err());
        let error = of("low", "null-stream-sse", None).unwrap_err().to_string();
        assert!(error.contains("reads no database"), "{error}");
        let error = of("full", "producer-grpc-reconnect", benchmark)
            .unwrap_err()
            .to_string();
        assert!(error.contains("a connection for every call"), "{error}");
    }
}
