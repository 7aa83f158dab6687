//! The binary as a user runs it.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::Command;

use crate::seen::Treatment;
use crate::services::root;
use crate::{http_server, schema};

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
    let result = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    // Every result of these tests is one of the documented shapes.
    assert_eq!(schema::fault(&result), None, "{result}");
    result
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
    testkit::eventually("the run is under way", async || seen.get().requests >= 200).await;
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

/// What stands on standard error, where the status is `status`; a minute is more than any of them takes.
async fn errors(arguments: &[&str], status: i32) -> String {
    let mut command = command(arguments);
    command
        .env_remove("DB_HOST")
        .env_remove("WEIR_ROOT")
        .current_dir(root());
    let output = tokio::time::timeout(Duration::from_secs(60), command.output());
    let output = output.await.unwrap().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(status),
        "{arguments:?}: {errors}"
    );
    errors
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_has_a_status_of_its_own() {
    for (arguments, option) in [
        ("--rate 0", "--rate must be"),
        ("--rate NaN", "--rate must be"),
        ("--concurrency 0", "--concurrency"),
        ("--concurrency 100000", "--concurrency must be at most"),
        ("--duration 0s", "--duration"),
        ("--timeout 0s", "--timeout"),
        ("--threads 0", "--threads"),
        ("--threads 51", "--threads"),
        (
            "--protocol rest --connections 3",
            "--connections must equal",
        ),
        ("--protocol grpc --connections 51", "--connections must be"),
        ("--keys 10", "--keys 10 is less than --concurrency"),
        ("--keys 100000000", "--keys must be at most"),
        ("--keys 100 --payload 4k", "--payload"),
        ("--scenario balance --accounts 0", "--accounts"),
        ("--target nope", "there are: producer-rest"),
        ("--target producer-rest --targets nowhere.toml", "--targets"),
        ("--target balance-rest --scenario ingest", "--scenario"),
        ("--target balance-rest --workload low", "--workload"),
        ("--target balance-rest --protocol grpc", "--protocol"),
        ("--target event-log-chain", "--scenario append"),
        ("--workload low --scenario balance", "--scenario"),
        ("--protocol direct", "--protocol=direct"),
        ("--scenario append --protocol rest", "--protocol"),
        ("--scenario append --rate 5", "--rate"),
        ("--scenario append --timeout 0s", "--timeout"),
        ("--scenario tail --clients 0", "--clients"),
        ("--scenario produce --acks 2", "--acks"),
        ("--scenario stream --clients 0", "--clients"),
        ("--scenario stream --rate 1.5", "--rate"),
        ("--scenario stream --live --limit 5", "--limit"),
        ("--scenario stream --live --feed-rate 0", "--feed-rate"),
        ("--url http://127.0.0.1:99999", "--url"),
        ("--url 127.0.0.1:8081", "--url"),
        ("--criteria --rate 5", "--rate does not go with --criteria"),
        ("--workload balance-levels --rate 5", "--rate"),
        ("--criteria --live --rate 5", "--rate"),
        ("--criteria --concurrency 5", "--concurrency"),
        ("--workload high --rate 1", "--rate does not go with"),
        ("--workload high --clients 1", "--clients"),
        ("--workload high --limit 1", "--limit"),
        ("--workload high --live --feed-rate 1", "--feed-rate"),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let errors = errors(&arguments, 64).await;
        assert!(errors.starts_with("error: "), "{arguments:?}: {errors}");
        assert!(errors.contains(option), "{arguments:?}: {errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_options_cannot_know_is_no_wrong_usage() {
    let folder = tempfile::TempDir::new().unwrap();
    let broken = folder.path().join("targets.toml");
    std::fs::write(&broken, "target = 5").unwrap();
    let (address, _) = http_server::start(|_| Treatment::Store).await;
    // Port 9 is discard, which nothing serves.
    for arguments in [
        "--url http://127.0.0.1:9".to_owned(),
        "--url http://no-such-host.invalid:80".to_owned(),
        format!("--target producer-rest --targets {}", broken.display()),
        format!(
            "--url http://{address} --duration 100ms --warmup 0s --json {}/none/result.json",
            folder.path().display()
        ),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        errors(&arguments, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_found_from_anywhere_in_the_repository() {
    let folder = tempfile::TempDir::new().unwrap();
    let inside = folder.path().join("crates/mine");
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::create_dir(folder.path().join("load-test")).unwrap();
    let (address, seen) = http_server::start(|_| Treatment::Store).await;
    let list = format!(
        "[[target]]\nname = \"mine\"\nscenario = \"ingest\"\nprotocol = \"rest\"\nurl = \"http://{address}\""
    );
    std::fs::write(folder.path().join("load-test/targets.toml"), list).unwrap();
    let run = |target: &str, root: &str, within: &Path| {
        let mut command = command(&["--duration=200ms", "--warmup=0s", "--target", target]);
        command.env_remove("DB_HOST").env("WEIR_ROOT", root);
        command.current_dir(within).output()
    };
    let output = run("mine", "", &inside).await.unwrap();
    assert!(output.status.success());
    assert!(seen.get().requests > 0);
    // A root that is named counts before the place.
    let empty = tempfile::TempDir::new().unwrap();
    for (target, root, within, words) in [
        (
            "mine",
            empty.path(),
            inside.as_path(),
            "has no load-test/targets.toml",
        ),
        ("other", folder.path(), empty.path(), "there are: mine"),
    ] {
        let output = run(target, root.to_str().unwrap(), within).await.unwrap();
        assert_eq!(output.status.code(), Some(64));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains(words), "{errors}");
    }
}
