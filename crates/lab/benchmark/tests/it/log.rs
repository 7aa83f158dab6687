//! The event log, in-process and over gRPC.

use std::time::Duration;

use metrics_db::Store;
use serde_json::Value;
use testkit::postgres::Database;
use testkit::process::Service;

use crate::process::{command, json};
use crate::services::build;

fn server() -> Service {
    let binary = build(&["event-log"]).join("event-log");
    let service = Service::spawn(binary, &["serve"], &[("EVENT_LOG_DIR", "data")]);
    let ready = service.wait_for_log("ready", Duration::from_secs(40));
    assert!(ready.is_some(), "{}", service.log());
    service
}

async fn run(options: &[&str]) -> (Option<i32>, Value) {
    let mut command = command(options);
    command.args([
        "--duration=1s",
        "--warmup=100ms",
        "--progress=none",
        "--json=-",
        "--concurrency=8",
        "--entries=2000",
    ]);
    let output = command.output().await.unwrap();
    (output.status.code(), json(&output))
}

fn assert_done(status: Option<i32>, result: &Value, entries_per_request: u64) {
    assert_eq!(status, Some(0), "{result}");
    assert_eq!(result["passed"], true, "{result}");
    assert_eq!(result["failed"], 0);
    assert_eq!(result["entriesPerRequest"], entries_per_request);
    assert!(
        result["entriesPerSecond"].as_f64().unwrap() > 100.0,
        "{result}"
    );
    assert!(result["latencyMs"]["p99"].as_f64().unwrap() > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_are_in_the_chain_once() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    for durability in ["synced", "buffered"] {
        let (status, result) = run(&[
            "--scenario=append",
            "--protocol=direct",
            "--log-dir",
            place,
            "--durability",
            durability,
        ])
        .await;
        assert_done(status, &result, 1);
        assert_eq!(result["durability"], durability);
        assert_eq!(result["audit"]["passed"], true);
        assert_eq!(result["audit"]["found"], result["audit"]["acknowledged"]);
    }
    // The folder was the run's own.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_the_same() {
    let server = tokio::task::spawn_blocking(server).await.unwrap();
    let url = format!("http://{}", server.grpc());
    for (scenario, entries) in [
        ("append", 1),
        ("tail", 2000),
        ("verify", 2000),
        ("produce", 100),
    ] {
        for protocol in ["direct", "grpc"] {
            let scenario = format!("--scenario={scenario}");
            let protocol = format!("--protocol={protocol}");
            let mut options = vec![scenario.as_str(), protocol.as_str()];
            if protocol.ends_with("grpc") {
                options.extend(["--url", url.as_str()]);
            }
            let (status, result) = run(&options).await;
            assert_done(status, &result, entries);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_run_counts_entries() {
    let metrics = Database::fresh().await;
    let config = crate::record::config(&metrics);
    let output = command(&[
        "--scenario=verify",
        "--protocol=direct",
        "--entries=500",
        "--duration=1s",
        "--warmup=0s",
        "--run-id=verify-1",
        "--progress=none",
        "--json=-",
    ])
    .env("DB_HOST", &config.host)
    .env("DB_PORT", config.port.to_string())
    .env("DB_NAME", &config.name)
    .env("DB_PASSWORD", &config.password)
    .output()
    .await
    .unwrap();
    let result = json(&output);
    assert!(output.status.success(), "{result}");
    let store = Store::connect(&config).await.unwrap();
    let run = store.run_by_label("verify-1").await.unwrap().unwrap();
    assert_eq!(
        (run.scenario.as_str(), run.protocol.as_str()),
        ("log", "direct")
    );
    assert_eq!(run.api_name, "in-process, verify");
    assert_eq!(run.scenario_stats.unwrap()["entriesPerRequest"], 500);
    let figures = store.performance(run.id).await.unwrap().unwrap();
    let requests = i64::try_from(result["requests"].as_u64().unwrap()).unwrap();
    assert_eq!(figures.successful_requests, 500 * requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_fails_the_run() {
    let mut server = tokio::task::spawn_blocking(server).await.unwrap();
    let url = format!("http://{}", server.grpc());
    let running = command(&[
        "--scenario=append",
        "--url",
        &url,
        "--duration=3s",
        "--warmup=0s",
        "--concurrency=4",
        "--progress=none",
    ])
    .spawn()
    .unwrap();
    let http = server.http();
    testkit::eventually("entries are appended", async || {
        testkit::http::metric(http, "chain_appends_total").await >= 100.0
    })
    .await;
    server.kill();
    let output = running.wait_with_output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_sessions_go_over_both_faces() {
    let server = server();
    let (rest, grpc) = (
        format!("http://{}", server.http()),
        format!("http://{}", server.grpc()),
    );
    for (protocol, url, path) in [
        ("rest", &rest, "/api/v1/logs/{partition}"),
        ("rest", &rest, "/api/v1/topics/{topic}/records"),
        ("grpc", &grpc, "/immutablelog.ImmutableLogService/Append"),
        ("grpc", &grpc, "/takhin.v1.TakhinService/ProduceMessage"),
    ] {
        let run_id = format!("r{}-{}", protocol, path.len());
        let output = command(&[
            "--scenario=log",
            "--protocol",
            protocol,
            "--url",
            url,
            "--path",
            path,
            "--run-id",
            &run_id,
            "--steps=4x300ms,2x300ms",
            "--pause=100ms",
            "--progress=none",
            "--json=-",
        ])
        .output()
        .await
        .unwrap();
        let result = json(&output);
        assert_eq!(output.status.code(), Some(0), "{path}: {result}");
        assert_eq!(crate::schema::fault(&result), None);
        for level in result["levels"].as_array().unwrap() {
            assert_eq!(level["scenario"], "log");
            assert!(
                level["requests"]["successful"].as_u64() > Some(5),
                "{path}: {level}"
            );
            assert_eq!(
                level["requests"]["failed"], 0,
                "{path}: {}",
                level["errors"]
            );
        }
    }
}

/// A short delivery over a real server: its status and result.
async fn deliver(url: &str, options: &[&str]) -> (Option<i32>, Value) {
    let mut command = command(&["--url", url, "--rate=500", "--duration=2s"]);
    command.args(["--warmup=200ms", "--progress=none", "--json=-"]);
    let output = command.args(options).output().await.unwrap();
    let result = json(&output);
    assert_eq!(crate::schema::fault(&result), None);
    (output.status.code(), result)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_record_reaches_one_member_and_each_entry_every_follower() {
    let server = tokio::task::spawn_blocking(server).await.unwrap();
    let url = format!("http://{}", server.grpc());
    for (scenario, receipts_each) in [("consume", 1), ("follow", 3)] {
        let scenario = format!("--scenario={scenario}");
        let (status, result) = deliver(&url, &[&scenario, "--clients=3"]).await;
        assert_eq!(status, Some(0), "{result}");
        let delivered = &result["delivered"];
        let written = delivered["written"].as_u64().unwrap();
        assert!(written > 500, "{result}");
        assert_eq!(delivered["received"], written * receipts_each, "{result}");
        assert_eq!(
            (&delivered["missed"], &delivered["repeated"]),
            (&0.into(), &0.into())
        );
        // From the due moment is never shorter than from sending.
        let p50 = |key: &str| result[key]["p50"].as_f64().unwrap();
        assert!(p50("latencyFromDueMs") >= p50("latencyMs"), "{result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_partitions_of_a_member_that_is_cut_off_are_taken_over() {
    let server = tokio::task::spawn_blocking(server).await.unwrap();
    let url = format!("http://{}", server.grpc());
    let (status, result) = deliver(
        &url,
        &[
            "--scenario=consume",
            "--clients=3",
            "--partitions=6",
            "--kill-member",
        ],
    )
    .await;
    assert_eq!(status, Some(0), "{result}");
    let delivered = &result["delivered"];
    assert!(delivered["takeoverMs"].as_f64().unwrap() > 0.0, "{result}");
    assert_eq!(
        (&delivered["missed"], &delivered["orphaned"]),
        (&0.into(), &0.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_contradicts_itself_is_refused() {
    for (options, named) in [
        (
            &["--scenario=consume", "--protocol=direct"][..],
            "--protocol",
        ),
        (&["--scenario=consume", "--clients=13"], "--partitions"),
        (&["--scenario=consume", "--kill-member"], "--kill-member"),
        (
            &["--scenario=follow", "--kill-member", "--clients=2"],
            "--kill-member",
        ),
        (&["--scenario=append", "--kill-member"], "--kill-member"),
        (&["--scenario=follow", "--rate=0"], "--rate"),
        (&["--scenario=follow", "--rate=1e12"], "--rate"),
    ] {
        let output = command(options).output().await.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{options:?}: {errors}");
        assert!(errors.contains(named), "{options:?}: {errors}");
    }
}
