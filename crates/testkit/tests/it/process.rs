//! A test process that is killed leaves no server and no service behind.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use testkit::Service;
use testkit::postgres::{Server, connect};

const CHILD: &str = "TESTKIT_CHILD";

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Not a test of its own: the process that the next test kills.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_is_killed() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let server = Server::start();
    let service = Service::spawn("/bin/sh", &["-c", "echo it is ready; exec sleep 1000"], &[]);
    service
        .wait_for_log("ready", Duration::from_secs(10))
        .unwrap();
    let client = connect(&server.url("postgres")).await;
    let folder: String = client
        .query_one("SHOW data_directory", &[])
        .await
        .unwrap()
        .get(0);
    println!(
        "\nport={}\nfolder={folder}\npid={}\nchild is ready",
        server.port(),
        service.pid()
    );
    std::thread::sleep(Duration::from_secs(1000));
}

#[test]
fn nothing_outlives_a_killed_test_process() {
    let program = std::env::current_exe().unwrap();
    let arguments = [
        "process::child_that_is_killed",
        "--exact",
        "--nocapture",
        "--test-threads=1",
    ];
    let mut child = Service::spawn(program, &arguments, &[(CHILD, "1")]);
    child
        .wait_for_log("child is ready", Duration::from_secs(60))
        .expect("a child");
    let value = |name: &str| {
        let lines = child.lines();
        lines
            .iter()
            .find_map(|line| line.strip_prefix(name).map(str::to_owned))
            .expect(name)
    };
    let (port, folder, pid) = (value("port="), value("folder="), value("pid="));
    assert!(std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_ok());
    child.kill();
    until("the server ends", || {
        std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err()
    });
    until("its data goes", || !Path::new(&folder).exists());
    until("the service ends", || {
        // A zombie counts as gone: who is to reap it may be slow, or missing in a container.
        let state = Command::new("ps")
            .args(["-o", "stat=", "-p", &pid])
            .output()
            .unwrap()
            .stdout;
        state.is_empty() || state.starts_with(b"Z")
    });
}
