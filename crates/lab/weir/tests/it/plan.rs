//! `weir plan` and the noise floor: what earlier sessions of this machine say about one to come.

use serde_json::{Value, json};

use crate::checkout::repository;
use crate::history::History;
use crate::invented::{GRPC, Invented, Plan, REST, invent};

/// A session of 12 rounds on this machine, with the plan that a session of `weir run` records.
async fn session(id: &str, aa: bool) -> Invented {
    let mut invented = invent(&Plan {
        mode: "compare",
        targets: &[REST, GRPC],
        trials: 12,
        cores: 16.0,
        scale: 1.0,
        ..Plan::default()
    });
    invented.session.id = id.into();
    invented.session.environment["machine"] = lab_host::environment::machine().await;
    invented.session.plan = Some(json!({
        "mode": "compare", "phase_scale": 1.0, "judging": {"aa": aa},
    }));
    for rows in &mut invented.runs {
        rows.run.session_id = Some(id.into());
    }
    invented
}

/// Adds it with its plan, and gives the database a checkout's data files.
async fn add(history: &History, invented: &Invented) {
    history.add(invented).await;
    let plan = invented.session.plan.as_ref().unwrap();
    let id = &invented.session.id;
    history.store.set_session_plan(id, plan).await.unwrap();
    let lib = history.root.path().join("load-test/k6/lib");
    std::fs::create_dir_all(&lib).unwrap();
    for file in ["load-test/targets.toml", "load-test/k6/lib/modes.json"] {
        std::fs::copy(repository().join(file), history.root.path().join(file)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_which_difference_it_would_find_by_the_spread_of_earlier_sessions() {
    let history = History::new().await;
    let plan = ["plan", "compare", "producer-rest,producer-grpc", "default"];
    // Nothing is known before.
    add(&history, &session("20261101T000000Z-aaaa", false).await).await;
    let (status, text, errors) = history.weir(&plan);
    assert_eq!(status, 0, "{text}{errors}");
    assert!(text.contains("16 runs of compare"), "{text}");
    for figure in ["service CPU", "p99 latency"] {
        let found = text.lines().any(|line| {
            line.starts_with(&format!("{figure}: 8 rounds find a difference of "))
                && line.contains(" in 80 % of sessions (spread of a round ")
                && line.contains("from 12 earlier rounds")
        });
        assert!(found, "{figure}: {text}");
    }
    let with_json = [&plan[..], &["--json", "--trials", "4"]].concat();
    let (status, text, errors) = history.weir(&with_json);
    assert_eq!(status, 0, "{text}{errors}");
    let planned: Value = serde_json::from_str(&text).unwrap();
    // Four rounds find nothing, whatever the spread.
    for found in planned["finds"].as_array().unwrap() {
        assert_eq!(
            (&found["rounds"], &found["detectable"]),
            (&json!(4), &Value::Null),
            "{found}"
        );
    }
    // Nor does what is known of another mode say anything about this one.
    let (status, text, _) =
        history.weir(&["plan", "full", "producer-rest,producer-grpc", "default"]);
    assert!(status == 0 && text.contains("is not known"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_noise_floor_stands_beside_each_difference() {
    let history = History::new().await;
    add(&history, &session("20261101T000000Z-aaaa", true).await).await;
    add(&history, &session("20261102T000000Z-bbbb", false).await).await;
    let out = history.root.path().join("out");
    let out = out.to_str().unwrap();
    let of = |id: &str| {
        let formats = ["report", id, "--format", "json,html,md", "--out", out];
        let (status, text, errors) = history.weir(&formats);
        assert_eq!(status, 0, "{text}{errors}");
        let read = |name: &str| std::fs::read_to_string(format!("{out}/{name}")).unwrap();
        (read("report.json"), read("report.html"), read("report.md"))
    };
    let (report, html, markdown) = of("20261102T000000Z-bbbb");
    let report: Value = serde_json::from_str(&report).unwrap();
    let comparisons = report["comparisons"].as_array().unwrap();
    assert!(!comparisons.is_empty());
    for pair in comparisons {
        assert_eq!(pair["noise"]["metric"], pair["metric"], "{pair}");
        assert_eq!(pair["noise"]["session"], "20261101T000000Z-aaaa");
        assert_eq!(pair["noise"]["rounds"], 12);
    }
    assert!(html.contains("noise floor (A/A)") && markdown.contains("noise floor (A/A)"));
    // An A/A session is its own floor.
    let (report, html, _) = of("20261101T000000Z-aaaa");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert!(report["comparisons"][0]["noise"].is_null());
    assert!(!html.contains("noise floor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_two_machines_stand_side_by_side_and_are_not_compared() {
    let history = History::new().await;
    add(&history, &session("20261101T000000Z-aaaa", false).await).await;
    let mut there = session("20261102T000000Z-bbbb", false).await;
    there.session.environment["machine"]["cores"] = 64.into();
    there.session.fingerprint = "ffff".into();
    add(&history, &there).await;
    let out = history.root.path().join("out");
    let out = out.to_str().unwrap();
    let both = [
        "report",
        "20261101T000000Z-aaaa",
        "20261102T000000Z-bbbb",
        "--format",
        "json,html,md",
        "--out",
        out,
    ];
    let (status, text, errors) = history.weir(&both);
    assert_eq!(status, 0, "{text}{errors}");
    let read = |name: &str| std::fs::read_to_string(format!("{out}/{name}")).unwrap();
    let alone: Value = serde_json::from_str(&read("report.json")).unwrap();
    for pair in alone["comparisons"].as_array().unwrap() {
        assert!(
            pair["outcome"].is_null() && pair["no_verdict"].is_string(),
            "{pair}"
        );
    }
    assert!(!read("report.html").contains("Across machines"));
    let across = [
        &both[..],
        &["--across-machines", "--reference", "producer-rest"],
    ]
    .concat();
    let (status, text, errors) = history.weir(&across);
    assert_eq!(status, 0, "{text}{errors}");
    let report: Value = serde_json::from_str(&read("report.json")).unwrap();
    let found = report["across"].as_array().unwrap();
    // CPU and p99 of the one other target.
    assert_eq!(found.len(), 2, "{found:?}");
    for one in found {
        assert_eq!(
            (&one["target"], one["rows"].as_array().unwrap().len()),
            (&json!("producer-grpc"), 2),
            "{one}"
        );
        assert!(
            one["rows"][0]["outcome"].is_string() && one["rows"][1]["rounds"] == 12,
            "{one}"
        );
    }
    // Still no verdict over both.
    for pair in report["comparisons"].as_array().unwrap() {
        assert!(pair["outcome"].is_null(), "{pair}");
    }
    assert!(
        read("report.html").contains("Across machines")
            && read("report.md").contains("all sessions say the same")
    );
    let without = [&both[..], &["--across-machines"]].concat();
    let (status, text, errors) = history.weir(&without);
    assert_eq!(status, 64, "{text}{errors}");
}
