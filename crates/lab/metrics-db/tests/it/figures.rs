//! Performance, phases and samples, written and read back.

use std::time::Duration;

use metrics_db::{Latency, Performance, Phase, ResourceSample, Role, RunFilter, RunStatus};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::{fresh_store, new_run};

fn latency(base: f64) -> Latency {
    Latency {
        avg: Some(base),
        min: Some(base + 1.0),
        max: Some(base + 2.0),
        p50: Some(base + 3.0),
        p90: Some(base + 4.0),
        p95: Some(base + 5.0),
        p99: Some(base + 6.0),
        p999: Some(base + 7.0),
    }
}

fn performance() -> Performance {
    Performance {
        total_requests: 100,
        successful_requests: 98,
        failed_requests: 2,
        dropped_iterations: 1,
        intended_per_sec: Some(51.0),
        throughput_per_sec: 49.0,
        error_rate: 0.02,
        latency: latency(1.0),
        bytes_sent: Some(5_000_000_000),
        bytes_received: Some(6),
        histogram: Some(vec![1, 2, 3]),
    }
}

fn phase(number: i32) -> Phase {
    let base = f64::from(number) * 100.0;
    Phase {
        phase_number: number,
        phase_name: format!("phase {number}"),
        target_vus: number * 10,
        started_at: Some(datetime!(2026-11-21 10:42:05.123456 UTC)),
        duration_seconds: base,
        total_requests: 1,
        successful_requests: 2,
        failed_requests: 3,
        dropped_iterations: 4,
        throughput_per_sec: base + 10.0,
        error_rate: 0.25,
        latency: latency(base + 20.0),
        bytes_sent: Some(5),
        bytes_received: Some(6),
        target_cpu_seconds: Some(base + 30.0),
        database_cpu_seconds: Some(base + 31.0),
        generator_cpu_seconds: Some(base + 32.0),
        target_memory_avg_mb: Some(base + 33.0),
        target_memory_peak_mb: Some(base + 34.0),
        target_cpu_avg_percent: Some(base + 35.0),
        target_cpu_peak_percent: Some(base + 36.0),
        host_steal_seconds: Some(base + 37.0),
    }
}

fn sample(role: Role, at: OffsetDateTime, elapsed: f64) -> ResourceSample {
    ResourceSample {
        boundary: Some(1),
        cpu_seconds: 1.5,
        cpu_percent: Some(2.5),
        steal_seconds: Some(3.5),
        throttled_seconds: Some(4.5),
        memory_used_mb: Some(5.5),
        memory_limit_mb: Some(6.5),
        memory_percent: Some(7.5),
        network_rx_bytes: Some(8),
        network_tx_bytes: Some(9),
        ..ResourceSample::new(role, at, elapsed)
    }
}

#[tokio::test]
async fn performance_is_replaced_and_joined() {
    let (store, _database) = fresh_store().await;
    let run = store
        .create_run(&new_run("producer-rest", "1"))
        .await
        .expect("created");
    assert_eq!(store.performance(run).await.expect("read"), None);
    store
        .put_performance(run, &Performance::default())
        .await
        .expect("first");
    store
        .put_performance(run, &performance())
        .await
        .expect("again");
    assert_eq!(
        store.performance(run).await.expect("read"),
        Some(performance())
    );
    let listed = store
        .runs_with_performance(&RunFilter::default())
        .await
        .expect("read");
    assert_eq!(listed[0].performance, Some(performance()));
    assert!(
        store
            .put_performance(run + 1, &performance())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn phases_replace_those_before_or_leave_them() {
    let (store, _database) = fresh_store().await;
    let run = store
        .create_run(&new_run("producer-rest", "1"))
        .await
        .expect("created");
    store
        .put_phases(run, &[phase(1), phase(2), phase(3)])
        .await
        .expect("first");
    assert_eq!(
        store.phases(run).await.expect("read"),
        [phase(1), phase(2), phase(3)]
    );
    let bare = Phase {
        phase_number: 2,
        phase_name: "only".into(),
        ..Default::default()
    };
    store
        .put_phases(run, &[bare.clone(), phase(1)])
        .await
        .expect("again");
    assert_eq!(
        store.phases(run).await.expect("read"),
        [phase(1), bare.clone()]
    );

    let twice = store
        .put_phases(run, &[phase(4), phase(4)])
        .await
        .expect_err("same number");
    assert!(twice.to_string().contains("Store::put_phases"), "{twice}");
    assert_eq!(store.phases(run).await.expect("read"), [phase(1), bare]);
    store.put_phases(run, &[]).await.expect("none");
    assert!(store.phases(run).await.expect("read").is_empty());
}

#[tokio::test]
async fn samples_come_back_in_order() {
    let (store, _database) = fresh_store().await;
    let run = store
        .create_run(&new_run("producer-rest", "1"))
        .await
        .expect("created");
    let start = datetime!(2026-11-21 10:42:05.123456 UTC);
    let later = sample(Role::Host, start + Duration::from_secs(1), 1.0);
    let first = sample(Role::Target, start, 0.0);
    let bare = ResourceSample::new(Role::Generator, start + Duration::from_secs(2), -2.0);
    store
        .insert_samples(run, &[later.clone(), first.clone()])
        .await
        .expect("copied");
    store
        .insert_samples(run, std::slice::from_ref(&bare))
        .await
        .expect("copied");
    store.insert_samples(run, &[]).await.expect("nothing");
    assert_eq!(
        store.samples(run).await.expect("read"),
        [first.clone(), later, bare]
    );
    assert!(store.insert_samples(run + 1, &[first]).await.is_err());
}

#[tokio::test]
async fn a_boundary_is_waited_for() {
    let (store, _database) = fresh_store().await;
    let run = store
        .create_run(&new_run("producer-rest", "1"))
        .await
        .expect("created");
    let short = Duration::from_millis(50);
    assert!(!store.await_boundary(run, 1, short).await.expect("asked"));
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.await_boundary(run, 1, Duration::from_secs(20)).await }
    });
    let one = sample(Role::Host, OffsetDateTime::now_utc(), 1.0);
    store.insert_samples(run, &[one]).await.expect("copied");
    assert!(waiting.await.expect("task").expect("asked"));
    assert!(!store.await_boundary(run, 2, short).await.expect("asked"));
}

#[tokio::test]
async fn the_newest_completed_run_of_each_cell() {
    let (store, _database) = fresh_store().await;
    let mut ids = Vec::new();
    for (n, api) in [
        "producer-rest",
        "producer-rest",
        "producer-grpc",
        "producer-rest",
    ]
    .iter()
    .enumerate()
    {
        let run = store
            .create_run(&new_run(api, &n.to_string()))
            .await
            .expect("created");
        let figures = Performance {
            throughput_per_sec: n as f64,
            ..performance()
        };
        store.put_performance(run, &figures).await.expect("figures");
        let status = if n == 3 {
            RunStatus::Failed
        } else {
            RunStatus::Completed
        };
        store
            .finish_run(run, status, None, None)
            .await
            .expect("finished");
        ids.push(run);
    }
    let latest = store
        .latest_runs(&RunFilter::default())
        .await
        .expect("read");
    let found: Vec<_> = latest.iter().map(|one| one.run.id).collect();
    assert_eq!(found, [ids[2], ids[1]]);
    assert_eq!(
        latest[1]
            .performance
            .as_ref()
            .map(|figures| figures.throughput_per_sec),
        Some(1.0)
    );
}

#[tokio::test]
async fn an_idle_process_is_seen_by_its_name() {
    let (store, _database) = fresh_store().await;
    store.ping().await.expect("answers");
    let idle = store
        .idle_seconds_of("weir")
        .await
        .expect("asked")
        .expect("connected");
    assert!((0.0..60.0).contains(&idle), "{idle}");
    assert_eq!(store.idle_seconds_of("nobody").await.expect("asked"), None);
}
