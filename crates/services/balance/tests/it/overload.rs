//! More than is taken: a full queue, reads that take too long.

use serde_json::json;
use tonic::Code;

use crate::support::{Fixture, get_balance, get_balances, lock_accounts};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_says_when_to_come_again() {
    let fixture = Fixture::start_with(&[("QUEUE_CAPACITY", "4"), ("READERS", "1")]).await;
    let answers = fixture.crowd(50).await;
    let (answered, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    // At most what one read took and what then fitted into the queue.
    assert!((4..=8).contains(&answered.len()), "{}", answered.len());
    for answer in refused {
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, Some("1"))
        );
        assert_eq!(answer.json()["error"], json!("unavailable"));
        assert_eq!(
            answer.json()["message"],
            json!("the queue is full: retry later")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_resource_exhausted_with_a_hint_over_grpc() {
    let fixture = Fixture::start_with(&[("QUEUE_CAPACITY", "2"), ("READERS", "1")]).await;
    let mut database = fixture.database.client().await;
    let lock = lock_accounts(&mut database).await;
    let client = fixture.client().await;
    let calls = (0..20).map(|_| {
        let mut client = client.clone();
        async move { get_balance(&mut client, "a").await }
    });
    let release = async {
        fixture.until_queued(10).await;
        lock.commit().await.unwrap();
    };
    let (outcomes, ()) = tokio::join!(futures_util::future::join_all(calls), release);
    let refused: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(refused.len() >= 10, "{} refused", refused.len());
    for status in refused {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert_eq!(status.metadata().get("retry-after").unwrap(), "1");
    }
}

#[tokio::test]
async fn a_request_larger_than_the_queue_fits_into_an_empty_one() {
    let fixture = Fixture::start_with(&[("QUEUE_CAPACITY", "2"), ("MAX_READ_ACCOUNTS", "2")]).await;
    let ids = ["a", "b", "c", "x", "a"];
    let mut client = fixture.client().await;
    assert_eq!(get_balances(&mut client, &ids).await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_answered_and_the_service_goes_on() {
    let fixture =
        Fixture::start_with(&[("REQUEST_TIMEOUT", "300ms"), ("DATABASE_POOL_SIZE", "1")]).await;
    let mut database = fixture.database.client().await;
    let lock = lock_accounts(&mut database).await;
    let answer = fixture.get("/api/v1/accounts/a/balance").await;
    assert_eq!(
        (answer.status, &answer.json()["message"]),
        (
            503,
            &json!("no answer from the database in time: retry later")
        )
    );
    let status = get_balance(&mut fixture.client().await, "a")
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (
            Code::Unavailable,
            "no answer from the database in time: retry later"
        )
    );
    lock.commit().await.unwrap();
    assert_eq!(fixture.get("/api/v1/accounts/a/balance").await.status, 200);
    // Nobody waits for the read any more, PostgreSQL neither.
    let running = database
        .query_one(
            "SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND state = 'active' AND query LIKE '%balance::store::read%'
                AND pid <> pg_backend_pid()",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(running.get::<_, i64>(0), 0);
}
