//! Runs inside the test process.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use load_engine::events::EventPlan;
use load_engine::events::attributes::Payload;
use load_engine::events::ledger::SLOTS;
use load_engine::events::template::{key_id, slot_name};
use load_engine::measure::measure;
use load_engine::outcome::LoadOutcome;
use load_engine::plan::{Route, Timing};
use load_engine::progress::Progress;
use load_engine::progress::ProgressMode;
use load_engine::protocol::{Endpoint, Protocol};
use load_engine::requests::outcome::Outcome;
use load_engine::requests::plan::{Pacing, Plan};
use load_engine::requests::start;
use load_engine::stop::Stop;
use load_engine::work::Work;

use crate::seen::{Policy, Shared, Treatment};
use crate::{grpc_server, http_server};

pub(crate) fn plan(protocol: Protocol, address: SocketAddr) -> Plan {
    Plan {
        protocol,
        route: Route {
            endpoint: Endpoint::parse(&format!("http://{address}")).unwrap(),
            connections: if protocol == Protocol::Rest { 12 } else { 3 },
            timeout: Duration::from_secs(5),
        },
        timing: Timing {
            threads: 1,
            warmup: Duration::from_millis(100),
            duration: Duration::from_millis(400),
        },
        concurrency: 12,
        rate: None,
        path: Work::default_path("ingest", protocol).into(),
        work: Work::Ingest(events()),
        pacing: Pacing::default(),
    }
}

fn events() -> EventPlan {
    EventPlan {
        payload: Payload::Default,
        run_id: "it".into(),
        seed: 1,
        keys: None,
        batch: None,
        attributes: Default::default(),
    }
}

async fn serve(protocol: Protocol, policy: Policy) -> (SocketAddr, Shared) {
    match protocol {
        Protocol::Rest => http_server::start(policy).await,
        Protocol::Grpc => grpc_server::start(policy).await,
    }
}

pub(crate) async fn run(plan: Plan) -> Outcome {
    let load = tokio::task::spawn_blocking(move || start(plan, &Stop::never()))
        .await
        .unwrap()
        .unwrap();
    let mut progress = Progress::new(ProgressMode::None);
    measure(load, &mut progress, &Stop::never()).await.unwrap()
}

const BOTH: [Protocol; 2] = [Protocol::Rest, Protocol::Grpc];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_what_the_server_stored() {
    for protocol in BOTH {
        for threads in [1, 2] {
            let (address, seen) = serve(protocol, |_| Treatment::Store).await;
            let mut plan = plan(protocol, address);
            plan.timing.threads = threads;
            let outcome = run(plan).await;
            let whole = outcome.tally.whole;
            assert!(whole.acknowledged > 100, "{protocol:?}: {whole:?}");
            assert_eq!(
                whole.acknowledged as usize,
                seen.get().requests,
                "{protocol:?}"
            );
            assert_eq!(whole.sent(), whole.acknowledged);
            // Each event is a row and marker of its own: an audit finds as many.
            assert_eq!(
                seen.marked("it"),
                whole.acknowledged as usize,
                "{protocol:?}"
            );
            assert!(
                seen.get().rows.len() < whole.acknowledged as usize,
                "no event merged"
            );
            assert_eq!(
                outcome.tally.histogram.len(),
                outcome.tally.measured.acknowledged
            );
            assert!(outcome.tally.measured.acknowledged < whole.acknowledged);
            assert!(!outcome.window.interrupted);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_opened_once_and_as_many_as_planned() {
    for protocol in BOTH {
        let (address, seen) = serve(protocol, |_| Treatment::Store).await;
        let plan = plan(protocol, address);
        let connections = plan.route.connections;
        let outcome = run(plan).await;
        assert_eq!(seen.get().accepted, connections, "{protocol:?}");
        assert_eq!(
            outcome.wire.connections as usize, connections,
            "{protocol:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_counted_by_kind_and_stay_out_of_the_latencies() {
    for (protocol, kind) in [
        (Protocol::Rest, "http 503"),
        (Protocol::Grpc, "grpc UNAVAILABLE"),
    ] {
        let policy: Policy = |number| {
            if number % 5 == 0 {
                Treatment::Refuse
            } else {
                Treatment::Store
            }
        };
        let (address, seen) = serve(protocol, policy).await;
        let outcome = run(plan(protocol, address)).await;
        let seen = seen.get();
        let whole = outcome.tally.whole;
        assert_eq!(whole.failed as usize, seen.refused, "{protocol:?}");
        assert_eq!(whole.acknowledged as usize, seen.stored, "{protocol:?}");
        assert_eq!(outcome.tally.errors_whole[kind], whole.failed);
        assert_eq!(
            outcome.tally.histogram.len(),
            outcome.tally.measured.acknowledged
        );
        // A refusal is an answer: the connection stays.
        assert_eq!(
            outcome.wire.connections as usize,
            outcome.plan.route.connections
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_without_an_answer_are_in_doubt() {
    for protocol in BOTH {
        let policy: Policy = |number| {
            if number % 50 == 0 {
                Treatment::Vanish
            } else {
                Treatment::Store
            }
        };
        let (address, seen) = serve(protocol, policy).await;
        let outcome = run(plan(protocol, address)).await;
        let whole = outcome.tally.whole;
        let seen = seen.get();
        assert!(whole.unanswered > 0, "{protocol:?}");
        assert_eq!(whole.sent() as usize, seen.requests, "{protocol:?}");
        assert_eq!(
            whole.acknowledged + whole.unanswered,
            seen.stored as u64,
            "{protocol:?}"
        );
        assert_eq!(whole.in_doubt(), whole.unanswered);
        if protocol == Protocol::Rest {
            assert_eq!(seen.accepted as u64, outcome.wire.connections);
            assert!(outcome.wire.connections > outcome.plan.route.connections as u64);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_given_up_on() {
    for protocol in BOTH {
        let policy: Policy = |number| match number {
            20 => Treatment::Silent,
            _ => Treatment::StoreAfter(Duration::from_millis(1)),
        };
        let (address, _) = serve(protocol, policy).await;
        let mut plan = plan(protocol, address);
        plan.route.timeout = Duration::from_millis(150);
        let outcome = run(plan).await;
        assert_eq!(outcome.tally.errors_whole["timeout"], 1, "{protocol:?}");
        assert_eq!(outcome.tally.whole.unanswered, 1);
        assert!(outcome.tally.whole.acknowledged > 100);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_percentiles_show_a_slow_server() {
    for protocol in BOTH {
        // 90 % take 10 ms, the rest 100 ms.
        let policy: Policy = |number| {
            Treatment::StoreAfter(Duration::from_millis(if number % 10 == 0 {
                100
            } else {
                10
            }))
        };
        let (address, _) = serve(protocol, policy).await;
        let mut plan = plan(protocol, address);
        plan.timing.duration = Duration::from_millis(1500);
        let outcome = run(plan).await;
        let (p50, p99) = (
            outcome.latency_ms(0.5).unwrap(),
            outcome.latency_ms(0.99).unwrap(),
        );
        assert!((10.0..40.0).contains(&p50), "{protocol:?}: p50 {p50}");
        assert!((100.0..180.0).contains(&p99), "{protocol:?}: p99 {p99}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repeating_keys_are_verified_one_event_at_a_time() {
    for protocol in BOTH {
        let (address, seen) = serve(protocol, |number| {
            if number % 7 == 0 {
                Treatment::Refuse
            } else {
                Treatment::Store
            }
        })
        .await;
        let mut plan = plan(protocol, address);
        plan.work = Work::Ingest(EventPlan {
            keys: Some(5_000),
            ..events()
        });
        plan.timing.threads = 2;
        let outcome = run(plan).await;
        let seen = seen.get();
        let stored = |key: u32| {
            let row = seen.rows.get(&key_id("it", key));
            std::array::from_fn(|slot| {
                assert!(slot < SLOTS as usize);
                let value = row?.get(&slot_name(slot as u32))?;
                value.as_str()?.parse().ok()
            })
        };
        let findings = outcome.ledger.unwrap().audit(stored);
        assert!(findings.clean(), "{protocol:?}: {findings:?}");
        assert_eq!(findings.acknowledged, outcome.tally.whole.acknowledged);
        assert!(findings.verified > 100);
        assert_eq!(findings.verified + findings.covered, findings.acknowledged);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_not_there_is_an_error_that_names_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for protocol in BOTH {
        let error = start(plan(protocol, address), &Stop::never())
            .err()
            .unwrap();
        assert!(
            error.to_string().contains(&address.to_string()),
            "{error:#}"
        );
    }
}

#[test]
fn plans_that_contradict_themselves_are_refused() {
    let address = "127.0.0.1:1".parse().unwrap();
    type Change = fn(&mut Plan);
    let changes: [(Protocol, Change, &str); 7] = [
        (
            Protocol::Rest,
            |it| it.route.connections = 3,
            "--connections",
        ),
        (Protocol::Rest, |it| it.concurrency = 0, "--concurrency"),
        (Protocol::Rest, |it| it.timing.threads = 13, "--threads"),
        (Protocol::Rest, |it| it.timing.threads = 0, "--threads"),
        (
            Protocol::Grpc,
            |it| it.route.connections = 13,
            "--connections",
        ),
        (
            Protocol::Rest,
            |it| it.timing.duration = Duration::ZERO,
            "--duration",
        ),
        (
            Protocol::Rest,
            |it| it.route.timeout = Duration::ZERO,
            "--timeout",
        ),
    ];
    for (protocol, change, option) in changes {
        let mut plan = plan(protocol, address);
        assert!(plan.check().is_ok());
        change(&mut plan);
        let error = plan.check().unwrap_err().to_string();
        assert!(error.contains(option), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounded_number_of_requests_ends_the_load_and_a_later_load_has_ids_of_its_own() {
    for protocol in BOTH {
        let (address, seen) = serve(protocol, |_| Treatment::Store).await;
        let mut plan = plan(protocol, address);
        plan.timing.warmup = Duration::ZERO;
        plan.timing.duration = Duration::from_secs(600);
        plan.pacing.requests = Some(37);
        let first = run(plan.clone()).await;
        assert_eq!(first.tally.measured.acknowledged, 37, "{protocol:?}");
        assert!(first.window.seconds < 60.0 && !first.window.interrupted);
        plan.pacing.first_worker = plan.concurrency;
        assert_eq!(run(plan).await.tally.measured.acknowledged, 37);
        assert_eq!(seen.marked("it"), 74, "{protocol:?}: an id came twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_begins_at_the_moment_it_was_told_and_workers_think_in_between() {
    let (address, _) = serve(Protocol::Rest, |_| Treatment::Store).await;
    let mut plan = plan(Protocol::Rest, address);
    let begin = Instant::now() + Duration::from_millis(700);
    plan.timing.duration = Duration::from_millis(500);
    plan.pacing.measured_from = Some(begin);
    plan.pacing.think_time = Duration::from_millis(100);
    let most = plan.concurrency as u64 * 5 + plan.concurrency as u64;
    let outcome = run(plan.clone()).await;
    let off = outcome.window.from.at.saturating_duration_since(begin);
    assert!(off < Duration::from_millis(200), "{off:?}");
    let measured = outcome.tally.measured.acknowledged;
    assert!(
        (1..=most).contains(&measured),
        "{measured} of at most {most}"
    );
    plan.pacing.measured_from = Some(Instant::now());
    let late = tokio::task::spawn_blocking(move || start(plan, &Stop::never()).err());
    let error = late.await.unwrap().unwrap().to_string();
    assert!(error.contains("begin it later"), "{error}");
}
