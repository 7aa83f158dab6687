//! `benchmark ratios` with real services, as short as it goes: the figures mean nothing, the rest does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The command with the services beside it, which are built if need be.
fn ratios(output: &Path, data: &Path) -> Command {
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "-p",
            "producer-rest",
            "-p",
            "producer-grpc",
        ])
        .current_dir(root())
        .status()
        .unwrap();
    assert!(built.success());
    let mut command = Command::new(env!("CARGO_BIN_EXE_benchmark"));
    command
        .args([
            "ratios",
            "--pairs=1",
            "--seconds=1",
            "--warmup=1",
            "--allow-debug",
        ])
        .args(["--keys=20000", "--concurrency=20", "--pgbench-clients=5"])
        .arg(format!("--output={}", output.display()))
        .arg(format!("--data-dir={}", data.display()))
        .current_dir(root())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
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
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&run.stderr);
    // A debug build misses its floors: status 1, and nothing but that.
    assert!(matches!(run.status.code(), Some(0 | 1)), "{errors}");
    let text = std::fs::read_to_string(output.path().join("ratios.json"))
        .unwrap_or_else(|error| panic!("{error}\n{errors}"));
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["schema"], "weir.ratios/1");
    assert_eq!(report["pairs"].as_array().unwrap().len(), 2);
    assert_eq!(report["ratios"][0]["floor"], 2.3);
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
