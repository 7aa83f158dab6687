//! Sessions and runs, written and read back.

use metrics_db::{Audit, Check, Error, NewRun, NewSession, Probe, RunFilter, RunStatus, Sampling};
use serde_json::json;

use crate::{fresh_store, new_run};

fn session(id: &str) -> NewSession {
    NewSession {
        id: id.into(),
        command: "weir run smoke".into(),
        seed: 7,
        runtime: "native".into(),
        environment: json!({"cpus": 2}),
        fingerprint: "abc".into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_session_from_start_to_end() {
    let (store, _database) = fresh_store().await;
    assert_eq!(store.latest_session().await.expect("none yet"), None);
    store
        .create_session(&session("20261121T104205Z-aaaa"))
        .await
        .expect("created");
    store
        .create_session(&session("20261121T104206Z-bbbb"))
        .await
        .expect("created");
    store
        .finish_session("20261121T104205Z-aaaa")
        .await
        .expect("finished");

    let latest = store.latest_session().await.expect("read").expect("there");
    assert_eq!(latest.id, "20261121T104206Z-bbbb");
    assert_eq!((latest.seed, latest.completed_at), (7, None));
    assert_eq!(latest.environment, json!({"cpus": 2}));
    let first = store
        .session("20261121T104205Z-aaaa")
        .await
        .expect("read")
        .expect("there");
    assert!(first.completed_at.is_some() && first.plan.is_none());
    let plan = json!({"mode": "smoke", "cells": []});
    store
        .set_session_plan(&first.id, &plan)
        .await
        .expect("planned");
    store.reopen_session(&first.id).await.expect("reopened");
    let again = store
        .session(&first.id)
        .await
        .expect("read")
        .expect("there");
    assert_eq!((again.completed_at, again.plan), (None, Some(plan)));
    assert_eq!(store.sessions(10).await.expect("read").len(), 2);
    let twice = store
        .create_session(&session("20261121T104205Z-aaaa"))
        .await
        .expect_err("taken");
    assert!(
        twice.to_string().contains("Store::create_session"),
        "{twice}"
    );
}

#[tokio::test]
async fn a_run_from_start_to_end() {
    let (store, _database) = fresh_store().await;
    store.create_session(&session("s")).await.expect("session");
    let new = NewRun {
        session_id: Some("s".into()),
        test_mode: "full".into(),
        payload_size: "8k".into(),
        language: Some("Rust".into()),
        trial: 2,
        run_order: 3,
        seed: 9,
        phase_scale: 0.05,
        ..new_run("producer-rest", "label-1")
    };
    let id = store.create_run(&new).await.expect("created");
    let run = store.run(id).await.expect("read");
    assert_eq!(
        (run.status, run.trial, run.run_order, run.phase_scale),
        (RunStatus::Running, 2, 3, 0.05)
    );
    assert_eq!(
        (run.language.as_deref(), run.audit, run.valid),
        (Some("Rust"), None, None)
    );

    let sampling = Sampling {
        target: Some(Probe::Process { pid: 42 }),
        measured_from_us: Some(1_800_000_000_123_456),
        boundaries_s: vec![0.0, 6.0],
        ..Default::default()
    };
    assert_eq!(
        store.running_runs().await.expect("read")[0].sampling,
        Ok(None)
    );
    store.set_sampling(id, &sampling).await.expect("sampling");
    let running = store.running_runs().await.expect("read");
    assert_eq!(running[0].sampling, Ok(Some(sampling)));
    assert_eq!(
        (running[0].id, running[0].api_name.as_str()),
        (id, "producer-rest")
    );

    let checks = [
        Check::ok("audit").with("acknowledged", 10),
        Check::bad("generator_cpu").measured(0.97, 0.8, "share"),
    ];
    store.set_checks(id, &checks).await.expect("checks");
    store
        .set_audit(id, &Audit::judge(10, 2, 11))
        .await
        .expect("audit");
    store
        .set_validity(id, false, &["generator_cpu".into()])
        .await
        .expect("validity");
    store
        .set_database_stats(id, &json!({"rows": 11}))
        .await
        .expect("database stats");
    store
        .set_scenario_stats(id, &json!({"missed": 0}))
        .await
        .expect("scenario stats");
    store
        .finish_run(id, RunStatus::Failed, Some(6.5), Some("too slow"))
        .await
        .expect("finished");

    let run = store
        .run_by_label("label-1")
        .await
        .expect("read")
        .expect("there");
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(run.checks, checks);
    assert_eq!(
        run.audit,
        Some(Audit {
            acknowledged: 10,
            in_doubt: 2,
            stored: 11,
            passed: true
        })
    );
    assert_eq!((run.valid, run.invalid_reasons.len()), (Some(false), 1));
    assert_eq!(run.scenario_stats, Some(json!({"missed": 0})));
    assert_eq!(run.database_stats, Some(json!({"rows": 11})));
    assert_eq!(run.duration_seconds, Some(6.5));
    assert_eq!(run.error_message.as_deref(), Some("too slow"));
    let measured_from = run.measured_from.expect("from sampling");
    assert_eq!(
        measured_from.unix_timestamp_nanos() / 1_000,
        1_800_000_000_123_456
    );
    assert!(run.completed_at.is_some());
    assert!(store.running_runs().await.expect("read").is_empty());

    let document = serde_json::to_value(&run).expect("serialisable");
    assert_eq!(document["status"], "failed");
    assert_eq!(document["checks"][1]["status"], "bad");
    assert_eq!(
        serde_json::from_value::<metrics_db::Run>(document).expect("reads back"),
        run
    );
}

#[tokio::test]
async fn an_unknown_run_is_an_error_that_names_it() {
    let (store, _database) = fresh_store().await;
    for error in [
        store.run(99).await.map(drop).expect_err("read"),
        store.set_checks(99, &[]).await.expect_err("checks"),
        store
            .finish_run(99, RunStatus::Completed, None, None)
            .await
            .expect_err("finish"),
    ] {
        assert!(matches!(error, Error::NoSuchRun(99)), "{error}");
    }
    assert!(
        store
            .create_run(&NewRun {
                session_id: Some("?".into()),
                ..new_run("x", "x")
            })
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_unreadable_sampling_does_not_hide_other_runs() {
    let (store, database) = fresh_store().await;
    let broken = store.create_run(&new_run("a", "1")).await.expect("created");
    store.create_run(&new_run("b", "2")).await.expect("created");
    let client = database.client().await;
    client
        .execute(
            "UPDATE test_runs SET sampling = '{\"target\":{\"kind\":\"vm\"}}' WHERE id = $1",
            &[&broken],
        )
        .await
        .expect("broken");
    let running = store.running_runs().await.expect("read");
    assert!(
        running[0]
            .sampling
            .as_ref()
            .is_err_and(|error| error.contains("vm")),
        "{running:?}"
    );
    assert_eq!(running[1].sampling, Ok(None));
}

#[tokio::test]
async fn filters_and_order() {
    let (store, _database) = fresh_store().await;
    store.create_session(&session("s")).await.expect("session");
    let mut ids = Vec::new();
    for (n, (api, mode, payload)) in [
        ("producer-rest", "smoke", "default"),
        ("producer-grpc", "smoke", "8k"),
        ("producer-rest", "full", "8k"),
        ("producer-rest", "smoke", "8k"),
    ]
    .into_iter()
    .enumerate()
    {
        let session_id = (n == 2).then(|| "s".to_owned());
        let new = NewRun {
            session_id,
            test_mode: mode.into(),
            payload_size: payload.into(),
            ..new_run(api, &n.to_string())
        };
        ids.push(store.create_run(&new).await.expect("created"));
    }
    store
        .finish_run(ids[0], RunStatus::Completed, None, None)
        .await
        .expect("finished");

    let all = RunFilter::default();
    let rest = RunFilter {
        api: Some("producer-rest".into()),
        ..all.clone()
    };
    let smoke = RunFilter {
        mode: Some("smoke".into()),
        ..rest.clone()
    };
    let cases = [
        (all.clone(), vec![3, 2, 1, 0]),
        (rest, vec![3, 2, 0]),
        (smoke.clone(), vec![3, 0]),
        (
            RunFilter {
                limit: Some(1),
                ..smoke.clone()
            },
            vec![3],
        ),
        (
            RunFilter {
                payload: Some("8k".into()),
                ..all.clone()
            },
            vec![3, 2, 1],
        ),
        (
            RunFilter {
                session: Some("s".into()),
                ..all.clone()
            },
            vec![2],
        ),
        (
            RunFilter {
                status: Some(RunStatus::Completed),
                ..all.clone()
            },
            vec![0],
        ),
        (
            RunFilter {
                api: Some("nobody".into()),
                ..all
            },
            vec![],
        ),
    ];
    for (filter, expected) in cases {
        let found: Vec<i64> = store
            .runs(&filter)
            .await
            .expect("read")
            .iter()
            .map(|run| run.id)
            .collect();
        let expected: Vec<i64> = expected.into_iter().map(|n: usize| ids[n]).collect();
        assert_eq!(found, expected, "{filter:?}");
        let with = store.runs_with_performance(&filter).await.expect("read");
        assert_eq!(
            with.iter().map(|one| one.run.id).collect::<Vec<_>>(),
            expected,
            "{filter:?}"
        );
        assert!(with.iter().all(|one| one.performance.is_none()));
    }
}

#[tokio::test]
async fn runs_left_by_a_crash_are_aborted() {
    let (store, _database) = fresh_store().await;
    let done = store.create_run(&new_run("a", "1")).await.expect("created");
    let left = store.create_run(&new_run("a", "2")).await.expect("created");
    store
        .finish_run(done, RunStatus::Completed, None, None)
        .await
        .expect("finished");
    assert_eq!(
        store
            .abort_running_runs("the lab died")
            .await
            .expect("aborted"),
        [left]
    );
    let run = store.run(left).await.expect("read");
    assert_eq!(
        (run.status, run.error_message.as_deref()),
        (RunStatus::Aborted, Some("the lab died"))
    );
    assert_eq!(
        store.run(done).await.expect("read").status,
        RunStatus::Completed
    );
}
