//! Sentences, badges and the whole Markdown over invented sessions.

use metrics_db::{Audit, RunStatus};

use super::input::{RunRows, SessionRows};
use super::invented::{GRPC, Invented, Plan, RECONNECT, REST, SINGLE, invent};
use super::model::{Badge, Level, Report, Standing, VerdictKind};
use super::{build, export, html, markdown};

pub(super) fn rows(invented: &Invented) -> Vec<SessionRows> {
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

pub(super) fn report(invented: &Invented) -> Report {
    build::build(&rows(invented), 60, &Default::default())
}

pub(super) fn badge<'a>(report: &'a Report, id: &str) -> &'a Badge {
    let mut badges = report.badges.iter();
    let found = badges.find(|badge| badge.id == id);
    found.unwrap_or_else(|| panic!("no badge {id}"))
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
fn the_same_target_twice_is_equal_or_open() {
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
    let text = report.verdict.text();
    assert!(
        matches!(report.verdict.kind, VerdictKind::Open | VerdictKind::Equal),
        "{text}"
    );
    assert!(
        text.starts_with("Not decided: ") || text.contains("equal within 3 %"),
        "{text}"
    );
    assert!(!text.contains("no detectable difference"), "{text}");
    assert!(report.throughput.iter().all(|row| row.rank == Some(1)));
}

#[test]
fn four_targets_are_ranked_under_one_correction() {
    let report = report(&invent(&Plan {
        mode: "saturation",
        targets: &[GRPC, RECONNECT, REST, SINGLE],
        trials: 8,
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
        text.ends_with("; 4 trials each, 8 are needed: no interval, so no verdict."),
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
    let left_out = badge(&report, "left_out");
    assert_eq!(
        left_out.text,
        "2 of 12 trials left out: aborted; 1 of 12 trials not ranked"
    );
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
    html::page(&report(&invented)).unwrap();
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
    let report = build::build(&both, 60, &Default::default());
    let badge = badge(&report, "settings");
    assert_eq!(
        (badge.level, badge.text.as_str()),
        (Level::Bad, "2 environments, 1 setting differs")
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
    let page = html::page(&report(&invented)).unwrap();
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
    let page = html::page(&report(&invented)).unwrap();
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
    assert_eq!(json["format"], "weir-report/2");
    assert_eq!(json["runs"].as_array().unwrap().len(), 2);
}
