//! Other scenarios than ingestion, several of them on one page, and a fixed rate of arrivals.

use metrics_db::{Audit, RunStatus};
use serde_json::json;

use super::invented::{
    BALANCE_GRPC, BALANCE_REST, GRPC, Plan, REST, STREAM_GRPC, STREAM_SSE, invent,
};
use super::markdown;
use super::model::{Level, Metric, Outcome, VerdictKind};
use super::tests::{report, rows};

#[test]
fn streams_are_told_by_the_event_and_with_their_bytes() {
    let report = report(&invent(&Plan {
        mode: "saturation",
        targets: &[STREAM_SSE, STREAM_GRPC],
        trials: 8,
        cores: 64.0,
        ..Plan::default()
    }));
    let text = report.verdict.text();
    assert!(
        text.starts_with("stream-sse streamed ")
            && text.contains("times as many events a second as stream-grpc"),
        "{text}"
    );
    // A stream holds a hundred events.
    let run = &report.runs[0];
    let streams = run
        .phases
        .iter()
        .map(|phase| phase.requests / phase.phase.duration_seconds);
    let most = streams.fold(0.0, f64::max);
    assert!((run.rate.unwrap() / most - 100.0).abs() < 0.01, "{run:?}");
    let received = report.cost[0].bytes_received.unwrap();
    assert!((received - 241.0).abs() < 1.0, "{received}");
    let wire: Vec<_> = report
        .wire
        .iter()
        .map(|row| (row.unit, row.expected_bytes, row.payload_bytes))
        .collect();
    let expected = [("event", 200.0, Some(240.5)), ("event", 100.0, Some(118.2))];
    assert_eq!(wire, expected);
    insta::assert_snapshot!(markdown::text(&report).unwrap());
}

#[test]
fn each_scenario_has_a_rate_of_its_own() {
    let targets = [REST, GRPC, STREAM_SSE, STREAM_GRPC];
    let mut invented = invent(&Plan {
        mode: "compare",
        targets: &targets,
        trials: 8,
        cores: 64.0,
        ..Plan::default()
    });
    for run in &mut invented.runs {
        if run.run.scenario == "stream" {
            let performance = run.performance.as_mut().unwrap();
            performance.intended_per_sec = Some(20.0);
        }
    }
    let report = report(&invented);
    let left_out = report.runs.iter().filter(|run| !run.reasons.is_empty());
    assert_eq!(left_out.count(), 0);
    let scenario_of = |target: usize| &report.targets[target].name;
    let compared = |name: &str| {
        let of = |pair: &&super::model::Comparison| scenario_of(pair.higher).starts_with(name);
        report.comparisons.iter().filter(of).count()
    };
    // CPU and p99 of each.
    assert_eq!((compared("producer"), compared("stream")), (2, 2));
    assert!(
        report.subtitle.contains("1,000 and 20 arrivals/s"),
        "{}",
        report.subtitle
    );
}

#[test]
fn scenarios_are_never_ranked_against_each_other() {
    let targets = [
        REST,
        GRPC,
        BALANCE_REST,
        BALANCE_GRPC,
        STREAM_SSE,
        STREAM_GRPC,
    ];
    let plan = Plan {
        mode: "saturation",
        targets: &targets,
        trials: 6,
        cores: 64.0,
        ..Plan::default()
    };
    let report = report(&invent(&plan));
    assert_eq!(report.payloads, ["ingest", "balance", "stream"]);
    assert_eq!(report.comparisons.len(), 3);
    for pair in &report.comparisons {
        let of = |target: usize| &report.targets[target].scenario;
        assert_eq!(of(pair.higher), of(pair.lower));
        assert_eq!(pair.outcome, Some(Outcome::Different));
    }
    let text = report.verdict.text();
    for word in [
        "Ingest: producer-rest stored",
        "Balance: balance-rest answered",
        "Stream: stream-sse streamed",
    ] {
        assert!(text.contains(word), "{text}");
    }
    // Each sentence is the one that its scenario has in a report of its own.
    let alone = super::build::build(
        &rows(&invent(&Plan {
            targets: &targets[..2],
            ..plan
        })),
        0,
        &Default::default(),
    );
    assert!(alone.verdict.text().starts_with("producer-rest stored"));
    let markdown = super::markdown::text(&report).unwrap();
    assert!(
        markdown.contains("| scenario | target |") && !markdown.contains("| payload | target |")
    );
    let ranks = report.throughput.iter().filter(|row| row.rank == Some(1));
    assert_eq!(ranks.count(), 3);
    let mixed_audit = &report.badges[0].text;
    assert!(
        mixed_audit.contains("stored once; ") && mixed_audit.contains("sent by the service"),
        "{mixed_audit}"
    );
}

#[test]
fn a_smoke_run_over_scenarios_is_one_sentence_unless_something_is_wrong() {
    let mut invented = invent(&Plan {
        mode: "smoke",
        targets: &[REST, GRPC, BALANCE_REST, BALANCE_GRPC],
        ..Plan::default()
    });
    let works = report(&invented).verdict;
    assert_eq!(
        works.text(),
        "All 4 targets work. A smoke run measures nothing, so nothing is ranked."
    );
    assert!(
        works.notes[1].starts_with("Balance: 10 requests"),
        "{:?}",
        works.notes
    );
    invented.runs[3].run.status = RunStatus::Failed;
    invented.runs[3].run.error_message = Some("it ended".into());
    let broken = report(&invented).verdict;
    assert_eq!(broken.level, Level::Bad);
    let text = broken.text();
    assert!(
        text.starts_with("Ingest: Both targets work.")
            && text.ends_with("\nBalance: balance-grpc does not work."),
        "{text}"
    );
}

#[test]
fn a_failed_audit_of_another_scenario_is_told_in_its_own_words() {
    let mut invented = invent(&Plan {
        targets: &[STREAM_SSE, STREAM_GRPC],
        ..Plan::default()
    });
    let run = &mut invented.runs[1].run;
    run.status = RunStatus::Failed;
    run.audit = run.audit.map(|audit| Audit {
        passed: false,
        ..audit
    });
    let facts = json!({"scenario": "stream", "acknowledged": 500, "in_doubt": 0, "stored": 500, "complete": 5,
        "fault": "not_in_sequence", "missed": 3, "repeated": 0, "out_of_order": 0});
    run.checks = vec![metrics_db::Check {
        context: facts.as_object().expect("an object").clone(),
        ..metrics_db::Check::bad("audit")
    }];
    run.error_message = Some("Audit: of 500 events received, 3 were missed.".into());
    let report = report(&invented);
    assert_eq!(report.verdict.text(), "The audit failed for stream-grpc.");
    assert_eq!(
        report.verdict.notes[0],
        "stream-grpc: of 500 events received, 3 before them were missed, 0 came again and 0 out of order."
    );
}

#[test]
fn at_a_fixed_rate_cost_and_latency_are_compared() {
    let compare = |trials, second| {
        report(&invent(&Plan {
            mode: "compare",
            targets: &[REST, second],
            trials,
            cores: 16.0,
            ..Plan::default()
        }))
    };
    let report = compare(8, GRPC);
    let text = report.verdict.text();
    assert!(
        text.starts_with("At 1,000 arrivals a second, producer-grpc took 1.5")
            && text.contains(
                "times as much service CPU an event as producer-rest (97.5 % interval 1."
            )
            && text.contains("p99 latency"),
        "{text}"
    );
    assert_eq!(report.verdict.kind, VerdictKind::Difference);
    let metrics: Vec<Metric> = report.comparisons.iter().map(|pair| pair.metric).collect();
    assert_eq!(metrics, [Metric::Cpu, Metric::P99]);
    assert!(
        report.throughput.iter().all(|row| row.rank.is_none()),
        "the rate is given"
    );
    insta::assert_snapshot!(markdown::text(&report).unwrap());

    let few = compare(3, GRPC).verdict;
    assert_eq!(few.kind, VerdictKind::Seen);
    assert!(few.text().contains("3 trials each, "), "{}", few.text());
    let twin = super::invented::Ability {
        name: "producer-rest-again",
        ..REST
    };
    let twins = compare(8, twin).verdict;
    assert!(
        matches!(twins.kind, VerdictKind::Open | VerdictKind::Equal),
        "{}",
        twins.text()
    );
}
