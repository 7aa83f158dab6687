//! The open loop: requests at their times, whatever the answers do.

use std::time::Duration;

use load_engine::plan::Timing;
use load_engine::protocol::Protocol;
use load_engine::requests::plan::Plan;

use crate::load::{plan, run};
use crate::seen::Treatment;
use crate::{grpc_server, http_server};

fn at_rate(plan: Plan, rate: f64) -> Plan {
    Plan {
        rate: Some(rate),
        timing: Timing {
            threads: 1,
            warmup: Duration::from_millis(200),
            duration: Duration::from_secs(1),
        },
        ..plan
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_come_at_the_rate_asked_for() {
    let (rest, _) = http_server::start(|_| Treatment::Store).await;
    let (grpc, _) = grpc_server::start(|_| Treatment::Store).await;
    for (protocol, address) in [(Protocol::Rest, rest), (Protocol::Grpc, grpc)] {
        let outcome = run(at_rate(plan(protocol, address), 200.0)).await;
        assert_eq!(outcome.intended, Some(200), "{protocol:?}");
        assert_eq!(outcome.missed(), 0);
        assert_eq!(outcome.tally.measured.acknowledged, 200);
        // Those of the warm-up are in the counts for the audit.
        assert_eq!(outcome.tally.whole.acknowledged, 240);
        assert_eq!(outcome.tally.from_intended.len(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_too_slow_shows_in_the_latency_from_the_intended_time() {
    // 12 in flight at 50 ms each: 240 a second at most, and 400 are due.
    let slow = |_| Treatment::StoreAfter(Duration::from_millis(50));
    let (address, _) = http_server::start(slow).await;
    let outcome = run(at_rate(plan(Protocol::Rest, address), 400.0)).await;
    let from_send = outcome.tally.histogram.value_at_quantile(0.9);
    let from_intended = outcome.tally.from_intended.value_at_quantile(0.9);
    assert!(from_send < 150_000, "{from_send}");
    assert!(from_intended > from_send + 150_000, "{from_intended}");
    assert!(outcome.missed() > 50, "{}", outcome.missed());
    let counted = outcome.requests() + outcome.missed();
    assert_eq!(Some(counted), outcome.intended);
}
