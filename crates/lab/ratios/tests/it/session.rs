//! Whole sessions with real services, as short as it goes: the figures mean nothing, the rest does.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use testkit::programs::build;

/// The command with the services beside it, which are built if need be.
fn ratios(output: &Path, data: &Path) -> Command {
    build(&[
        "producer-rest",
        "producer-grpc",
        "balance",
        "stream",
        "event-log",
    ]);
    let mut command = crate::command::ratios();
    command
        .args(["--pairs=1", "--seconds=1", "--warmup=1", "--allow-debug"])
        .args(["--keys=20000", "--concurrency=20", "--pgbench-clients=5"])
        .arg(format!("--output={}", output.display()))
        .arg(format!("--data-dir={}", data.display()));
    command
}

/// A folder that PostgreSQL's own account can reach.
fn folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new_in("/var/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Processes whose command line or working directory lies in `folder`.
fn running_in(folder: &Path) -> usize {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            let path = entry.path();
            let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            let place = std::fs::read_link(path.join("cwd")).unwrap_or_default();
            place.starts_with(folder)
                || (line.contains("postgres") && line.contains(folder.to_str().unwrap()))
        })
        .count()
}

#[test]
fn both_kinds_of_pair_are_measured_and_audited() {
    let (output, data) = (folder(), folder());
    let run = ratios(output.path(), data.path())
        .arg("--only=rest-pgbench,grpc-single")
        .envs(spoiled(&["producer-rest", "producer-grpc"]))
        .output()
        .unwrap();
    let report = report(output.path(), &run);
    assert_eq!(report["schema"], "weir.ratios/1");
    assert_eq!(report["pairs"].as_array().unwrap().len(), 2);
    assert_eq!(report["ratios"][0]["floor"], 2.6);
    let mut audited = 0;
    for pair in report["pairs"].as_array().unwrap() {
        for side in ["first", "second"] {
            let side = &pair[side];
            assert!(side["rate"].as_f64().unwrap() > 10.0, "{side}");
            assert!(side["postgresCpuUs"].as_f64().unwrap() > 0.0, "{side}");
            if side["side"] != "pgbench" {
                assert_eq!(side["audit"]["lost"], 0, "{side}");
                assert_eq!(
                    side["audit"]["verified"], side["audit"]["acknowledged"],
                    "{side}"
                );
                assert!(side["audit"]["verified"].as_u64().unwrap() > 0, "{side}");
                assert!(side["serviceCpuUs"].as_f64().unwrap() > 0.0, "{side}");
                audited += 1;
            }
        }
    }
    assert_eq!(audited, 3);
    let markdown = std::fs::read_to_string(output.path().join("ratios.md")).unwrap();
    assert!(
        markdown.contains("| REST, group commit | pgbench"),
        "{markdown}"
    );
    assert_eq!(running_in(data.path()), 0);
}

#[test]
fn bulk_and_streams_of_events_are_measured_and_audited() {
    let (output, data) = (folder(), folder());
    let run = ratios(output.path(), data.path())
        .args(["bulk", "--batch=20", "--bulk-concurrency=8"])
        .output()
        .unwrap();
    let report = report(output.path(), &run);
    let floors: Vec<f64> = report["ratios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["floor"].as_f64().unwrap())
        .collect();
    assert_eq!(floors, [4.5, 4.5, 0.8, 0.8]);
    let mut bulk = 0;
    for pair in report["pairs"].as_array().unwrap() {
        for side in ["first", "second"] {
            let side = &pair[side];
            assert!(side["rate"].as_f64().unwrap() > 100.0, "{side}");
            assert_eq!(side["errors"], 0, "{side}");
            if side["side"].as_str().unwrap().starts_with("bulk") {
                let audit = &side["audit"];
                assert_eq!(audit["lost"], 0, "{side}");
                assert_eq!(audit["unexplained"], 0, "{side}");
                assert!(audit["verified"].as_u64().unwrap() > 100, "{side}");
                bulk += 1;
            }
        }
    }
    assert_eq!(bulk, 4);
    let markdown = std::fs::read_to_string(output.path().join("ratios.md")).unwrap();
    let row = "| ProcessEvents over gRPC | pgbench, 256 rows an upsert |";
    assert!(markdown.contains(row), "{markdown}");
}

#[test]
fn a_protected_producer_is_measured_beside_the_same_without_protection() {
    let (output, data) = (folder(), folder());
    let run = ratios(output.path(), data.path())
        .arg("protection")
        .output()
        .unwrap();
    let report = report(output.path(), &run);
    let mut protected = 0;
    for pair in report["pairs"].as_array().unwrap() {
        assert_eq!(
            pair["second"]["side"].as_str().unwrap().split('-').nth(1),
            Some("group")
        );
        let side = &pair["first"];
        assert!(
            side["side"].as_str().unwrap().ends_with("-protected"),
            "{side}"
        );
        // With the token: a refused request would be an error.
        assert_eq!(side["errors"], 0, "{side}");
        assert_eq!(side["audit"]["lost"], 0, "{side}");
        assert!(side["audit"]["verified"].as_u64().unwrap() > 0, "{side}");
        protected += 1;
    }
    assert_eq!(protected, 2);
}

#[test]
fn balances_are_measured_beside_pgbench() {
    let (output, data) = (folder(), folder());
    let run = ratios(output.path(), data.path())
        .args(["balance", "--balance-concurrency=8"])
        .output()
        .unwrap();
    let report = report(output.path(), &run);
    let sides: Vec<&str> = report["sides"]
        .as_array()
        .unwrap()
        .iter()
        .map(|side| side["side"].as_str().unwrap())
        .collect();
    assert_eq!(sides, ["pgbench-select", "balance-rest", "balance-grpc"]);
    let floors = [0, 1].map(|place| report["ratios"][place]["floor"].as_f64().unwrap());
    assert_eq!(floors, [1.05, 0.65]);
    for pair in report["pairs"].as_array().unwrap() {
        for side in ["first", "second"] {
            let side = &pair[side];
            assert!(side["rate"].as_f64().unwrap() > 10.0, "{side}");
            assert_eq!(side["errors"], 0, "{side}");
        }
    }
    let markdown = std::fs::read_to_string(output.path().join("ratios.md")).unwrap();
    assert!(
        markdown.contains("| balances over REST | pgbench, select by primary key |"),
        "{markdown}"
    );
    assert!(markdown.contains("Balances: 10,000 accounts"), "{markdown}");
}

#[test]
fn rates_are_measured_beside_empty_answers() {
    let (output, data) = (folder(), folder());
    let run = ratios(output.path(), data.path())
        .args(["rates", "--rates=full,1000", "--balance-concurrency=8"])
        .output()
        .unwrap();
    let report = report(output.path(), &run);
    let rates = report["rates"].as_array().unwrap();
    assert_eq!(rates.len(), 14 * 2);
    for rate in rates {
        let empty = rate["answered"] == "empty";
        for figure in ["reached", "serviceCpuUs", "switches"] {
            assert!(rate[figure].as_f64().unwrap() > 0.0, "{figure}: {rate}");
        }
        let shares = rate["batch"].as_f64();
        assert_eq!(shares.is_some(), !empty, "{rate}");
        // The window's edges cut some requests from their statements.
        assert!(shares.is_none_or(|batch| batch >= 0.9), "{rate}");
        assert_eq!(rate["latencyP50Ms"].is_null(), empty, "{rate}");
        if !empty && rate["asked"] == "event" {
            assert_eq!(rate["lost"], 0, "{rate}");
        }
        if rate["rate"] == "1000" {
            assert!(rate["reached"].as_f64().unwrap() <= 1100.0, "{rate}");
        }
    }
    // For each face its cost beside an empty answer, and its latency beside one statement a request.
    assert_eq!(report["bounds"].as_array().unwrap().len(), 8);
    let markdown = std::fs::read_to_string(output.path().join("ratios.md")).unwrap();
    let row = "| event over gRPC, an empty answer | 1,000/s |";
    assert!(markdown.contains(row), "{markdown}");
    let figure = std::fs::read_to_string(output.path().join("rates.svg")).unwrap();
    assert_eq!(figure.matches("<polyline").count(), 14, "{figure}");
}

#[test]
fn streams_are_held_to_their_bounds() {
    let (output, data) = (folder(), folder());
    let run = ratios(output.path(), data.path())
        .args([
            "stream",
            "--subscribers=5",
            "--feed-rate=50",
            "--replay-events=101000",
        ])
        .output()
        .unwrap();
    let report = report(output.path(), &run);
    let streams = report["streams"].as_array().unwrap();
    let kinds: Vec<&str> = streams
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["live-rest", "live-grpc", "replay-rest", "replay-grpc"]
    );
    for stream in streams {
        for fault in ["missed", "repeated", "outOfOrder", "breaks", "errors"] {
            assert_eq!(stream[fault], 0, "{stream}");
        }
        assert!(stream["serviceCpuUs"].as_f64().unwrap() > 0.0, "{stream}");
        let live = stream["kind"].as_str().unwrap().starts_with("live");
        let delivered = stream["delivered"].as_u64().unwrap();
        assert_eq!(stream["subscribers"], if live { 5 } else { 1 });
        if live {
            assert!((200..=300).contains(&delivered), "{stream}");
            assert!(stream["commitP99Ms"].as_f64().unwrap() > 0.0, "{stream}");
        } else {
            assert_eq!(delivered, 101_000, "{stream}");
        }
    }
    assert_eq!(report["bounds"].as_array().unwrap().len(), 8);
    let markdown = std::fs::read_to_string(output.path().join("ratios.md")).unwrap();
    assert!(
        markdown.contains("| live over gRPC: commit to receipt, p99 |"),
        "{markdown}"
    );
}

#[test]
fn a_crowd_loses_nothing_and_idle_subscribers_have_a_price_in_memory() {
    let (output, data) = (folder(), folder());
    let run = ratios(output.path(), data.path())
        .args([
            "crowd",
            "--crowd=20",
            "--idle-subscribers=50",
            "--feed-rate=50",
            "--replay-events=100000",
        ])
        .output()
        .unwrap();
    let report = report(output.path(), &run);
    let streams = report["streams"].as_array().unwrap();
    let kinds: Vec<&str> = streams
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["crowd-rest", "crowd-grpc", "idle-rest", "idle-grpc"]
    );
    for stream in streams {
        for fault in ["missed", "repeated", "outOfOrder", "breaks", "errors"] {
            assert_eq!(stream[fault], 0, "{stream}");
        }
        let delivered = stream["delivered"].as_u64().unwrap();
        if stream["kind"].as_str().unwrap().starts_with("crowd") {
            assert_eq!(stream["subscribers"], 20);
            assert!((800..=1200).contains(&delivered), "{stream}");
            assert!(stream["commitP99Ms"].as_f64().unwrap() > 0.0, "{stream}");
        } else {
            // One transaction in the two seconds: in the warm-up or in the window.
            assert_eq!(stream["subscribers"], 50);
            assert!(delivered == 0 || delivered == 50, "{stream}");
        }
        for memory in ["memoryBeforeKib", "memoryKib"] {
            assert!(stream[memory].as_u64().unwrap() > 500, "{stream}");
        }
    }
    // Each of them has two: nothing lost, and its figure.
    assert_eq!(report["bounds"].as_array().unwrap().len(), 8);
    let markdown = std::fs::read_to_string(output.path().join("ratios.md")).unwrap();
    let row = "| idle over gRPC: memory of the service for each subscriber |";
    assert!(markdown.contains(row), "{markdown}");
}

#[test]
fn the_log_is_measured_beside_python() {
    let (output, data) = (folder(), folder());
    let run = ratios(output.path(), data.path())
        .args(["log", "--log-entries=2000"])
        .envs(spoiled(&["event-log"]))
        .output()
        .unwrap();
    let report = report(output.path(), &run);
    let logs = report["logs"].as_array().unwrap();
    assert_eq!(logs.len(), 8);
    for log in logs {
        assert!(log["entriesPerSecond"].as_f64().unwrap() > 100.0, "{log}");
        assert_eq!(log["fault"], Value::Null, "{log}");
        let kind = log["kind"].as_str().unwrap();
        let produces = kind.starts_with("produce");
        assert_eq!(
            log["syncUs"].is_null(),
            !kind.starts_with("append"),
            "{log}"
        );
        assert_eq!(log["pythonPerSecond"].is_null(), produces, "{log}");
    }
    assert_eq!(report["bounds"].as_array().unwrap().len(), 7);
    let markdown = std::fs::read_to_string(output.path().join("ratios.md")).unwrap();
    assert!(
        markdown.contains("| verify in-process, to the same in Python"),
        "{markdown}"
    );
}

/// Every variable that these services and PostgreSQL's programs read, with a value that none of them takes: as a caller's
/// shell may have them for a purpose of its own.
fn spoiled(services: &[&str]) -> Vec<(String, &'static str)> {
    let mut names: Vec<String> = ["PGOPTIONS", "PGDATA", "PGPORT", "PGHOST", "PGSSLMODE"]
        .map(String::from)
        .into();
    for service in services {
        let binary = Path::new(env!("CARGO_BIN_EXE_ratios")).with_file_name(service);
        let mut help = Command::new(binary);
        if *service == "event-log" {
            help.arg("serve");
        }
        let help = help.arg("--help").output().unwrap();
        let text = String::from_utf8(help.stdout).unwrap();
        let named = text.split("[env: ").skip(1);
        let before = names.len();
        names.extend(named.filter_map(|rest| Some(rest.split(['=', ']']).next()?.to_owned())));
        assert!(names.len() > before + 10, "{service}: {text}");
    }
    names.into_iter().map(|name| (name, "nonsense")).collect()
}

#[test]
fn an_interrupted_session_ends_at_once_and_leaves_nothing() {
    for times in [1, 2] {
        let (output, data) = (folder(), folder());
        let run = ratios(output.path(), data.path())
            .arg("--only=rest-single")
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        // PostgreSQL, its workers, and a service that works in the folder.
        while running_in(data.path()) < 2 || !data.path().join("producer-rest.log").exists() {
            assert!(Instant::now() < deadline, "the session did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        let begun = Instant::now();
        for _ in 0..times {
            kill(Pid::from_raw(run.id().cast_signed()), Signal::SIGINT).unwrap();
            // The pace of two presses of Ctrl-C: signals of one kind that wait are one signal.
            std::thread::sleep(Duration::from_millis(50));
        }
        let ended = run.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(130), "{errors}");
        // A second, and what a busy machine takes to end processes.
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(2000), "{took:?}: {errors}");
        assert_eq!(running_in(data.path()), 0);
    }
}

/// What a run wrote. A debug build misses its bounds: status 1, and nothing but that.
fn report(folder: &Path, run: &Output) -> Value {
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(matches!(run.status.code(), Some(0 | 1)), "{errors}");
    let text = std::fs::read_to_string(folder.join("ratios.json"))
        .unwrap_or_else(|error| panic!("{error}\n{errors}"));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn nothing_outlives_a_killed_session() {
    let (output, data) = (folder(), folder());
    let mut run = ratios(output.path(), data.path())
        .arg("--only=rest-single")
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    // PostgreSQL, its workers, and a service that works in the folder.
    while running_in(data.path()) < 2 || !data.path().join("producer-rest.log").exists() {
        assert!(Instant::now() < deadline, "the session did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    while running_in(data.path()) > 0 {
        assert!(Instant::now() < deadline, "processes are left");
        std::thread::sleep(Duration::from_millis(50));
    }
}
