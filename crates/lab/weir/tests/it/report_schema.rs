//! `weir report --format json,verdict` of invented sessions of every kind against the schemas of docs/reference.

use metrics_db::{Audit, Check, RunStatus};
use serde_json::{Value, json};
use testkit::json_schema::Schema;

use crate::history::History;
use crate::invented::{
    BALANCE_GRPC, BALANCE_REST, GRPC, Invented, Plan, RECONNECT, REST, SINGLE, STREAM_GRPC,
    STREAM_SSE, five_targets, invent,
};

const EVERY_SCENARIO: [crate::invented::Ability; 6] = [
    REST,
    GRPC,
    BALANCE_REST,
    BALANCE_GRPC,
    STREAM_SSE,
    STREAM_GRPC,
];

fn schema() -> Schema {
    Schema::new(include_str!(
        "../../../../../docs/reference/report.schema.json"
    ))
}

/// A name and a session for each kind of report.
fn kinds() -> Vec<(&'static str, Invented)> {
    let plan = |mode, targets, trials| Plan {
        mode,
        targets,
        trials,
        cores: 16.0,
        scale: 0.1,
        ..Plan::default()
    };
    let mut wrong = invent(&plan("saturation", &[REST, GRPC], 2));
    wrong.runs[1].run.status = RunStatus::Failed;
    wrong.runs[1].run.audit = Some(Audit::judge(1000, 0, 998));
    wrong.runs[2].run.status = RunStatus::Aborted;
    wrong.runs[2].performance = None;
    wrong.runs[2].phases.clear();
    let mut disturbed = invent(&plan("compare", &[REST, SINGLE, GRPC], 9));
    for run in disturbed.runs.iter_mut().skip(2).step_by(3) {
        let check = Check::bad("steal").measured(0.04, 0.02, "share");
        run.run.checks.push(check.with("phase", 1));
        run.run.valid = Some(false);
        run.run.invalid_reasons.push("steal".to_owned());
    }
    let mut empty = invent(&plan("full", &[REST], 1));
    empty.runs.clear();
    vec![
        ("smoke", invent(&plan("smoke", &[REST, GRPC], 1))),
        ("one target", invent(&plan("full", &[REST], 1))),
        ("too few rounds", invent(&plan("full", &[REST, GRPC], 2))),
        ("saturation", invent(&plan("saturation", &[REST, GRPC], 8))),
        ("compare", invent(&plan("compare", &[REST, GRPC], 12))),
        (
            "many targets",
            invent(&plan("compare", &[REST, SINGLE, GRPC, RECONNECT], 12)),
        ),
        ("scenarios", invent(&plan("full", &EVERY_SCENARIO, 2))),
        ("wrong", wrong),
        ("disturbed", disturbed),
        ("ranked", five_targets()),
        ("empty", empty),
    ]
}

#[tokio::test]
async fn the_json_of_every_kind_of_report_fits_its_schema() {
    let schema = schema();
    let history = History::new().await;
    for (number, (name, mut invented)) in kinds().into_iter().enumerate() {
        let id = format!("20261121T104205Z-{number:04}");
        invented.session.id.clone_from(&id);
        for run in &mut invented.runs {
            run.run.session_id = Some(id.clone());
        }
        history.add(&invented).await;
        let report = written(&history, &id);
        assert_eq!(report["format"], "weir-report/2", "{name}");
        let runs = report["runs"].as_array().unwrap().len();
        assert_eq!(runs, invented.runs.len(), "{name}");
        assert_eq!(schema.fault(&report), None, "{name}");
        let verdict = json_of(&history, &id, "verdict.json");
        assert_eq!(verdict_schema().fault(&verdict), None, "{name}");
        says_what_the_report_says(name, &report, &verdict);
    }
}

/// Sentence, kind, checks, trials and every comparison.
fn says_what_the_report_says(name: &str, report: &Value, verdict: &Value) {
    let sentence: String = report["verdict"]["sentence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|span| span["text"].as_str().unwrap())
        .collect();
    assert_eq!(verdict["sentence"], sentence, "{name}");
    assert_eq!(verdict["kind"], report["verdict"]["kind"], "{name}");
    assert_eq!(verdict["notes"], report["verdict"]["notes"], "{name}");
    let badges = report["badges"].as_array().unwrap();
    assert_eq!(verdict["checks"].as_array().unwrap().len(), badges.len());
    let trials = verdict["targets"].as_array().unwrap().iter();
    let trials: u64 = trials
        .map(|target| target["trials"].as_u64().unwrap())
        .sum();
    assert_eq!(trials, report["runs"].as_array().unwrap().len() as u64);
    let pairs = report["comparisons"].as_array().unwrap();
    let found = verdict["comparisons"].as_array().unwrap();
    assert_eq!(found.len(), pairs.len(), "{name}");
    for (pair, found) in pairs.iter().zip(found) {
        for (of_report, of_file) in [
            ("outcome", "outcome"),
            ("p", "p"),
            ("p_corrected", "p_holm"),
            ("level", "level"),
            ("payload", "payload"),
            ("next", "next"),
        ] {
            assert_eq!(pair[of_report], found[of_file], "{name}: {of_report}");
        }
        let higher = pair["higher"].as_u64().unwrap() as usize;
        let is_turned = found["b"] == report["targets"][higher]["name"];
        let ratio = found["ratio"].as_f64().unwrap();
        let ratio = if is_turned { 1.0 / ratio } else { ratio };
        let expected = pair["ratio"].as_f64().unwrap();
        assert!((ratio / expected - 1.0).abs() < 1e-12, "{name}: {found}");
        let rounds = found["rounds"].as_array().unwrap().len() as u64;
        assert_eq!(pair["rounds"].as_u64(), Some(rounds), "{name}: {found}");
    }
}

fn verdict_schema() -> Schema {
    Schema::new(include_str!(
        "../../../../../docs/reference/verdict.schema.json"
    ))
}

fn written(history: &History, session: &str) -> Value {
    let out = history.root.path().join(session);
    let arguments = ["report", session, "--format", "json,verdict", "--out"];
    history.ok(&[&arguments[..], &[out.to_str().unwrap()]].concat());
    json_of(history, session, "report.json")
}

fn json_of(history: &History, session: &str, file: &str) -> Value {
    let path = history.root.path().join(session).join(file);
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_report_that_is_not_as_promised_does_not_fit() {
    let history = History::new().await;
    let invented = invent(&Plan {
        mode: "compare",
        trials: 8,
        scale: 0.1,
        ..Plan::default()
    });
    history.add(&invented).await;
    let good = written(&history, &invented.session.id);
    let schema = schema();
    assert_eq!(schema.fault(&good), None);
    let changed = |place: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(place).unwrap() = value;
        schema.fault(&changed).unwrap()
    };
    assert!(changed("/format", json!("weir-report/3")).starts_with("/format: not"));
    assert!(changed("/comparisons/0/ratio", json!("2")).starts_with("/comparisons/0/ratio"));
    assert!(changed("/runs/0/standing", json!("fine")).starts_with("/runs/0/standing: none of"));
    assert!(changed("/runs/0", json!({})).starts_with("/runs/0: without"));
    let mut more = good.clone();
    more["more"] = json!(1);
    assert_eq!(schema.fault(&more).unwrap(), "/more: not in the schema");
}
