//! Whole sessions on this machine: the services, k6 and PostgreSQL as processes.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::checkout::{Checkout, read_until};

#[test]
fn a_smoke_run_over_both_producers_ends_with_a_report() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let (status, text) = checkout.run(&[
        "run",
        "smoke",
        "",
        "default",
        "--runtime",
        "native",
        "--seed",
        "5",
    ]);
    assert_eq!(status, 0, "{text}");
    for target in ["producer-rest", "producer-grpc"] {
        let done = format!("{target} default: 5 events acknowledged, 5 stored");
        assert!(text.contains(&done), "{text}");
    }
    assert!(text.contains("2 runs completed."), "{text}");
    let reports = checkout.reports();
    assert_eq!(reports.len(), 1, "{text}");
    assert!(text.contains(&reports[0].display().to_string()), "{text}");
    assert!(reports[0].with_extension("md").is_file());
    let results =
        fs::read_dir(checkout.path("load-test/results/throughput-sequential/producer-grpc"));
    let names: Vec<String> = results
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(
        names
            .iter()
            .any(|n| n.starts_with("producer-grpc-smoke-default-") && n.ends_with(".json"))
    );
    assert!(checkout.databases_stopped() && checkout.processes().is_empty());

    // What was recorded can be looked at when nothing runs any more.
    let (status, text) = checkout.run(&["audit", "2"]);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("All 5 acknowledged events are in the database"),
        "{text}"
    );
    assert!(checkout.databases_stopped());
}

#[test]
fn a_broken_target_fails_its_cell_and_no_other() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let targets = checkout.path("load-test/targets.toml");
    let broken = r#"
[[target]]
name = "broken"
scenario = "ingest"
protocol = "rest"
port = 8081
script = "rest-api-test.js"
[target.rest]
path = "/api/v1/events"
health = "/api/v1/events/health"
[target.native]
binary = "/bin/false"
port_env = "SERVER_PORT"
"#;
    fs::write(&targets, fs::read_to_string(&targets).unwrap() + broken).unwrap();
    let arguments = [
        "run",
        "smoke",
        "broken,producer-rest",
        "4k",
        "--runtime",
        "native",
    ];
    let (status, text) = checkout.run(&arguments);
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains("broken 4k: FAILED, waiting until healthy: broken ended"),
        "{text}"
    );
    assert!(
        text.contains("producer-rest 4k: 5 events acknowledged, 5 stored"),
        "{text}"
    );
    assert!(text.contains("1 of 2 runs failed."), "{text}");
    assert_eq!(checkout.reports().len(), 1);
}

#[test]
fn an_interrupt_stops_everything_and_keeps_what_is_finished() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let mut command = checkout.weir(&[
        "run",
        "full",
        "producer-rest",
        "default,4k",
        "--runtime",
        "native",
    ]);
    command
        .env("PHASE_SCALE", "0.02")
        .env("WEIR_ALLOW_DEBUG_BUILD", "1");
    let mut weir = command.stdout(Stdio::piped()).spawn().unwrap();
    let patience = Duration::from_secs(120);
    read_until(&mut weir, "[2/2] producer-rest 4k measuring", patience);
    let processes = checkout.processes();
    assert!(
        processes.len() >= 3,
        "sidecar, target and k6 should run: {processes:?}"
    );

    kill(
        Pid::from_raw(i32::try_from(weir.id()).unwrap()),
        Signal::SIGINT,
    )
    .unwrap();
    let text = read_until(&mut weir, "report.md\n", patience);
    assert_eq!(weir.wait().unwrap().code(), Some(130), "{text}");
    assert!(
        text.contains("[2/2] producer-rest 4k: ABORTED, stopped by the user"),
        "{text}"
    );
    assert!(
        text.contains("Stopped: 1 run completed, 0 failed, 1 aborted, 0 not begun."),
        "{text}"
    );
    for pid in processes {
        assert!(
            kill(Pid::from_raw(pid), None).is_err(),
            "process {pid} is still there"
        );
    }
    assert!(checkout.databases_stopped() && checkout.processes().is_empty());
    assert_eq!(checkout.reports().len(), 1);
}
