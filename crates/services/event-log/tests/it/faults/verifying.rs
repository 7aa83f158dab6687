//! Long checks of chains, and everybody else.

use std::time::{Duration, Instant};

use testkit::http;

use crate::support::Fixture;

/// Many long verifications at once: a short one, an append and a read are served meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_served_while_long_chains_are_verified() {
    let fixture = Fixture::start();
    let address = fixture.service.http();
    let client = fixture.client().await;
    // 16 blocks of 1 MiB.
    let data = format!("\"{}\"", "x".repeat(512 * 1024));
    for _ in 0..32 {
        assert!(client.append("long", &data).await.unwrap().success);
    }
    assert!(client.append("short", "1").await.unwrap().success);
    let begun = Instant::now();
    assert_eq!(
        http::get(address, "/api/v1/logs/long/verify").await.status,
        200
    );
    let alone = begun.elapsed();
    let long: Vec<_> = (0..12)
        .map(|_| {
            tokio::spawn(async move {
                let found = http::get(address, "/api/v1/logs/long/verify").await;
                (found.json()["valid"].clone(), Instant::now())
            })
        })
        .collect();
    tokio::time::timeout(Duration::from_secs(60), async {
        while !long.iter().any(tokio::task::JoinHandle::is_finished) {
            let found = http::get(address, "/api/v1/logs/short/verify").await;
            assert_eq!(found.json()["valid"], true);
            assert_eq!(
                http::post_json(address, "/api/v1/logs/short", "1")
                    .await
                    .status,
                201
            );
            assert_eq!(
                http::get(address, "/api/v1/logs/short/last").await.status,
                200
            );
        }
    })
    .await
    .expect("the first long one ends");
    let served_at = Instant::now();
    let mut last = served_at;
    for long in long {
        let (valid, ended) = long.await.unwrap();
        assert_eq!(valid, true);
        last = last.max(ended);
    }
    let entries = http::get(address, "/api/v1/logs/short/last").await.json()["seq"].clone();
    assert!(
        entries.as_u64().unwrap() > 0,
        "nothing was served in {alone:?} and more"
    );
}
