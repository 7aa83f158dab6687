//! What subscribers cost in memory.
#![cfg(target_os = "linux")]

use std::time::Duration;

use api::benchmark::StreamRequest;
use api::benchmark::transaction_service_client::TransactionServiceClient;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use testkit::process::Service;

use crate::client::channel;
use crate::support::{EPOCH, Fixture, assert_dense, from_the_first, insert_many, numbered};

/// Anonymous memory of the process, KiB.
fn memory(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let mut words = line.unwrap().split_whitespace();
    words.nth(1).unwrap().parse().unwrap()
}

/// The memory once it has come to rest.
async fn settled(service: &Service) -> u64 {
    let mut last = memory(service);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = memory(service);
        if now.abs_diff(last) < 64 {
            return now;
        }
        last = now;
    }
    panic!("{last} KiB and still changing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_subscribers_are_cheap_while_they_wait() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    insert_many(&writer, "t", 10).await;
    numbered(&writer, 10).await;
    let before = settled(&fixture.service).await;

    let mut sse = Vec::new();
    for _ in 0..1000 {
        sse.push(fixture.sse("").await);
    }
    let with_sse = settled(&fixture.service).await;
    let mut grpc = Vec::new();
    for _ in 0..10 {
        let channel = channel(fixture.service.grpc()).await;
        for _ in 0..100 {
            let mut client = TransactionServiceClient::new(channel.clone());
            let request = StreamRequest::default();
            let stream = client.stream_transactions(request).await.unwrap();
            grpc.push(stream.into_inner());
        }
    }
    let with_both = settled(&fixture.service).await;
    let each_sse = (with_sse - before) as f64 / 1000.0;
    let each_grpc = (with_both - with_sse) as f64 / 1000.0;
    println!(
        "before {before} KiB; a subscriber: {each_sse:.1} KiB over SSE, {each_grpc:.1} KiB over gRPC"
    );
    assert!(each_sse < 64.0, "{each_sse:.1} KiB each");
    assert!(each_grpc < 64.0, "{each_grpc:.1} KiB each");
    // And all of them are served.
    insert_many(&writer, "live", 3).await;
    for mut stream in sse {
        assert_dense(&stream.take(3).await, 11);
    }
    for mut stream in grpc {
        let first = stream.message().await.unwrap().unwrap();
        assert_eq!(first.sequence, 11);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_holds_one_batch() {
    const CLIENTS: usize = 100;
    let fixture = Fixture::start_with(&[("RING_EVENTS", "100")]).await;
    let writer = fixture.writer().await;
    insert_many(&writer, "t", 100_000).await;
    numbered(&writer, 100_000).await;
    let before = settled(&fixture.service).await;
    let mut sse = Vec::new();
    for _ in 0..CLIENTS {
        sse.push(fixture.sse(&format!("since={EPOCH}")).await);
    }
    let with_sse = settled(&fixture.service).await;
    let mut grpc = Vec::new();
    for _ in 0..CLIENTS {
        grpc.push(fixture.grpc(from_the_first()).await);
    }
    let with_both = settled(&fixture.service).await;
    let each_sse = (with_sse - before) as f64 / CLIENTS as f64;
    let each_grpc = (with_both - with_sse) as f64 / CLIENTS as f64;
    println!(
        "before {before} KiB; who does not read: {each_sse:.1} KiB over SSE, {each_grpc:.1} KiB over gRPC"
    );
    assert!(each_sse < 400.0, "{each_sse:.1} KiB each");
    assert!(each_grpc < 400.0, "{each_grpc:.1} KiB each");
    // Each goes on where it was.
    assert_dense(&sse.pop().unwrap().take(20_000).await, 1);
    assert_dense(&grpc.pop().unwrap().take(20_000).await, 1);
}
