//! Whole sessions on this machine: the services, k6 and PostgreSQL as processes.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::checkout::{Checkout, read_until};

#[test]
fn a_smoke_run_over_both_producers_ends_with_a_report() {
    let Some(checkout) = Checkout::fresh() else {
        return;
    };
    let arguments = [
        "run",
        "smoke",
        "",
        "default",
        "--runtime",
        "native",
        "--seed",
        "5",
    ];
    let run = checkout
        .weir(&arguments)
        .env("WRITERS", "3")
        // Settings of k6 and of a service that the lab does not take from the caller: they must change nothing.
        .env("K6_ITERATIONS", "1")
        .env("K6_DURATION", "1s")
        .env("K6_RPS", "1")
        .env("K6_NO_CONNECTION_REUSE", "true")
        .env("SERVER_PORT", "1")
        .output();
    let run = run.unwrap();
    let text = crate::checkout::text(&run);
    assert_eq!(run.status.code(), Some(0), "{text}");
    for target in ["producer-rest", "producer-grpc"] {
        let done = format!("{target} default: 5 events acknowledged, 5 stored");
        assert!(text.contains(&done), "{text}");
    }
    assert!(text.contains("2 runs completed."), "{text}");
    let reports = checkout.reports();
    assert_eq!(reports.len(), 1, "{text}");
    assert!(text.contains(&reports[0].display().to_string()), "{text}");
    let report = fs::read_to_string(reports[0].with_extension("md")).unwrap();
    for said in [
        "WRITERS=3 load-test/shared/run-sequential-throughput-tests.sh smoke '' default --seed 5 --runtime native",
        "lab.targets.producer-grpc.env.WRITERS",
        "lab.let_through.PATH",
    ] {
        assert!(report.contains(said), "{said} is missing in\n{report}");
    }
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
fn a_metrics_database_that_flags_name_is_used_natively() {
    let Some(checkout) = Checkout::fresh() else {
        return;
    };
    // Nobody listens on port 1: a session that ignores the flag is measured, in a database of its own.
    let arguments = [
        "run",
        "smoke",
        "producer-rest",
        "default",
        "--runtime",
        "native",
    ];
    let elsewhere = [
        "--db-host",
        "127.0.0.1",
        "--db-port",
        "1",
        "--db-connect-timeout",
        "1s",
    ];
    let (status, text) = checkout.run(&[&arguments[..], &elsewhere].concat());
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("127.0.0.1:1"), "{text}");
    assert!(checkout.databases_stopped() && checkout.processes().is_empty());
    assert!(!checkout.path(".weir/postgres-metrics").exists());
}

#[test]
fn every_scenario_is_seeded_verified_and_audited_by_its_own_rules() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let targets = "event-log-chain,event-log-topics,stream-grpc,stream-sse,balance-grpc,balance-rest,producer-rest";
    let arguments = ["run", "smoke", targets, "default", "--runtime", "native"];
    let (status, text) = checkout.run(&arguments);
    assert_eq!(status, 0, "{text}");
    for done in [
        "[1/7] producer-rest default: 5 events acknowledged, 5 stored",
        "balance-rest default: 5 balances answered, 5 counted by the service",
        "balance-grpc default: 5 balances answered, 5 counted by the service",
        "stream-sse default: 500 events received, 500 sent by the service",
        "stream-grpc default: 500 events received, 500 sent by the service",
        "event-log-chain default: 5 records acknowledged, 5 in the log",
        "event-log-topics default: 5 records acknowledged, 5 in the log",
        "7 runs completed.",
    ] {
        assert!(text.contains(done), "{done} is missing in\n{text}");
    }
    let report = fs::read_to_string(checkout.reports()[0].with_extension("md")).unwrap();
    for said in [
        "All 7 targets work. A smoke run measures nothing, so nothing is ranked.",
        "Balance: 10 requests in 2 runs, each answered, and counted by the service",
        "| stream | stream-grpc | event |",
        "as many as the service sent",
    ] {
        assert!(report.contains(said), "{said} is missing in\n{report}");
    }

    // Run 4 is stream-sse.
    let (status, shown) = checkout.run(&["runs", "show", "4", "--json"]);
    assert_eq!(status, 0, "{shown}");
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let stats = &shown["run"]["scenario_stats"];
    assert_eq!(
        (&stats["events_received"], &stats["missed"]),
        (&500.into(), &0.into()),
        "{shown}"
    );
    assert!(stats["payload_bytes"].as_f64().unwrap() > 50.0, "{shown}");
    let (status, text) = checkout.run(&["audit", "4"]);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("none missed, none repeated, all in order"),
        "{text}"
    );
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
    // What only reads needs no session to end.
    let (status, listed) = checkout.run(&["runs", "list"]);
    assert!(status == 0 && listed.contains("running"), "{listed}");
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

    // Where it stopped it goes on, and nowhere else.
    let (status, text) = checkout.run(&["run", "smoke", "--resume"]);
    assert!(
        status == 64 && text.contains("its mode is full, not smoke"),
        "{status}: {text}"
    );
    let resumed = checkout
        .weir(&["run", "--resume"])
        .env("WEIR_ALLOW_DEBUG_BUILD", "1")
        .output()
        .unwrap();
    let text = crate::checkout::text(&resumed);
    assert_eq!(resumed.status.code(), Some(0), "{text}");
    assert!(text.contains("1 run of 2 of full"), "{text}");
    assert!(
        !text.contains("[1/2]") && text.contains("[2/2] producer-rest 4k: "),
        "{text}"
    );
    assert!(
        text.contains("1 run completed. 1 run finished before."),
        "{text}"
    );
    assert_eq!(checkout.reports().len(), 1, "one session, one report");
    let (_, runs) = checkout.run(&["runs", "list", "--json"]);
    let runs: serde_json::Value = serde_json::from_str(&runs).unwrap();
    let found: Vec<_> = runs
        .as_array()
        .unwrap()
        .iter()
        .map(|run| {
            let run = run.get("run").unwrap_or(run);
            let label = run["run_label"].as_str().unwrap();
            (
                run["run_order"].as_i64().unwrap(),
                run["status"].as_str().unwrap(),
                label[label.len() - 5..].to_owned(),
            )
        })
        .collect();
    let expected = [
        (2, "completed", "-02-2"),
        (2, "aborted", "-02"),
        (1, "completed", "-01"),
    ];
    for ((order, status, label), (of, was, end)) in found.iter().zip(expected) {
        assert!(
            *order == of && *status == was && label.ends_with(end),
            "{found:?}"
        );
    }
    let (status, text) = checkout.run(&["run", "--resume"]);
    assert!(
        status == 64 && text.contains("nothing to resume"),
        "{status}: {text}"
    );
}

#[test]
fn a_hangup_that_the_caller_ignores_ends_nothing() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let weir = checkout.weir(&[
        "run",
        "smoke",
        "producer-rest",
        "default",
        "--runtime",
        "native",
    ]);
    // As `nohup` starts it.
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(weir.get_program())
        .args(weir.get_args());
    for (name, value) in weir.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut session = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    read_until(&mut session, "warming up", Duration::from_secs(120));
    let pid = Pid::from_raw(i32::try_from(session.id()).unwrap());
    kill(pid, Signal::SIGHUP).unwrap();
    let output = session.wait_with_output().unwrap();
    let text = crate::checkout::text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("1 run completed."), "{text}");
}

/// The newest runs as `weir runs list --json` gives them.
fn listed(checkout: &Checkout) -> Vec<serde_json::Value> {
    let (status, runs) = checkout.run(&["runs", "list", "--json"]);
    assert_eq!(status, 0, "{runs}");
    let runs: serde_json::Value = serde_json::from_str(&runs).unwrap();
    let runs = runs.as_array().unwrap().iter();
    runs.map(|run| run.get("run").unwrap_or(run).clone())
        .collect()
}

#[test]
fn benchmark_makes_the_load_where_it_is_asked_for() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let targets = "producer-rest,producer-grpc,balance-rest,balance-grpc";
    let arguments = ["run", "smoke", targets, "default", "--driver", "benchmark"];
    let (status, text) = checkout.run(&arguments);
    assert_eq!(status, 0, "{text}");
    for done in [
        "producer-rest default: 5 events acknowledged, 5 stored",
        "producer-grpc default: 5 events acknowledged, 5 stored",
        "balance-rest default: 5 balances answered, 5 counted by the service",
        "balance-grpc default: 5 balances answered, 5 counted by the service",
    ] {
        assert!(text.contains(done), "{done} is missing in\n{text}");
    }
    let runs = listed(&checkout);
    assert!(
        runs.iter().all(|run| run["driver"] == "benchmark"),
        "{runs:?}"
    );
}

#[test]
fn saturation_takes_benchmark_whose_steps_are_connections() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let run = checkout
        .weir(&[
            "run",
            "saturation",
            "producer-rest",
            "default",
            "--runtime",
            "native",
        ])
        .env("PHASE_SCALE", "0.005")
        .env("WEIR_ALLOW_DEBUG_BUILD", "1")
        .output()
        .unwrap();
    let text = crate::checkout::text(&run);
    assert_eq!(run.status.code(), Some(0), "{text}");
    assert!(text.contains("audit passed"), "{text}");
    let runs = listed(&checkout);
    assert_eq!(runs[0]["driver"], "benchmark");
    let (_, shown) = checkout.run(&["runs", "show", "1", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let phases = shown["phases"].as_array().unwrap();
    let vus: Vec<i64> = phases
        .iter()
        .map(|p| p["target_vus"].as_i64().unwrap())
        .collect();
    assert_eq!(vus, [10, 50, 100, 200, 500, 1000, 2000], "{shown}");
    for phase in phases {
        assert!(phase["successful_requests"].as_i64() > Some(0), "{phase}");
        assert!(phase["target_cpu_seconds"].as_f64().is_some(), "{phase}");
        assert!(
            phase["generator_cpu_seconds"].as_f64() > Some(0.0),
            "{phase}"
        );
    }
}

#[test]
fn an_aa_session_measures_one_target_under_two_names_and_says_so() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let run = checkout
        .weir(&[
            "run",
            "compare",
            "producer-rest",
            "default",
            "--aa",
            "--trials",
            "2",
            "--rate",
            "50",
        ])
        .args(["--driver", "benchmark", "--margin", "7%"])
        .env("PHASE_SCALE", "0.03")
        .env("WEIR_ALLOW_DEBUG_BUILD", "1")
        .output()
        .unwrap();
    let text = crate::checkout::text(&run);
    assert_eq!(run.status.code(), Some(0), "{text}");
    for name in ["producer-rest default", "producer-rest-aa default trial 2"] {
        assert!(text.contains(name), "{name} is missing in\n{text}");
    }
    // Debug builds are never valid, and what disturbs every round is not repeated.
    assert!(
        text.contains("2 of 2 rounds have a run that is not valid"),
        "{text}"
    );
    let report = fs::read_to_string(checkout.reports()[0].with_extension("md")).unwrap();
    assert!(
        report.contains("Both names are one target (A/A)"),
        "{report}"
    );
    let (status, written) = checkout.run(&["report", "--format", "json", "--json"]);
    assert_eq!(status, 0, "{written}");
    let json = fs::read_to_string(checkout.reports()[0].with_extension("json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json["margin"], 0.07,
        "what was named beforehand is judged by"
    );
}

#[test]
fn null_targets_are_measured_by_both_generators_and_a_repeated_event_fails_the_audit() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let targets = "null-rest,null-grpc,null-balance-rest,null-balance-grpc,null-stream-sse,null-stream-grpc,\
                   null-log-topics,null-log-chain";
    let (status, text) = checkout.run(&["run", "smoke", targets, "default", "--runtime", "native"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("8 runs completed."), "{text}");
    let unary = "null-rest,null-grpc,null-balance-rest,null-balance-grpc";
    let arguments = ["run", "smoke", unary, "default", "--driver", "benchmark"];
    let (status, text) = checkout.run(&arguments);
    assert_eq!(status, 0, "{text}");

    let file = checkout.path("load-test/targets.toml");
    let planted = fs::read_to_string(&file).unwrap();
    let planted = planted.replace(
        "binary = \"null-target\"",
        "args = [\"--fault\", \"repeats-event\"]\nbinary = \"null-target\"",
    );
    fs::write(&file, planted).unwrap();
    let streams = "null-stream-sse,null-stream-grpc";
    let (status, text) = checkout.run(&["run", "smoke", streams, "default", "--runtime", "native"]);
    assert_eq!(status, 1, "{text}");
    for name in ["null-stream-sse", "null-stream-grpc"] {
        let failed = text.lines().any(|line| {
            line.contains(&format!("{name} default: FAILED, Audit: of "))
                && line.contains(" came again")
        });
        assert!(failed, "{name}: {text}");
    }
}

#[test]
fn the_audit_shows_the_lost_updates_of_a_flow_that_reads_before_it_writes() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let target = "producer-read-then-write";
    let arguments = ["run", "smoke", target, "default", "--runtime", "native"];
    let (status, text) = checkout.run(&arguments);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("updates were lost: of 192"), "{text}");
    // It is not among the targets of a run that names none.
    let (status, text) = checkout.run(&["plan", "smoke"]);
    assert!(status == 0 && !text.contains(target), "{text}");
}
