//! Where the result goes, and what happens when it cannot go there.

use std::fs::{File, OpenOptions};
use std::time::Duration;

use crate::http_server;
use crate::process::command;
use crate::seen::Treatment;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_opened_shows_before_the_load() {
    let (address, seen) = http_server::start(|_| Treatment::Store).await;
    let folder = tempfile::tempdir().unwrap();
    for file in ["none/result.json", "."] {
        let path = folder.path().join(file);
        let output = command(&["--duration=60s", &format!("--url=http://{address}")])
            .arg("--json")
            .arg(&path)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(20), output).await;
        let output = output.unwrap().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains("--json"), "{errors}");
        assert_eq!(seen.get().requests, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_takes_nothing_from_the_summary() {
    let (address, _) = http_server::start(|_| Treatment::Store).await;
    let url = format!("--url=http://{address}");
    let arguments = ["--duration=200ms", "--warmup=0s", &url, "--json=/dev/full"];
    let output = command(&arguments).output().await.unwrap();
    let (text, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        text.contains("p99.9") && text.contains("Generator:"),
        "{text}"
    );
    assert!(errors.contains("--json /dev/full"), "{errors}");
    assert!(errors.contains("No space left"), "{errors}");
    // Events of the same seed have the same ids, which a server of these tests takes once.
    let (address, _) = http_server::start(|_| Treatment::Store).await;
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut run = command(&["--duration=200ms", "--warmup=0s"]);
    run.arg(format!("--url=http://{address}")).stdout(full);
    let output = run.spawn().unwrap().wait_with_output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("standard output"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_gone_is_no_failure() {
    for output in [&[][..], &["--json=-"]] {
        let (address, _) = http_server::start(|_| Treatment::Store).await;
        let url = format!("--url=http://{address}");
        let mut command = command(&["--duration=200ms", "--warmup=0s", "--progress=plain", &url]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let errors = writer.try_clone().unwrap();
        command.args(output).stdout(writer).stderr(errors);
        let status = command.status().await.unwrap();
        assert_eq!(status.code(), Some(0));
    }
    // `--help` into a pipe that nobody reads does not panic either.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut help = command(&["--help"]);
    let help = help.stdout(writer).spawn().unwrap();
    let output = help.wait_with_output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("panicked"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_replaces_the_one_before() {
    let (address, _) = http_server::start(|_| Treatment::Store).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result.json");
    std::fs::write(&path, "x".repeat(100_000)).unwrap();
    let output = command(&["--duration=200ms", "--warmup=0s"])
        .arg(format!("--url=http://{address}"))
        .arg("--json")
        .arg(&path)
        .output();
    assert!(output.await.unwrap().status.success());
    let result: serde_json::Value = serde_json::from_reader(File::open(path).unwrap()).unwrap();
    assert_eq!(result["schema"], "weir.benchmark/1");
}
