//! The binary as a user runs it.

use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::Command;

use crate::http_server;
use crate::seen::Treatment;

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_benchmark"));
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_gives_what_was_measured() {
    let (address, seen) =
        http_server::start(|_| Treatment::StoreAfter(Duration::from_millis(5))).await;
    let url = format!("http://{address}");
    let child = command(&[
        "--protocol=rest",
        "--concurrency=4",
        "--duration=60s",
        "--warmup=0s",
        "--url",
        &url,
        "--json=-",
        "--progress=none",
    ])
    .spawn()
    .unwrap();
    // Well under way: some hundred requests have been seen.
    while seen.get().requests < 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    kill(Pid::from_raw(child.id().unwrap() as i32), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    let result = json(&output);
    assert_eq!(result["interrupted"], true);
    assert_eq!(result["schema"], "weir.benchmark/1");
    let acknowledged = result["events"]["acknowledged"].as_u64().unwrap() as usize;
    assert!(acknowledged >= 200);
    assert_eq!(acknowledged, seen.get().requests);
    assert!(result["measuredSeconds"].as_f64().unwrap() < 30.0);
    assert!(result["latencyMs"]["p50"].as_f64().unwrap() >= 5.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_summary_names_rate_latency_and_errors() {
    let (address, _) = http_server::start(|number| {
        if number % 3 == 0 {
            Treatment::Refuse
        } else {
            Treatment::Store
        }
    })
    .await;
    let url = format!("http://{address}");
    let output = command(&[
        "--duration=300ms",
        "--warmup=0s",
        "--concurrency=2",
        "--url",
        &url,
    ])
    .output()
    .await
    .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "Rate:",
        "p99.9",
        "Histogram",
        "http 503",
        "Generator:",
        "acknowledged",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_any_success_fails() {
    let (address, _) = http_server::start(|_| Treatment::Refuse).await;
    let url = format!("http://{address}");
    let output = command(&[
        "--duration=200ms",
        "--warmup=0s",
        "--concurrency=2",
        "--url",
        &url,
    ])
    .output()
    .await
    .unwrap();
    assert_eq!(output.status.code(), Some(1));
}
