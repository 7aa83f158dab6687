//! SIGINT against targets that never answer: heard in every phase, and the process ends within a second.

use std::net::{SocketAddr, TcpListener};
use std::process::Output;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tokio::io::AsyncReadExt;

use crate::process::command;

/// Takes every connection, reads what comes, and never says a word.
async fn silent() -> (SocketAddr, tokio::sync::watch::Receiver<usize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    sender.send_modify(|bytes| *bytes += read);
                }
            });
        }
    });
    (address, receiver)
}

/// Has room for one connection and takes none: the next ones wait for their acknowledgement.
fn full() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(1).unwrap();
    socket.into()
}

/// Connections to `port` whose opening was not answered (state SYN_SENT in /proc/net/tcp).
fn unanswered(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!(":{port:04X}");
    let waits = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.len() > 3 && fields[2].ends_with(&remote) && fields[3] == "02"
    };
    table.lines().filter(waits).count()
}

/// How long the signals are given: a second, and what a busy machine takes to start and end processes.
const LIMIT: Duration = Duration::from_millis(1500);

/// Runs, waits until `ready` says that the phase has come, and signals `times`. Gives what the process left.
async fn interrupted(arguments: &str, times: usize, ready: impl AsyncFnOnce()) -> Output {
    let child = command(&arguments.split(' ').collect::<Vec<_>>())
        .env_remove("DB_HOST")
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(child.id().unwrap().cast_signed());
    tokio::time::timeout(Duration::from_secs(30), ready())
        .await
        .unwrap_or_else(|_| panic!("{arguments}: the phase did not come"));
    let begun = Instant::now();
    for _ in 0..times {
        kill(pid, Signal::SIGINT).unwrap();
        // The pace of two presses of Ctrl-C: signals of one kind that wait are one signal.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let output = child.wait_with_output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{arguments}: {errors}");
    assert!(
        begun.elapsed() < LIMIT,
        "{arguments}: {:?}",
        begun.elapsed()
    );
    output
}

/// Something that measures, for each kind of load, with the bytes after which its first request is on the way: HTTP/2 says
/// something when a connection opens.
const LOADS: [(&str, usize); 6] = [
    ("--protocol=rest --rate=20 --concurrency=4", 1),
    ("--protocol=rest --concurrency=4", 1),
    ("--protocol=grpc --concurrency=1", 200),
    ("--scenario=balance --protocol=rest --concurrency=4", 1),
    ("--scenario=stream --protocol=rest", 1),
    ("--scenario=append --protocol=grpc --concurrency=1", 200),
];

#[tokio::test(flavor = "multi_thread")]
async fn while_measuring_and_warming_up() {
    for times in [1, 2] {
        for (load, first) in LOADS {
            for phase in ["--warmup=60s --duration=60s", "--warmup=0s --duration=60s"] {
                let (address, mut bytes) = silent().await;
                let arguments = format!("{load} {phase} --timeout=60s --url=http://{address}");
                let ready = async || {
                    bytes.wait_for(|bytes| *bytes >= first).await.unwrap();
                };
                let output = interrupted(&arguments, times, ready).await;
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(text.contains("Interrupted"), "{arguments}: {text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_last_answers_are_awaited() {
    for times in [1, 2] {
        for (load, first) in LOADS {
            let (address, mut bytes) = silent().await;
            let arguments = format!(
                "{load} --warmup=0s --duration=200ms --timeout=60s --json=- --url=http://{address}"
            );
            let ready = async || {
                bytes.wait_for(|bytes| *bytes >= first).await.unwrap();
                // Time itself is tested: the window, which begins before the first byte, is over.
                tokio::time::sleep(Duration::from_millis(500)).await;
            };
            // A stream ends with its window.
            if load.contains("stream") {
                continue;
            }
            let output = interrupted(&arguments, times, ready).await;
            let result: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(result["interrupted"], false, "{arguments}: {result}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_connecting() {
    for times in [1, 2] {
        for load in [
            "--protocol=rest --concurrency=20",
            "--protocol=grpc --concurrency=20 --connections=20",
            "--scenario=stream --protocol=rest --clients=20",
            "--scenario=append --protocol=grpc --concurrency=20 --connections=20",
        ] {
            let listener = full();
            let port = listener.local_addr().unwrap().port();
            let arguments = format!("{load} --timeout=60s --url=http://127.0.0.1:{port}");
            let ready = async || {
                testkit::eventually("it connects", async || unanswered(port) > 0).await;
            };
            interrupted(&arguments, times, ready).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_partition_is_filled_or_a_database_is_awaited() {
    for times in [1, 2] {
        let (address, mut bytes) = silent().await;
        let arguments = format!("--scenario=tail --timeout=60s --url=http://{address}");
        let ready = async || {
            bytes.wait_for(|bytes| *bytes > 0).await.unwrap();
        };
        interrupted(&arguments, times, ready).await;
        let (address, mut bytes) = silent().await;
        let arguments = format!(
            "--url=http://127.0.0.1:1 --store --db-host=127.0.0.1 --db-port={}",
            address.port()
        );
        let ready = async || {
            bytes.wait_for(|bytes| *bytes > 0).await.unwrap();
        };
        interrupted(&arguments, times, ready).await;
    }
}
