//! Every check in words: within its bound, out of it, and where there is nothing to say.

use metrics_db::{Check, CheckStatus, CheckWords};
use serde_json::{Map, Value, json};

use super::{Described, reasons, words};

fn check(id: &str, figure: Option<(f64, f64, &str)>, context: Value) -> Check {
    let check = Check::new(id, CheckStatus::Bad);
    let check = match figure {
        Some((value, bound, unit)) => check.measured(value, bound, unit),
        None => check,
    };
    let Value::Object(context) = context else {
        panic!("{id}: the context is an object")
    };
    Check { context, ..check }
}

#[test]
fn every_check_is_said_in_words() {
    let share = |value, bound| Some((value, bound, "share"));
    let busy = json!({"cpus": 2.0, "phase": 2, "over": 1, "phases": 2});
    let table = [
        (
            check(
                "delivery",
                None,
                json!({"from": "commit", "p50_ms": 1.5, "p99_ms": 4.25, "emitted_p99_ms": 2.0, "first_event_p99_ms": 9.5,
                       "missed": 0, "repeated": 1, "out_of_order": 2, "breaks": 3}),
            ),
            "Delivery: p99 4.25 ms from commit",
            "From commit to its receipt an event took 1.50 ms (median), 99 % at most 4.25 ms, from its sending by the service \
             2.00 ms; the first event of a stream came within 9.50 ms of its request (99 %). 0 events missed, 1 repeated, 2 out \
             of order; 3 streams broke.",
        ),
        (
            check(
                "criterion_1",
                None,
                json!({"what": "p99", "bound": "under 100 ms", "measured": "120.00 ms", "phase": "50 in flight"}),
            ),
            "p99: missed: 120.00 ms",
            "Criterion missed in phase 50 in flight: p99 120.00 ms; asked for: under 100 ms.",
        ),
        (
            check("contract", None, json!({"passed": 11, "cases": 12})),
            "Contract: 11 of 12",
            "The target passed 11 of 12 cases before it was measured.",
        ),
        (
            check("contract", None, json!({"passed": 0, "cases": 0})),
            "Contract: not checked",
            "The contract was not checked before this run.",
        ),
        (
            check("audit", None, json!({})),
            "Audit: not made",
            "Nobody compared what the generator counted with what the target did.",
        ),
        (
            check("build", None, json!({"profile": "debug"})),
            "Build: debug",
            "The services are debug builds, whose figures mean nothing.",
        ),
        (
            check("mode", None, json!({})),
            "Not ranked: smoke run",
            "A smoke run shows that the target works; it measures nothing and ranks nothing.",
        ),
        (
            check(
                "errors",
                share(0.02, 0.01),
                json!({"failed": 2, "succeeded": 98, "total": 100}),
            ),
            "Errors: 2 of 100",
            "2 of 100 requests failed; the bound is 1 %.",
        ),
        (
            check(
                "errors",
                share(0.0, 0.01),
                json!({"failed": 0, "succeeded": 0, "total": 0}),
            ),
            "Errors: 0 of 0",
            "No request succeeded.",
        ),
        (
            check(
                "audit",
                None,
                json!({"scenario": "ingest", "null": true, "acknowledged": 5, "in_doubt": 0, "stored": 5}),
            ),
            "Audit: 5 answered",
            "The generator counted 5 answers, and the null target 5.",
        ),
        (
            check(
                "audit",
                None,
                json!({"scenario": "stream", "null": true, "acknowledged": 50, "in_doubt": 0, "stored": 50,
                    "fault": "not_in_sequence", "missed": 0, "repeated": 1, "out_of_order": 0}),
            ),
            "Audit: 50 answered",
            "Audit: of 50 events received, 0 before them were missed, 1 came again and 0 out of order.",
        ),
        (
            check(
                "ceiling",
                share(0.75, 0.7),
                json!({"reached_per_sec": 750.0, "ceiling_per_sec": 1000.0}),
            ),
            "Generator's ceiling: 75 % of it",
            "In its busiest phase the generator sent 750 requests a second, 75 % of the 1,000 that it reaches with a \
             target that does nothing; the bound is 70 %.",
        ),
        (
            check(
                "dropped",
                share(0.1, 0.001),
                json!({"dropped": 10, "due": 100}),
            ),
            "Dropped: 10",
            "The generator dropped 10 of 100 iterations; the bound is 0.1 %.",
        ),
        (
            check(
                "rate",
                share(0.985, 0.99),
                json!({"reached_per_sec": 985.04, "intended_per_sec": 1000.0}),
            ),
            "Rate reached: 985.0 of 1000/s",
            "The rate reached was 98.5 % of the 1000/s intended; the bound is 99 %.",
        ),
        (
            check(
                "begun_late",
                Some((30.0, 5.0, "ms")),
                json!({"seen_ms": 40.0, "of_dropped_ms": 10.0, "dropped": 20}),
            ),
            "Begun late: 99 % within 30.0 ms",
            "99 % of the iterations began within 30.0 ms of the moment at which they were due, and latencies count from \
             the moment of sending; the bound is 5 ms. The script saw 40.0 ms, of which the 20 dropped iterations are \
             10.0 ms: it cannot count them.",
        ),
        (
            check("littles_law", share(1.333, 1.02), json!({"phase": 2})),
            "Little's law: 133.3 % of the VUs' time",
            "In phase 2 the requests took 133.3 % of the time that the VUs had (rate times mean latency, over VUs); more \
             than all of it would contradict itself.",
        ),
        (
            check(
                "thresholds",
                Some((2.0, 0.0, "count")),
                json!({"crossed": ["a < 1", "b < 2"]}),
            ),
            "Thresholds: 2 crossed",
            "Crossed: a < 1; b < 2.",
        ),
        (
            check(
                "thresholds",
                Some((0.0, 0.0, "count")),
                json!({"crossed": []}),
            ),
            "Thresholds: all held",
            "All thresholds of the k6 script held.",
        ),
        (
            check(
                "samples_csv",
                None,
                json!({"file": "a.csv", "folder": "results"}),
            ),
            "Samples as CSV: missing",
            "a.csv is missing: is the disk of results full? The log of stats-sidecar says more.",
        ),
        (
            check("generator_cpu", share(0.85, 0.8), busy.clone()),
            "Generator CPU: 85 % of 2 cores",
            "The generator was the limit in 1 of 2 phases: it used up to 85 % of 2 cores (phase 2), the bound is 80 %.",
        ),
        (
            check("generator_cpu", None, json!({"phases": 0})),
            "Generator CPU: not sampled",
            "No resource was sampled, so it is not known whether the generator was the limit.",
        ),
        (
            check(
                "generator_cpu",
                share(0.4, 0.8),
                json!({"generator": "far", "cpus": 1.0, "phase": 1, "over": 0, "phases": 1}),
            ),
            "Generator CPU: 40 % of 1 core",
            "In its busiest phase (1) generator far, the busiest of all, used 40 % of 1 core; the bound is 80 %.",
        ),
        (
            check(
                "generator_missed",
                share(0.002, 0.001),
                json!({"generator": "far", "missed": 20, "due": 10_000, "generators": 2}),
            ),
            "Each generator: 20 of 10000",
            "Of 2 generators far missed most: 20 of the 10000 requests that were due, 0.2 %; the bound is 0.1 %.",
        ),
        (
            check(
                "clock_skew",
                Some((1.75, 100.0, "ms")),
                json!({"generator": "far", "offset_ms": -1.5, "within_ms": 0.25}),
            ),
            "Clocks: at most 1.75 ms",
            "The clock of generator far was -1.50 ms from weir's, give or take 0.25 ms, the most of all; its start was moved by \
             that. The bound is 100 ms.",
        ),
        (
            check("database_cpu", None, json!({"phases": 2})),
            "Database CPU: not sampled",
            "The CPU of the database was not sampled.",
        ),
        (
            check(
                "host_cpu",
                share(0.5, 0.95),
                json!({"cpus": 1.0, "phase": 1, "over": 0, "phases": 1}),
            ),
            "Machine CPU: 50 % of 1 core",
            "In its busiest phase (1) the machine used 50 % of 1 core; the bound is 95 %.",
        ),
        (
            check("steal", share(0.05, 0.02), json!({"phase": 1})),
            "Steal: 5 %",
            "In phase 1 the hypervisor took 5 % of the time; the bound is 2 %.",
        ),
        (
            check("throttling", None, json!({})),
            "Throttling: none",
            "No such limit applies here.",
        ),
        (
            check("target_sampled", None, json!({})),
            "Target sampled: no",
            "The target was not sampled in every phase, so its cost is not known.",
        ),
        (
            check(
                "boundaries",
                Some((1.0, 0.0, "count")),
                json!({"phases": 3}),
            ),
            "Boundaries: 1 interpolated",
            "In 1 of 3 phases a CPU counter was interpolated at a boundary.",
        ),
        (
            check("of_tomorrow", Some((7.0, 5.0, "ms")), json!({})),
            "Of tomorrow: 7 ms",
            "Measured: 7 ms; the bound is 5 ms.",
        ),
        (
            check("of_tomorrow", None, json!({"what": [1]})),
            "Of tomorrow: failed",
            "The check `of_tomorrow`: failed.",
        ),
    ];
    for (check, head, detail) in table {
        let said = words(&check);
        assert_eq!(format!("{}: {}", said.label, said.figure), head);
        assert_eq!(said.detail, detail);
    }
}

#[test]
fn an_audit_is_said_in_the_terms_of_its_scenario() {
    let said = |facts: Value| {
        let mut all = json!({"acknowledged": 5, "in_doubt": 0, "stored": 5});
        let more = facts.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(more);
        let said = words(&check("audit", None, all));
        format!("{} | {}", said.figure, said.detail)
    };
    let table = [
        (
            json!({"scenario": "ingest"}),
            "5 of 5 stored | All 5 acknowledged events are in the database, once each.",
        ),
        (
            json!({"scenario": "ingest", "waited_s": 2.25}),
            "once each. Acknowledged means in the log, not in the table: the audit waited 2.2 s until the lag was zero.",
        ),
        (
            json!({"scenario": "ingest", "in_doubt": 2, "stored": 6}),
            "5 events were acknowledged, 6 are stored; 2 were sent without an acknowledgement",
        ),
        (
            json!({"scenario": "ingest", "fault": "lost", "stored": 3}),
            "3 of 5 stored | Audit: 2 of 5 acknowledged events are not in the database.",
        ),
        (
            json!({"scenario": "ingest", "fault": "surplus", "in_doubt": 1, "stored": 9}),
            "9 events are stored, but only 5 were acknowledged and 1 in doubt.",
        ),
        (
            json!({"scenario": "ingest", "fault": "lost_updates", "merges_acknowledged": 192, "merges_stored": 180}),
            "updates were lost: of 192 acknowledged events that changed one entity at the same time, 12 are not in it. All 5",
        ),
        (
            json!({"scenario": "balance", "sampled": 200, "stored": null}),
            "not counted by the service | 5 balances were answered; what the service counted is not known. After the run 200",
        ),
        (
            json!({"scenario": "balance", "sampled": 200, "fault": "differing", "differing": 1, "first": "0.0.100050"}),
            "Audit: 1 of 200 accounts were answered after the run with other than the table has, 0.0.100050",
        ),
        (
            json!({"scenario": "balance", "sampled": 0, "fault": "none_sampled"}),
            "none of the seeded accounts is in the table",
        ),
        (
            json!({"scenario": "balance", "sampled": 200, "fault": "surplus", "stored": 9}),
            "the service answered 9 requests from its database, but only 5 balances were received",
        ),
        (
            json!({"scenario": "stream", "complete": 5, "in_doubt": 3}),
            "5 events of 5 complete streams were received, none missed, none repeated, all in order; the service sent 5, 3",
        ),
        (
            json!({"scenario": "stream", "complete": 5, "fault": "incomplete", "per_stream": 100}),
            "Audit: 5 streams of 100 events were counted as complete, and 5 events as received.",
        ),
        (
            json!({"scenario": "stream", "complete": 5, "fault": "unequal", "stored": 4}),
            "Audit: 5 events were received and 0 are in doubt; the service sent 4.",
        ),
        (
            json!({"scenario": "log", "kind": "chain", "in_doubt": 1}),
            "5 records were acknowledged, 1 are in doubt; 5 were read back, each once, those of a virtual user in the order \
             sent. The chain of hashes verifies.",
        ),
        (
            json!({"scenario": "own", "stored": null}),
            "not audited | Not audited: weir.toml has no [audit]",
        ),
        (
            json!({"scenario": "own", "how": "select count(*)", "stored": 4, "fault": "lost"}),
            "4 of 5 found | Audit: 5 requests were answered as expected, and select count(*) found 4: 1 are lost.",
        ),
        (
            json!({"scenario": "own", "how": "GET /count", "in_doubt": 1, "stored": 6}),
            "5 requests were answered as expected and 1 are in doubt; GET /count found 6.",
        ),
        (
            json!({"scenario": "log", "kind": "topic"}),
            "Each has its offset, without gaps.",
        ),
        (
            json!({"scenario": "log", "kind": "chain", "fault": "unverified", "verified": 4}),
            "Audit: 4 of 5 entries verify.",
        ),
        (
            json!({"scenario": "log", "kind": "chain", "fault": "chain", "error": "torn"}),
            "Audit: the chain does not verify: torn.",
        ),
        (
            json!({"scenario": "log", "kind": "topic", "fault": "lost", "stored": 4}),
            "4 of 5 in the log | Audit: 1 of 5 acknowledged records are not in the log.",
        ),
    ];
    for (facts, expected) in table {
        let said = said(facts);
        assert!(said.contains(expected), "{said}\n{expected}");
    }
}

#[test]
fn rows_with_words_or_sentences_stay_readable() {
    let stored = CheckWords {
        label: "Steal".into(),
        figure: "9 %".into(),
        detail: "The hypervisor took 9 % of the time.".into(),
    };
    let old = Check {
        words: Some(stored.clone()),
        ..Check::bad("steal")
    };
    assert_eq!(words(&old), stored);
    let sentence = "The hypervisor took 9 % of the time.";
    let checks = [old];
    assert_eq!(reasons(&checks, &[sentence.into()]), [sentence]);
    assert_eq!(
        reasons(&checks, &["steal".into(), "gone".into()]),
        [sentence, "gone"]
    );
}

#[test]
fn a_check_is_printed_with_data_and_words() {
    let steal = check("steal", Some((0.09, 0.02, "share")), json!({"phase": 1}));
    let printed = serde_json::to_value(Described::of(&steal)).unwrap();
    assert_eq!(printed["context"]["phase"], 1);
    assert_eq!(printed["label"], "Steal");
    assert_eq!(printed["status"], "bad");
    let old = Check {
        words: Some(CheckWords::default()),
        context: Map::new(),
        ..Check::ok("steal")
    };
    let text = serde_json::to_string(&Described::of(&old)).unwrap();
    assert_eq!(text.matches("\"label\"").count(), 1, "{text}");
}
