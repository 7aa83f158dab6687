//! Sentences, badges and the whole Markdown over invented sessions.

use metrics_db::{Audit, RunStatus};

use super::input::{RunRows, SessionRows};
use super::invented::{
    BALANCE_GRPC, BALANCE_REST, GRPC, Invented, Plan, RECONNECT, REST, SINGLE, STREAM_GRPC,
    STREAM_SSE, invent,
};
use super::model::{Level, Metric, Report, Standing, VerdictKind};
use super::{build, export, html, markdown};

fn rows(invented: &Invented) -> Vec<SessionRows> {
    let runs = invented
        .runs
        .iter()
        .map(|run| RunRows {
            run: run.run.clone(),
            performance: run.performance.clone(),
            phases: run.phases.clone(),
            samples: run.samples.clone(),
        })
        .collect();
    vec![SessionRows {
        session: invented.session.clone(),
        runs,
    }]
}

fn report(invented: &Invented) -> Report {
    build::build(&rows(invented), 60)
}

const ALL_PAYLOADS: [&str; 5] = ["default", "4k", "8k", "32k", "64k"];

fn smoke() -> Invented {
    invent(&Plan {
        mode: "smoke",
        payloads: &ALL_PAYLOADS,
        ..Plan::default()
    })
}

#[test]
fn smoke_ranks_nothing() {
    let report = report(&smoke());
    assert_eq!(
        report.verdict.text(),
        "Both targets work. A smoke run measures nothing, so nothing is ranked."
    );
    assert!(report.throughput.iter().all(|row| row.rank.is_none()));
    assert!(report.comparisons.is_empty());
    insta::assert_snapshot!(markdown::text(&report).unwrap());
}

#[test]
fn one_trial_is_seen_and_not_judged() {
    let report = report(&invent(&Plan {
        payloads: &["default", "8k"],
        ..Plan::default()
    }));
    assert_eq!(report.verdict.kind, VerdictKind::Seen);
    assert!(
        report
            .verdict
            .text()
            .ends_with("one trial each: no interval, so no verdict."),
        "{}",
        report.verdict.text()
    );
    insta::assert_snapshot!(markdown::text(&report).unwrap());
}

#[test]
fn eight_trials_give_a_verdict_with_an_interval() {
    let report = report(&invent(&Plan {
        mode: "saturation",
        trials: 8,
        cores: 16.0,
        ..Plan::default()
    }));
    assert_eq!(
        report.verdict.kind,
        VerdictKind::Difference,
        "{}",
        report.verdict.text()
    );
    assert_eq!(report.verdict.sentence[0].target, Some(0));
    assert_eq!(report.throughput[0].rank, Some(1));
    assert_eq!(report.throughput[1].rank, Some(2));
    insta::assert_snapshot!(markdown::text(&report).unwrap());
}

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
        assert_eq!(pair.differs, Some(true));
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
    );
    assert!(alone.verdict.text().starts_with("producer-rest stored"));
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
    run.checks = vec![metrics_db::Check::bad(
        "audit",
        "Audit",
        "-",
        "Audit: of 500 events received, 3 were missed.",
    )];
    run.error_message = Some("Audit: of 500 events received, 3 were missed.".into());
    let report = report(&invented);
    assert_eq!(report.verdict.text(), "The audit failed for stream-grpc.");
    assert_eq!(
        report.verdict.notes[0],
        "stream-grpc: of 500 events received, 3 were missed."
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
    let report = compare(6, GRPC);
    let text = report.verdict.text();
    assert!(
        text.starts_with("At 1,000 arrivals a second, producer-grpc took 1.5")
            && text.contains("times the service CPU an event of producer-rest (95 % interval 1.")
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
    let twins = compare(6, twin).verdict;
    assert_eq!(twins.kind, VerdictKind::NoDifference, "{}", twins.text());
}

#[test]
fn the_same_target_twice_shows_no_difference() {
    let twin = super::invented::Ability {
        name: "producer-rest-again",
        ..REST
    };
    let report = report(&invent(&Plan {
        mode: "saturation",
        targets: &[REST, twin],
        trials: 8,
        cores: 16.0,
        ..Plan::default()
    }));
    assert_eq!(
        report.verdict.kind,
        VerdictKind::NoDifference,
        "{}",
        report.verdict.text()
    );
    assert!(report.throughput.iter().all(|row| row.rank == Some(1)));
}

#[test]
fn four_targets_are_ranked_under_one_correction() {
    let report = report(&invent(&Plan {
        mode: "saturation",
        targets: &[GRPC, RECONNECT, REST, SINGLE],
        trials: 6,
        cores: 16.0,
        ..Plan::default()
    }));
    let names: Vec<&str> = report
        .targets
        .iter()
        .map(|target| target.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "producer-rest",
            "producer-rest-single",
            "producer-grpc",
            "producer-grpc-reconnect"
        ]
    );
    let ranks: Vec<Option<usize>> = report.throughput.iter().map(|row| row.rank).collect();
    assert_eq!(ranks, [Some(1), Some(3), Some(2), Some(4)]);
    assert_eq!(report.comparisons.len(), 6);
    let text = report.verdict.text();
    assert!(
        text.starts_with("producer-rest stored the most events a second of 4 targets, "),
        "{text}"
    );
}

#[test]
fn too_few_trials_for_so_many_comparisons_are_no_evidence_of_equality() {
    let report = report(&invent(&Plan {
        mode: "saturation",
        targets: &[REST, SINGLE, GRPC, RECONNECT],
        trials: 4,
        cores: 16.0,
        ..Plan::default()
    }));
    assert_eq!(report.verdict.kind, VerdictKind::Seen);
    let text = report.verdict.text();
    assert!(
        text.ends_with("; 4 trials each are too few for 6 comparisons, 5 are needed: no verdict."),
        "{text}"
    );
    assert!(report.throughput.iter().all(|row| row.rank.is_none()));
}

#[test]
fn a_failed_audit_comes_first_whatever_the_rates() {
    let mut invented = invent(&Plan {
        trials: 8,
        ..Plan::default()
    });
    let run = &mut invented.runs[1].run;
    run.status = RunStatus::Failed;
    run.audit = Some(Audit::judge(1000, 0, 998));
    run.error_message = Some("audit: 2 acknowledged events are not in the database".to_owned());
    let report = report(&invented);
    assert_eq!(report.verdict.kind, VerdictKind::AuditFailed);
    assert_eq!(report.verdict.level, Level::Bad);
    assert_eq!(
        report.verdict.text(),
        "The audit failed: producer-grpc acknowledged 1,000 events, and 998 are in the database."
    );
    assert_eq!(report.badges[0].level, Level::Bad);
    insta::assert_snapshot!(markdown::text(&report).unwrap());
}

#[test]
fn a_generator_at_its_limit_forbids_a_verdict() {
    // Two cores shared by all: k6 uses most of them from 50 VUs on.
    let report = report(&invent(&Plan {
        mode: "saturation",
        cores: 0.9,
        trials: 6,
        ..Plan::default()
    }));
    assert_eq!(
        report.verdict.kind,
        VerdictKind::GeneratorLimited,
        "{}",
        report.verdict.text()
    );
    assert!(
        report
            .verdict
            .text()
            .starts_with("No verdict: the generator was the limit in ")
    );
    assert!(
        report
            .throughput
            .iter()
            .all(|row| row.rank.is_none() && !row.ranked)
    );
    insta::assert_snapshot!(markdown::text(&report).unwrap());
}

#[test]
fn failed_aborted_and_invalid_runs_are_shown_and_do_not_count() {
    let mut invented = invent(&Plan {
        mode: "saturation",
        cores: 16.0,
        trials: 6,
        ..Plan::default()
    });
    invented.runs[0].run.status = RunStatus::Aborted;
    invented.runs[0].performance = None;
    invented.runs[2].run.status = RunStatus::Failed;
    invented.runs[2].run.error_message =
        Some("the service did not become healthy within 30 s".to_owned());
    invented.runs[4].run.valid = Some(false);
    invented.runs[4].run.invalid_reasons = vec!["the host took 7 % of its CPU away".to_owned()];
    let report = report(&invented);
    let standing: Vec<Standing> = report.runs.iter().take(5).map(|run| run.standing).collect();
    assert_eq!(
        standing,
        [
            Standing::LeftOut,
            Standing::Counted,
            Standing::LeftOut,
            Standing::Counted,
            Standing::Invalid
        ]
    );
    // Three of six trials are left: too few for a verdict.
    assert_eq!(report.throughput[0].trials.len(), 3);
    assert_eq!(
        report.verdict.kind,
        VerdictKind::Seen,
        "{}",
        report.verdict.text()
    );
    let left_out = report
        .badges
        .iter()
        .find(|badge| badge.id == "left_out")
        .unwrap();
    assert_eq!(left_out.text, "3 of 12 trials left out: aborted");
    let text = markdown::text(&report).unwrap();
    assert!(text.contains("~~producer-rest~~"), "{text}");
    assert!(text.contains("left out: the service did not become healthy within 30 s"));
    assert!(text.contains("not ranked: the host took 7 % of its CPU away"));
}

#[test]
fn a_smoke_run_with_a_dead_target_says_so() {
    let mut invented = smoke();
    for run in invented
        .runs
        .iter_mut()
        .filter(|run| run.run.api_name == GRPC.name)
    {
        run.run.status = RunStatus::Failed;
        run.run.error_message = Some("port 9090 is in use".to_owned());
        run.performance = None;
    }
    let report = report(&invented);
    assert_eq!(report.verdict.text(), "producer-grpc does not work.");
    assert_eq!(report.verdict.level, Level::Bad);
    assert_eq!(
        report.verdict.notes,
        [
            "producer-grpc: port 9090 is in use.",
            "producer-rest works."
        ]
    );
}

#[test]
fn an_empty_session_and_one_target_have_a_sentence_too() {
    let mut invented = smoke();
    invented.runs.clear();
    assert_eq!(report(&invented).verdict.text(), "No run was made.");
    html::page(&rows(&invented)).unwrap();
    let one = report(&invent(&Plan {
        targets: &[REST],
        trials: 4,
        ..Plan::default()
    }));
    assert!(
        one.verdict
            .text()
            .ends_with("There is nothing to compare it with."),
        "{}",
        one.verdict.text()
    );
}

#[test]
fn runs_of_different_scale_are_never_mixed() {
    let mut invented = invent(&Plan::default());
    invented.runs[1].run.phase_scale = 0.05;
    let report = report(&invented);
    assert_eq!(report.runs[1].standing, Standing::LeftOut);
    assert_eq!(
        report.runs[1].reasons,
        ["full at scale 0.05 is not mixed with full at scale 1"]
    );
}

#[test]
fn sessions_with_different_settings_are_called_out() {
    let first = invent(&Plan::default());
    let mut second = first.clone();
    second.session.id = "20261122T090000Z-0001".to_owned();
    second.session.fingerprint = "ffff".to_owned();
    second.session.environment["lab"]["k6"] = "k6 v1.2.0".into();
    let both = [rows(&first), rows(&second)].concat();
    let report = build::build(&both, 60);
    let badge = report
        .badges
        .iter()
        .find(|badge| badge.id == "settings")
        .unwrap();
    assert_eq!(
        (badge.level, badge.text.as_str()),
        (Level::Bad, "2 environments, 1 setting differ")
    );
    assert!(
        markdown::text(&report)
            .unwrap()
            .contains("| **lab.k6** | k6 v1.1.0 (invented) | k6 v1.2.0 |")
    );
}

#[test]
fn the_page_stays_small_with_many_runs() {
    let invented = invent(&Plan {
        mode: "saturation",
        targets: &[REST, SINGLE, GRPC, RECONNECT],
        payloads: &ALL_PAYLOADS,
        trials: 4,
        ..Plan::default()
    });
    let page = html::page(&rows(&invented)).unwrap();
    assert!(page.len() < html::MAX_BYTES, "{}", page.len());
    for reference in [" src=\"", "@import", "rel=\"stylesheet", "url(http"] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn names_are_escaped_in_the_page_and_in_its_data() {
    let mut invented = smoke();
    invented.runs[0].run.status = RunStatus::Failed;
    invented.runs[0].run.error_message = Some("</script><img src=x onerror=alert(1)>".to_owned());
    let page = html::page(&rows(&invented)).unwrap();
    assert!(!page.contains("<img src=x"));
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"));
}

#[test]
fn exports_hold_every_run() {
    let mut invented = invent(&Plan::default());
    invented.runs[0].run.status = RunStatus::Failed;
    invented.runs[0].run.error_message = Some("a \"quoted\" <reason>".to_owned());
    let report = report(&invented);
    let csv = export::csv(&report).unwrap();
    assert_eq!(csv.lines().count(), 3);
    assert!(csv.contains("\"a \"\"quoted\"\" <reason>\""), "{csv}");
    let junit = export::junit(&report).unwrap();
    assert!(junit.contains("failures=\"1\""), "{junit}");
    assert!(
        junit.contains("&lt;reason&gt;") && !junit.contains("<reason>"),
        "{junit}"
    );
    let json: serde_json::Value = serde_json::from_str(&export::json(&report).unwrap()).unwrap();
    assert_eq!(json["format"], "weir-report/1");
    assert_eq!(json["runs"].as_array().unwrap().len(), 2);
}
