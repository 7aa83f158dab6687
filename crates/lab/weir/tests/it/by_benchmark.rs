//! Sessions whose load the lab's own generator makes: every scenario, protocol and kind of target.

use serde_json::Value;

use crate::checkout::Checkout;

/// The checks of a run by their ids, with their words.
fn checks(checkout: &Checkout, run: &str) -> Vec<Value> {
    let (status, shown) = checkout.run(&["runs", "show", run, "--json"]);
    assert_eq!(status, 0, "{shown}");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    shown["run"]["checks"].as_array().unwrap().clone()
}

#[test]
fn every_scenario_is_measured_by_benchmark_and_audited_by_its_own_rules() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let targets = "producer-rest-tls,producer-grpc-tls,producer-rest-bulk-10,producer-grpc-stream-10,producer-rest-single,\
                   balance-rest-single,balance-grpc-single,stream-sse,stream-grpc,event-log-topics,event-log-chain,\
                   event-log-topics-rest,event-log-chain-rest";
    let arguments = [
        "run",
        "smoke",
        targets,
        "default",
        "--driver",
        "benchmark",
        "--runtime",
        "native",
    ];
    let (status, text) = checkout.run(&arguments);
    assert_eq!(status, 0, "{text}");
    for done in [
        "producer-rest-tls default: 5 events acknowledged, 5 stored",
        "producer-grpc-tls default: 5 events acknowledged, 5 stored",
        "producer-rest-bulk-10 default: 50 events acknowledged, 50 stored",
        "producer-grpc-stream-10 default: 50 events acknowledged, 50 stored",
        "producer-rest-single default: 5 events acknowledged, 5 stored",
        "balance-rest-single default: 5 balances answered, 5 counted by the service",
        "balance-grpc-single default: 5 balances answered, 5 counted by the service",
        "stream-sse default: 5 events received, 5 sent by the service",
        "stream-grpc default: 5 events received, 5 sent by the service",
        "event-log-topics default: 5 records acknowledged, 5 in the log",
        "event-log-chain default: 5 records acknowledged, 5 in the log",
        "event-log-topics-rest default: 5 records acknowledged, 5 in the log",
        "event-log-chain-rest default: 5 records acknowledged, 5 in the log",
        "13 runs completed.",
    ] {
        assert!(text.contains(done), "{done} is missing in\n{text}");
    }
    assert!(checkout.databases_stopped() && checkout.processes().is_empty());
}

#[test]
fn the_event_log_over_rest_is_measured_by_k6_and_read_back() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let targets = "event-log-topics-rest,event-log-chain-rest";
    let (status, text) = checkout.run(&["run", "smoke", targets, "default", "--runtime", "native"]);
    assert_eq!(status, 0, "{text}");
    for target in targets.split(',') {
        let done = format!("{target} default: 5 records acknowledged, 5 in the log");
        assert!(text.contains(&done), "{done} is missing in\n{text}");
    }
}

#[test]
fn a_workload_shows_delivery_from_the_commit_and_what_it_had_to_keep() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let run = checkout
        .weir(&["run", "low", "--runtime", "native", "--seed", "5"])
        .env("PHASE_SCALE", "0.05")
        .env("WEIR_ALLOW_DEBUG_BUILD", "1")
        .output()
        .unwrap();
    let text = crate::checkout::text(&run);
    assert_eq!(run.status.code(), Some(0), "{text}");
    assert!(text.contains("2 runs completed."), "{text}");
    for run in ["1", "2"] {
        let checks = checks(&checkout, run);
        let delivery = checks
            .iter()
            .find(|check| check["id"] == "delivery")
            .unwrap();
        assert_eq!(delivery["context"]["from"], "commit", "{delivery}");
        assert!(
            delivery["context"]["p99_ms"].as_f64() > Some(0.0),
            "{delivery}"
        );
        assert!(
            delivery["context"]["first_event_p99_ms"].as_f64() > Some(0.0),
            "{delivery}"
        );
        for fault in ["missed", "repeated", "out_of_order", "breaks"] {
            assert_eq!(delivery["context"][fault], 0, "{delivery}");
        }
        let criteria = checks.iter().filter(|check| {
            check["id"]
                .as_str()
                .is_some_and(|id| id.starts_with("criterion_"))
        });
        let met: Vec<bool> = criteria.map(|check| check["status"] == "ok").collect();
        assert!(met.len() >= 5 && met.iter().all(|met| *met), "{checks:?}");
        // Events come to a subscriber whatever is under way to it.
        assert!(
            checks.iter().all(|check| check["id"] != "littles_law"),
            "{checks:?}"
        );
    }
    let page = std::fs::read_to_string(&checkout.reports()[0]).unwrap();
    assert!(page.contains("ms from commit") && page.contains("events missed"));
    let (status, said) = checkout.run(&["run", "low", "--driver", "k6", "--runtime", "native"]);
    assert_eq!(status, 64, "{said}");
    let (status, said) = checkout.run(&["run", "low", "producer-rest", "--runtime", "native"]);
    assert_eq!(status, 64, "{said}");
    assert!(
        said.contains("belongs to the scenario 'ingest', not to 'stream'"),
        "{said}"
    );
}

#[test]
fn the_levels_of_balances_are_judged_in_their_phases() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let run = checkout
        .weir(&[
            "run",
            "balance-levels",
            "balance-rest",
            "--runtime",
            "native",
        ])
        .env("PHASE_SCALE", "0.05")
        .env("WEIR_ALLOW_DEBUG_BUILD", "1")
        .output()
        .unwrap();
    let text = crate::checkout::text(&run);
    assert_eq!(run.status.code(), Some(0), "{text}");
    let checks = checks(&checkout, "1");
    let named = |name: &str| {
        let found = checks.iter().find(|check| check["context"]["what"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {checks:?}"))
    };
    assert_eq!(named("p99")["context"]["phase"], "50 in flight");
    assert_eq!(named("p99")["context"]["bound"], "under 100 ms");
    assert_eq!(named("errors")["context"]["phase"], "100 in flight");
    assert_eq!(named("errors")["status"], "ok");
}
