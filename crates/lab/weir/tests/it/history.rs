//! `weir runs` and `weir report` over a metrics database of the test's own.

use std::process::Command;

use metrics_db::{MetricsDbConfig, NewRun, NewSession, Store};
use serde_json::Value;
use tempfile::TempDir;
use testkit::Database;
use testkit::postgres::shared;

use crate::invented::{Invented, Plan, invent};

/// A metrics database with invented sessions in it.
pub(crate) struct History {
    pub(crate) store: Store,
    database: Database,
    pub(crate) root: TempDir,
}

impl History {
    /// An empty one.
    pub(crate) async fn new() -> Self {
        let database = Database::fresh().await;
        let store = Store::connect(&config(&database)).await.unwrap();
        store.migrate().await.unwrap();
        let root = tempfile::tempdir().unwrap();
        // What makes a directory a root.
        std::fs::create_dir(root.path().join("load-test")).unwrap();
        std::fs::write(root.path().join("load-test/targets.toml"), "").unwrap();
        Self {
            store,
            database,
            root,
        }
    }

    /// Adds a session under its own id; answers the numbers of its runs.
    pub(crate) async fn add(&self, invented: &Invented) -> Vec<i64> {
        let session = &invented.session;
        let new = NewSession {
            id: session.id.clone(),
            command: session.command.clone(),
            seed: session.seed,
            runtime: session.runtime.clone(),
            git_commit: session.git_commit.clone(),
            environment: session.environment.clone(),
            fingerprint: session.fingerprint.clone(),
        };
        self.store.create_session(&new).await.unwrap();
        let mut ids = Vec::new();
        for cell in &invented.runs {
            let run = &cell.run;
            let id = self
                .store
                .create_run(&NewRun {
                    session_id: run.session_id.clone(),
                    api_name: run.api_name.clone(),
                    scenario: run.scenario.clone(),
                    test_mode: run.test_mode.clone(),
                    payload_size: run.payload_size.clone(),
                    protocol: run.protocol.clone(),
                    language: run.language.clone(),
                    framework: run.framework.clone(),
                    driver: run.driver.clone(),
                    run_label: format!("{}-{}", session.id, run.run_label),
                    trial: run.trial,
                    run_order: run.run_order,
                    seed: run.seed,
                    phase_scale: run.phase_scale,
                })
                .await
                .unwrap();
            if let Some(performance) = &cell.performance {
                self.store.put_performance(id, performance).await.unwrap();
            }
            self.store.put_phases(id, &cell.phases).await.unwrap();
            self.store.insert_samples(id, &cell.samples).await.unwrap();
            if let Some(audit) = &run.audit {
                self.store.set_audit(id, audit).await.unwrap();
            }
            self.store.set_checks(id, &run.checks).await.unwrap();
            self.store
                .set_validity(id, run.valid.unwrap_or(true), &run.invalid_reasons)
                .await
                .unwrap();
            if let Some(stats) = &run.database_stats {
                self.store.set_database_stats(id, stats).await.unwrap();
            }
            if let Some(stats) = &run.scenario_stats {
                self.store.set_scenario_stats(id, stats).await.unwrap();
            }
            let error = run.error_message.as_deref();
            self.store
                .finish_run(id, run.status, run.duration_seconds, error)
                .await
                .unwrap();
            ids.push(id);
        }
        self.store.finish_session(&session.id).await.unwrap();
        ids
    }

    /// `weir` with these arguments on this database: exit status, standard output, standard error.
    pub(crate) fn weir(&self, arguments: &[&str]) -> (i32, String, String) {
        let config = config(&self.database);
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(arguments)
            .current_dir(self.root.path())
            .env("WEIR_ROOT", self.root.path())
            .env("DB_HOST", &config.host)
            .env("DB_PORT", config.port.to_string())
            .env("DB_NAME", &config.name)
            .env("DB_USER", &config.user)
            .env("DB_PASSWORD", &config.password)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code().unwrap_or(-1),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// Standard output of a command that must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.weir(arguments);
        assert_eq!(code, 0, "{arguments:?}: {out}{err}");
        out
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(arguments)).unwrap()
    }
}

fn config(database: &Database) -> MetricsDbConfig {
    MetricsDbConfig {
        host: "127.0.0.1".into(),
        port: shared().port(),
        name: database.name().to_owned(),
        ..MetricsDbConfig::default()
    }
}

#[tokio::test]
async fn runs_can_be_listed_filtered_and_shown() {
    let history = History::new().await;
    assert_eq!(history.ok(&["runs", "list"]).trim(), "no such run");
    let ids = history
        .add(&invent(&Plan {
            payloads: &["default", "8k"],
            scale: 0.1,
            ..Plan::default()
        }))
        .await;
    let all = history.ok(&["runs", "list"]);
    assert_eq!(all.lines().count(), 5, "{all}");
    assert!(all.lines().next().unwrap().starts_with("ID "), "{all}");
    let some = history.ok(&[
        "runs",
        "list",
        "--target",
        "producer-grpc",
        "--payload",
        "8k",
        "--mode",
        "full",
    ]);
    assert_eq!(some.lines().count(), 2, "{some}");
    assert!(
        some.contains("producer-grpc") && some.contains("ok, "),
        "{some}"
    );
    assert_eq!(
        history
            .json(&["runs", "list", "--limit", "3", "--json"])
            .as_array()
            .unwrap()
            .len(),
        3
    );

    let shown = history.ok(&["runs", "show", &ids[0].to_string()]);
    for part in [
        "producer-rest, rest",
        "4 higher-load",
        "generator",
        "Contract",
        "p99.9",
    ] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
    let json = history.json(&["runs", "show", &ids[0].to_string(), "--json"]);
    assert_eq!(json["phases"].as_array().unwrap().len(), 4);
    let (code, _, error) = history.weir(&["runs", "show", "424242"]);
    assert_ne!(code, 0);
    assert!(error.contains("424242"), "{error}");
}

#[tokio::test]
async fn a_run_is_exported_by_the_ending_of_its_file() {
    let history = History::new().await;
    let id = history
        .add(&invent(&Plan {
            scale: 0.05,
            ..Plan::default()
        }))
        .await[1]
        .to_string();
    history.ok(&["runs", "export", &id, "run.json"]);
    let json: Value = serde_json::from_str(
        &std::fs::read_to_string(history.root.path().join("run.json")).unwrap(),
    )
    .unwrap();
    assert_eq!(json["run"]["api_name"], "producer-grpc");
    assert!(json["samples"].as_array().unwrap().len() > 50);
    history.ok(&["runs", "export", &id, "run.csv"]);
    let mut csv = csv::Reader::from_path(history.root.path().join("run.csv")).unwrap();
    let headers = csv.headers().unwrap().clone();
    let p99 = headers
        .iter()
        .position(|name| name == "latency_p99")
        .unwrap();
    let lines: Vec<_> = csv.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 4);
    assert!(
        lines
            .iter()
            .all(|line| line[p99].parse::<f64>().unwrap() > 0.0)
    );
    let (code, _, error) = history.weir(&["runs", "export", &id, "run.xml"]);
    assert_ne!(code, 0);
    assert!(error.contains("--format"), "{error}");
    history.ok(&["runs", "export", &id, "run.xml", "--format", "json"]);
}

#[tokio::test]
async fn cleanup_deletes_only_when_told() {
    let history = History::new().await;
    history
        .add(&invent(&Plan {
            mode: "smoke",
            trials: 3,
            ..Plan::default()
        }))
        .await;
    let (code, _, error) = history.weir(&["runs", "cleanup"]);
    assert_ne!(code, 0, "a clean-up without a bound must be refused");
    assert!(error.contains("--days"), "{error}");
    let dry = history.ok(&["runs", "cleanup", "--keep", "1"]);
    assert!(dry.contains("would delete 4 runs"), "{dry}");
    assert_eq!(
        history
            .json(&["runs", "list", "--json"])
            .as_array()
            .unwrap()
            .len(),
        6
    );
    assert!(
        history
            .ok(&["runs", "cleanup", "--days", "30"])
            .contains("nothing to delete")
    );
    let done = history.json(&["runs", "cleanup", "--keep", "1", "--execute", "--json"]);
    assert_eq!(done["deleted"], 4);
    assert_eq!(
        history
            .json(&["runs", "list", "--json"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn the_summary_compares_the_newest_runs() {
    let history = History::new().await;
    history
        .add(&invent(&Plan {
            scale: 0.05,
            ..Plan::default()
        }))
        .await;
    let plain = history.ok(&["runs", "summary"]);
    assert!(
        plain.starts_with("1 session, 2 runs, 8 phases, "),
        "{plain}"
    );
    let compared = history.ok(&["runs", "summary", "--comparison"]);
    assert!(
        compared.contains("P99 MS") && compared.matches("producer-grpc").count() == 2,
        "{compared}"
    );
    let json = history.json(&["runs", "summary", "--comparison", "--json"]);
    assert_eq!(json["latest"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_report_is_written_in_every_format() {
    let history = History::new().await;
    let invented = invent(&Plan {
        scale: 0.05,
        ..Plan::default()
    });
    history.add(&invented).await;
    let said = history.ok(&["report", "--format", "html,markdown,json,csv,junit"]);
    assert!(
        said.contains("one trial each: no interval, so no verdict."),
        "{said}"
    );
    let folder = history
        .root
        .path()
        .join("load-test/results")
        .join(&invented.session.id);
    for name in [
        "report.html",
        "report.md",
        "report.json",
        "report.csv",
        "report.junit.xml",
    ] {
        assert!(folder.join(name).is_file(), "{name}");
        assert!(said.contains(name), "{said}");
    }
    let (code, _, error) = history.weir(&["report", "no-such-session"]);
    assert_ne!(code, 0);
    assert!(error.contains("no-such-session"), "{error}");
}

#[tokio::test]
async fn a_session_that_cannot_be_gone_on_with_does_not_end_the_search() {
    let history = History::new().await;
    let session = |id: &str| NewSession {
        id: id.into(),
        command: String::new(),
        seed: 1,
        runtime: "native".into(),
        git_commit: None,
        environment: serde_json::json!({}),
        fingerprint: "a".into(),
    };
    let plan = serde_json::json!({ "mode": "smoke", "targets": [], "payloads": [], "seed": 1, "phase_scale": 1.0, "cells": 2 });
    let mut without_cells = plan.clone();
    without_cells["cells"] = Value::Null;
    // The newest come first: none of them can be read, or says how many runs it has.
    for (id, plan) in [
        ("1-unfinished", plan),
        ("2-of-another-form", serde_json::json!({ "mode": 5 })),
        ("3-without-cells", without_cells),
    ] {
        history.store.create_session(&session(id)).await.unwrap();
        history.store.set_session_plan(id, &plan).await.unwrap();
    }
    // Arguments that disagree: the refusal names the session that was found, and nothing is run.
    let config = config(&history.database);
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["run", "full", "--resume"])
        .env("WEIR_ROOT", crate::checkout::repository())
        .env("DB_HOST", &config.host)
        .env("DB_PORT", config.port.to_string())
        .env("DB_NAME", &config.name)
        .env("DB_USER", &config.user)
        .env("DB_PASSWORD", &config.password)
        .output()
        .unwrap();
    let text = crate::checkout::text(&output);
    assert_eq!(output.status.code(), Some(64), "{text}");
    assert!(
        text.contains("1-unfinished") && text.contains("its mode is smoke, not full"),
        "{text}"
    );
}

/// A session with this id and commit, whose service takes `factor` times the CPU.
fn session_of(day: usize, factor: f64) -> Invented {
    let mut invented = invent(&Plan {
        mode: "compare",
        trials: 1,
        scale: 0.1,
        ..Plan::default()
    });
    let id = format!("202611{:02}T104205Z-0000", day + 1);
    invented.session.id.clone_from(&id);
    invented.session.git_commit = Some(format!("{day:040x}"));
    let wobble = 1.0 + ((day * 7) % 11) as f64 / 1000.0;
    for run in &mut invented.runs {
        run.run.session_id = Some(id.clone());
        for phase in &mut run.phases {
            phase.target_cpu_seconds = phase.target_cpu_seconds.map(|cpu| cpu * factor * wobble);
        }
    }
    invented
}

#[tokio::test]
async fn a_history_names_the_commit_at_which_a_figure_changed() {
    let history = History::new().await;
    for day in 0..14 {
        history
            .add(&session_of(day, if day < 8 { 1.0 } else { 1.3 }))
            .await;
    }
    let text = history.ok(&["history", "producer-rest", "--html", "h.html"]);
    assert!(
        text.starts_with("service CPU of a success, µs: compare, scale 0.1, payload default"),
        "{text}"
    );
    let changes: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("Worse: "))
        .collect();
    assert_eq!(changes.len(), 1, "{text}");
    assert!(
        changes[0].contains("from 0000000000 to 0000000000: "),
        "{text}"
    );
    let page = std::fs::read_to_string(history.root.path().join("h.html")).unwrap();
    assert_eq!(page.matches("<circle").count(), 14);
    let json = history.json(&["history", "producer-rest", "cpu", "--json"]);
    let series = &json["series"][0];
    assert_eq!(series["points"].as_array().unwrap().len(), 14);
    assert_eq!(series["changes"][0]["index"], 8);
    assert_eq!(series["changes"][0]["commit"], format!("{:040x}", 8));
    let rate = history.ok(&["history", "producer-rest", "rate"]);
    assert!(rate.contains("No change found."), "{rate}");
    let (status, _, error) = history.weir(&["history", "nobody"]);
    assert_eq!(status, 64);
    assert!(error.contains("weir runs summary"), "{error}");
}
