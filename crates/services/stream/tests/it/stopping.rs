//! The end of the process.

use std::time::{Duration, Instant};

use api::benchmark::StreamRequest;
use tonic::Code;

use crate::support::{EPOCH, Fixture, from_the_first, insert, insert_many, metric, numbered};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_open_streams_cleanly() {
    let mut fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    insert_many(&writer, "t", 20_000).await;
    numbered(&writer, 20_000).await;
    let mut ends = Vec::new();
    for n in 0..10 {
        let (silent, rated) = (n % 2 == 0, format!("since={EPOCH}&rate=1000"));
        let mut sse = fixture.sse(if silent { "" } else { &rated }).await;
        let mut grpc = fixture
            .grpc(if silent {
                StreamRequest::default()
            } else {
                StreamRequest {
                    rate_limit: 1000,
                    ..from_the_first()
                }
            })
            .await;
        ends.push(tokio::spawn(async move {
            // A clean end of the body: the client does not see an error.
            while sse.frame().await.is_some() {}
            grpc.end().await
        }));
    }
    insert(&writer, "live").await;
    testkit::eventually("all streams are open and fed", async || {
        metric(&fixture.service, "stream_events_sent_total{face=\"sse\"}").await >= 50.0
            && metric(&fixture.service, "stream_events_sent_total{face=\"grpc\"}").await >= 50.0
    })
    .await;
    let begun = Instant::now();
    let status = fixture.service.terminate();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(status.code(), Some(0), "{}", fixture.service.log());
    for end in ends {
        let (code, message) = end.await.unwrap();
        assert_eq!(code, Code::Unavailable);
        assert_eq!(message, "shutting down");
    }
}

/// Clients that do not read cannot be told; they hold nothing up.
#[tokio::test]
async fn sigterm_does_not_wait_for_clients_that_do_not_read() {
    let mut fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    insert_many(&writer, "t", 100_000).await;
    numbered(&writer, 100_000).await;
    let mut open = Vec::new();
    for _ in 0..5 {
        let sse = fixture.sse(&format!("since={EPOCH}")).await;
        let grpc = fixture.grpc(from_the_first()).await;
        open.push((sse, grpc));
    }
    // Until what sockets and buffers hold is full.
    let mut sent = -1.0;
    testkit::eventually("nothing more can be sent", async || {
        let now = testkit::http::metric(fixture.service.http(), "stream_events_sent_total").await;
        std::mem::replace(&mut sent, now) == now && now > 0.0
    })
    .await;
    let begun = Instant::now();
    let status = fixture.service.terminate();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(status.code(), Some(0), "{}", fixture.service.log());
    drop(open);
}

#[tokio::test]
async fn the_stop_does_not_need_the_database() {
    let mut server = tokio::task::spawn_blocking(testkit::postgres::Server::start)
        .await
        .unwrap();
    let database = testkit::postgres::Database::fresh_on(&server).await;
    let mut service = crate::support::serve(database.url(), &[]);
    let mut sse = crate::client::Sse::open(service.http(), "").await;
    server.stop();
    testkit::eventually("the loss is seen", async || {
        testkit::http::get(service.http(), "/health").await.status == 503
    })
    .await;
    let begun = Instant::now();
    let end = tokio::spawn(async move { sse.frame().await });
    let status = service.terminate();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(status.code(), Some(0), "{}", service.log());
    assert_eq!(end.await.unwrap(), None);
}
