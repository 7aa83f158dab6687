//! `weir gate` as a pipeline runs it: files and sessions in, an exit status and words out.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use testkit::json_schema::Schema;

use crate::history::History;
use crate::invented::{Plan, invent};

/// Rounds of `old` and `new` as a CSV file: the second takes `factor` times as much.
fn csv(rounds: usize, factor: f64) -> String {
    let mut csv = "round,target,cpu_us\n".to_owned();
    for round in 0..rounds {
        let wobble = |n: usize| 1.0 + ((round * (7 + n)) % 11) as f64 / 1000.0;
        let (old, new) = (71.0 * wobble(1), 71.0 * factor * wobble(3));
        write!(csv, "{round},old,{old}\n{round},new,{new}\n").unwrap();
    }
    csv
}

/// Exit status, standard output and standard error of `weir` in `folder`, where there is no repository.
fn weir(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("WEIR_ROOT")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn folder_with(files: &[(&str, String)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const PAIR: [&str; 6] = [
    "--baseline",
    "old",
    "--candidate",
    "new",
    "--max-regression",
    "5%",
];

#[test]
fn the_exit_status_is_the_decision_from_figures_and_from_the_verdict_file_alike() {
    for (rounds, factor, status, word) in [
        (12, 1.0, 0, "Held: new is not more than 5 % worse than old."),
        (
            12,
            1.2,
            1,
            "Regressed: new is more than 5 % worse than old in cpu_us.",
        ),
        (
            3,
            1.0,
            2,
            "Open: whether new is more than 5 % worse than old is not decided in cpu_us.",
        ),
    ] {
        let folder = folder_with(&[("figures.csv", csv(rounds, factor))]);
        let of = |first: &[&str]| weir(folder.path(), &[first, &PAIR].concat());
        let (from_csv, text, error) = of(&["gate", "figures.csv"]);
        assert_eq!(from_csv, Some(status), "{text}{error}");
        assert_eq!(text.lines().next(), Some(word));
        let (judged, _, error) = weir(
            folder.path(),
            &["judge", "figures.csv", "--verdict", "verdict.json"],
        );
        assert_eq!(judged, Some(0), "{error}");
        // The verdict alone: the figures are gone.
        std::fs::remove_file(folder.path().join("figures.csv")).unwrap();
        assert_eq!(of(&["gate", "verdict.json"]), (from_csv, text, error));
    }
}

#[test]
fn the_decision_as_json_is_as_its_schema_says() {
    let schema = Schema::new(include_str!(
        "../../../../../docs/reference/gate.schema.json"
    ));
    for (rounds, factor, outcome) in [
        (12, 1.0, "held"),
        (12, 1.2, "regressed"),
        (3, 1.0, "open"),
        (12, 1.05, "open"),
    ] {
        let folder = folder_with(&[("figures.csv", csv(rounds, factor))]);
        let asked = [&["--json", "gate", "figures.csv"][..], &PAIR].concat();
        let (status, text, error) = weir(folder.path(), &asked);
        let decision: Value =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{error}"));
        assert_eq!(schema.fault(&decision), None, "{decision}");
        assert_eq!(decision["outcome"], outcome);
        assert_eq!(decision["exit_status"].as_i64(), status.map(i64::from));
        let mut more = decision.clone();
        more["answers"][0]["more"] = 1.into();
        assert!(schema.fault(&more).is_some(), "the schema says everything");
    }
}

#[test]
fn an_output_that_takes_no_more_is_no_decision() {
    let folder = folder_with(&[("figures.csv", csv(12, 1.0))]);
    for command in [&["gate", "figures.csv"][..], &["judge", "figures.csv"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let pair = if command[0] == "gate" { &PAIR[..] } else { &[] };
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(command)
            .args(pair)
            .current_dir(folder.path())
            .env_remove("WEIR_ROOT")
            .stdin(Stdio::null())
            .stdout(full)
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(74), "{command:?}: {errors}");
        assert!(errors.contains("standard output: No space"), "{errors}");
    }
}

#[test]
fn an_open_gate_says_what_would_decide_it() {
    let folder = folder_with(&[("figures.csv", csv(3, 1.0))]);
    let (_, text, _) = weir(
        folder.path(),
        &[&["gate", "figures.csv"], &PAIR[..]].concat(),
    );
    assert!(
        text.ends_with("To decide: at least 6 rounds are needed, 3 are there.\n"),
        "{text}"
    );
}

#[test]
fn each_side_may_bring_its_own_file() {
    let of = |target: &str| -> String {
        let text = csv(12, 1.2);
        let rows = text.lines().skip(1);
        let own = rows.filter(|row| row.contains(&format!(",{target},")));
        let rows: Vec<String> = own.map(|row| row.replace(target, "svc")).collect();
        format!("round,target,cpu_us\n{}\n", rows.join("\n"))
    };
    let folder = folder_with(&[("a.csv", of("old")), ("b.csv", of("new"))]);
    let ask = |baseline, candidate| {
        weir(
            folder.path(),
            &["gate", "--baseline", baseline, "--candidate", candidate],
        )
    };
    let (status, text, error) = ask("a.csv", "b.csv");
    assert_eq!(status, Some(1), "{text}{error}");
    assert!(
        text.starts_with("Regressed: candidate is more than 5 % worse than baseline"),
        "{text}"
    );
    assert_eq!(ask("b.csv", "a.csv").0, Some(0));
    // Two sessions have no round in common: nobody may pair them.
    std::fs::write(folder.path().join("a.json"), "{}").unwrap();
    std::fs::write(folder.path().join("b.json"), "{}").unwrap();
    let (status, _, error) = ask("a.json", "b.json");
    assert_eq!(status, Some(64));
    assert!(error.contains("two targets of one session"), "{error}");
}

#[test]
fn exports_are_what_other_tools_read() {
    let folder = folder_with(&[("figures.csv", csv(12, 1.2))]);
    let exports = [
        "--markdown",
        "gate.md",
        "--junit",
        "gate.xml",
        "--bmf",
        "bmf.json",
        "--badge",
        "badge.svg",
    ];
    let ask = |more: &[&str]| {
        weir(
            folder.path(),
            &[&["gate", "figures.csv"], &PAIR[..], more].concat(),
        )
    };
    assert_eq!(ask(&exports).0, Some(1));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let markdown = read("gate.md");
    assert!(
        markdown.contains("<details>") && markdown.contains("| cpu_us |"),
        "{markdown}"
    );
    let junit = read("gate.xml");
    assert!(
        junit.contains("<failure message=\"cpu_us: regressed"),
        "{junit}"
    );
    // The schema that Bencher publishes for its metric format.
    let bmf = Schema::new(
        r#"{"type": "object", "additionalProperties": {"type": "object", "additionalProperties": {
            "type": "object", "required": ["value"], "additionalProperties": false, "properties": {
            "value": {"type": "number"}, "lower_value": {"type": "number"}, "upper_value": {"type": "number"}}}}}"#,
    );
    let metrics: Value = serde_json::from_str(&read("bmf.json")).unwrap();
    assert_eq!(bmf.fault(&metrics), None);
    assert!(metrics["new"]["cpu-us"]["value"].is_number(), "{metrics}");
    assert!(read("badge.svg").contains("performance: regressed"));
    assert_eq!(ask(&["--badge", "badge.json"]).0, Some(1));
    let badge: Value = serde_json::from_str(&read("badge.json")).unwrap();
    assert_eq!(badge["message"], "regressed");
    let (_, json, _) = ask(&["--json"]);
    let decision: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&decision["outcome"], &decision["exit_status"]),
        (&"regressed".into(), &1.into())
    );
}

#[test]
fn what_is_no_verdict_is_no_decision() {
    let folder = folder_with(&[
        ("wrong.csv", "round,target,cpu\n1,old,fast\n".to_owned()),
        ("other.json", r#"{"format": "weir-report/2"}"#.to_owned()),
        ("figures.csv", csv(12, 1.0)),
    ]);
    let ask = |first: &str| weir(folder.path(), &[&["gate", first], &PAIR[..]].concat());
    for (file, expected) in [
        ("wrong.csv", "line 2, column \"cpu\""),
        ("other.json", "its format is \"weir-report/2\""),
        ("missing.csv", "missing.csv"),
    ] {
        let (status, out, error) = ask(file);
        assert_eq!((status, out.as_str()), (Some(65), ""), "{file}: {error}");
        assert!(error.contains(expected), "{error}");
    }
    let (status, _, error) = weir(
        folder.path(),
        &[
            "gate",
            "figures.csv",
            "--baseline",
            "old",
            "--candidate",
            "newer",
        ],
    );
    assert_eq!(status, Some(64));
    assert!(error.contains("it has old, new"), "{error}");
    assert_eq!(weir(folder.path(), &["gate", "figures.csv"]).0, Some(64));
}

#[tokio::test]
async fn a_session_is_decided_from_the_database_and_from_its_verdict_file_alike() {
    let history = History::new().await;
    let invented = invent(&Plan {
        mode: "compare",
        trials: 8,
        scale: 0.1,
        ..Plan::default()
    });
    history.add(&invented).await;
    let ask = |first: &[&str]| {
        let pair = [
            "--baseline",
            "producer-rest",
            "--candidate",
            "producer-grpc",
        ];
        history.weir(&[&["gate"], first, &pair[..], &["--figure", "service CPU"]].concat())
    };
    let newest = ask(&[]);
    assert_eq!(newest.0, 1, "{newest:?}");
    assert_eq!(ask(&[&invented.session.id]), newest);
    let out = history.root.path().to_str().unwrap();
    history.ok(&["report", "--format", "verdict", "--out", out]);
    assert_eq!(ask(&["verdict.json"]), newest);
    let unknown = ask(&["20200101T000000Z-0000"]);
    assert_eq!(unknown.0, 65, "{unknown:?}");
    assert!(unknown.2.contains("weir runs list"), "{unknown:?}");
}
