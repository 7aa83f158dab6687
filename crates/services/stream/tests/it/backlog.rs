//! A service that is started over many transactions: live streams begin after the first numbering, without a walk.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use testkit::postgres::{Database, lock_table};
use testkit::process::Service;
use tokio_postgres::Client;

use crate::client::{Event, Grpc, Sse};
use crate::support::{EPOCH, Fixture, assert_dense, ids, insert, insert_many, metric, serve};

const BACKLOG: usize = 50_000;

/// A database with a schema and transactions that have no number yet.
async fn with_backlog() -> (Database, Client) {
    let Fixture { database, service } = Fixture::start().await;
    drop(service);
    let writer = database.client().await;
    // Of one transaction, and of many.
    insert_many(&writer, "bulk", BACKLOG as i32 - 100).await;
    for n in 0..100 {
        insert(&writer, &format!("single-{n}")).await;
    }
    (database, writer)
}

/// `count` live subscribers, over both faces.
async fn subscribe(service: &Service, count: usize) -> (Vec<Sse>, Vec<Grpc>) {
    let (http, grpc) = (service.http(), service.grpc());
    let sse = join_all((0..count / 2).map(|_| Sse::open(http, ""))).await;
    let over_grpc = (0..count / 2).map(|_| Grpc::open(grpc, Default::default()));
    (sse, join_all(over_grpc).await)
}

/// The next `count` events of each.
async fn take(streams: &mut (Vec<Sse>, Vec<Grpc>), count: usize) -> Vec<Vec<Event>> {
    let mut events = join_all(streams.0.iter_mut().map(|sse| sse.take(count))).await;
    events.extend(join_all(streams.1.iter_mut().map(|grpc| grpc.take(count))).await);
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn live_streams_begin_after_the_first_numbering_and_nobody_walks_the_backlog() {
    let (database, mut writer) = with_backlog().await;
    // Holds the first numbering up, and nothing else.
    let lock = lock_table(&mut writer, "transaction_log", "SHARE").await;
    let numbering = serve(database.url(), &[]);
    let following = serve(database.url(), &[]);
    let mut subscribers = subscribe(&numbering, 100).await;
    let mut followers = subscribe(&following, 20).await;
    let other = database.client().await;
    insert(&other, "during").await;
    lock.commit().await.unwrap();
    let begun = Instant::now();
    for streams in [&mut subscribers, &mut followers] {
        for events in take(streams, 1).await {
            assert_eq!(ids(&events), ["during"]);
            assert_dense(&events, BACKLOG as u64 + 1);
        }
    }
    let took = begun.elapsed();
    // The numbering, and no more.
    assert!(took < Duration::from_secs(20), "{took:?}");
    let late = Sse::open(numbering.http(), "").await;
    subscribers.0.push(late);
    insert(&other, "after").await;
    let late = subscribers.0.pop().unwrap().take(1).await;
    for streams in [&mut subscribers, &mut followers] {
        for events in take(streams, 1).await {
            assert_eq!(ids(&events), ["after"]);
            assert_eq!(ids(&late), ["after"]);
            assert_dense(&events, BACKLOG as u64 + 2);
        }
    }
    for service in [&numbering, &following] {
        assert_eq!(metric(service, "stream_replay_pages_total").await, 0.0);
    }
    // It is all there for who wants it.
    let all = Sse::resume(following.http(), &format!("limit={}", BACKLOG + 2), 0).await;
    let all = all.rest().await;
    assert_dense(&all, 1);
    assert_eq!(all.len(), BACKLOG + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_seeks_a_time_during_the_first_numbering_does_not_walk_either() {
    let (database, mut writer) = with_backlog().await;
    let lock = lock_table(&mut writer, "transaction_log", "SHARE").await;
    let service = serve(database.url(), &[]);
    let query = "since=2030-01-01T00:00:00Z&limit=1";
    let mut late = Sse::open(service.http(), query).await;
    let mut early = Sse::open(service.http(), &format!("since={EPOCH}&limit=3")).await;
    lock.commit().await.unwrap();
    assert_dense(&early.take(3).await, 1);
    let pages = metric(&service, "stream_replay_pages_total").await;
    database
        .client()
        .await
        .execute(
            "INSERT INTO transactions (tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp)
             VALUES ('late', 'a', 'b', 1, 'transfer', '2030-01-01Z')",
            &[],
        )
        .await
        .unwrap();
    let events = late.take(1).await;
    assert_eq!(ids(&events), ["late"]);
    assert_dense(&events, BACKLOG as u64 + 1);
    let walked = metric(&service, "stream_replay_pages_total").await - pages;
    assert!(walked <= 2.0, "{walked} pages");
}

/// What a look numbers is published without being read a second time.
#[tokio::test]
async fn the_numbering_gives_back_what_it_numbered() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    let mut sse = fixture.sse("").await;
    insert(&writer, "first").await;
    sse.take(1).await;
    let before = metric(&fixture.service, "stream_feed_pages_total").await;
    for n in 0..200 {
        insert(&writer, &format!("t-{n}")).await;
    }
    insert_many(&writer, "bulk", 1000).await;
    let events = sse.take(1200).await;
    assert_dense(&events, 2);
    assert_eq!(events[1199].tx_id, "bulk-1000");
    let read = metric(&fixture.service, "stream_feed_pages_total").await - before;
    assert_eq!(read, 0.0);
    // More than one look gives back: the rest is read.
    insert_many(&writer, "many", 5000).await;
    assert_dense(&sse.take(5000).await, 1202);
    let read = metric(&fixture.service, "stream_feed_pages_total").await - before;
    assert!((1.0..=4.0).contains(&read), "{read} pages");
}
