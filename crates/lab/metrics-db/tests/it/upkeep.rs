//! Statistics and clean-up.

use metrics_db::{NewRun, NewSession, Phase, ResourceSample, Role, RunStatus};
use time::OffsetDateTime;

use crate::{fresh_store, new_run};

#[tokio::test]
async fn candidates_by_age_and_by_number() {
    let (store, database) = fresh_store().await;
    let client = database.client().await;
    // (target, days old, ended)
    let runs = [
        ("rest", 40, true),
        ("rest", 20, true),
        ("rest", 1, true),
        ("grpc", 50, true),
        ("grpc", 45, false),
    ];
    let mut ids = Vec::new();
    for (n, (api, days, ended)) in runs.into_iter().enumerate() {
        let id = store
            .create_run(&new_run(api, &n.to_string()))
            .await
            .expect("created");
        if ended {
            store
                .finish_run(id, RunStatus::Completed, None, None)
                .await
                .expect("finished");
        }
        client
            .execute(
                "UPDATE test_runs SET started_at = now() - make_interval(days => $2) WHERE id = $1",
                &[&id, &days],
            )
            .await
            .expect("aged");
        ids.push(id);
    }
    let cases = [
        (Some(30), None, vec![3, 0]),
        (None, Some(1), vec![3, 0, 1]),
        (None, Some(2), vec![0]),
        (Some(30), Some(2), vec![0]),
        (Some(30), Some(3), vec![]),
        (None, Some(0), vec![3, 0, 1, 2]),
        (None, None, vec![]),
    ];
    for (days, keep, expected) in cases {
        let found = store.cleanup_candidates(days, keep).await.expect("read");
        let found: Vec<i64> = found.iter().map(|run| run.id).collect();
        let expected: Vec<i64> = expected.into_iter().map(|n: usize| ids[n]).collect();
        assert_eq!(found, expected, "days {days:?} keep {keep:?}");
    }
}

#[tokio::test]
async fn deleting_takes_all_that_hangs_on_a_run_and_empty_sessions() {
    let (store, _database) = fresh_store().await;
    let session = |id: &str| NewSession {
        id: id.into(),
        runtime: "native".into(),
        ..Default::default()
    };
    store
        .create_session(&session("one"))
        .await
        .expect("session");
    store
        .create_session(&session("two"))
        .await
        .expect("session");
    let mut ids = Vec::new();
    for (label, session) in [("a", "one"), ("b", "two"), ("c", "two")] {
        let run = NewRun {
            session_id: Some(session.into()),
            ..new_run("rest", label)
        };
        let id = store.create_run(&run).await.expect("created");
        let phase = Phase {
            phase_number: 1,
            phase_name: "only".into(),
            ..Default::default()
        };
        store.put_phases(id, &[phase]).await.expect("phases");
        let sample = ResourceSample::new(Role::Host, OffsetDateTime::now_utc(), 0.0);
        store.insert_samples(id, &[sample]).await.expect("samples");
        store
            .finish_run(id, RunStatus::Completed, None, None)
            .await
            .expect("finished");
        ids.push(id);
    }
    let before = store.summary().await.expect("summary");
    assert_eq!(
        (before.sessions, before.runs, before.phases, before.samples),
        (2, 3, 3, 3)
    );
    assert_eq!((before.apis[0].runs, before.apis[0].completed), (3, 3));
    assert!(before.database_bytes > 0);

    assert_eq!(store.delete_runs(&ids[..2]).await.expect("deleted"), 2);
    let after = store.summary().await.expect("summary");
    assert_eq!(
        (after.sessions, after.runs, after.phases, after.samples),
        (1, 1, 1, 1)
    );
    assert_eq!(
        store
            .latest_session()
            .await
            .expect("read")
            .expect("there")
            .id,
        "two"
    );
    assert_eq!(store.delete_runs(&ids[..2]).await.expect("gone already"), 0);
}
