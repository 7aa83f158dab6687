//! The worked examples: a public HTTP server and a public gRPC server, each measured against itself.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use lab_host::tools::Tools;

use crate::checkout::{repository, text, turn};

/// Runs an example's check and smoke in a copy of its folder; its toolchain is asked for by `needs`.
fn run(name: &str, needs: &[&str], said: &[&str]) {
    let Some(tools) = Tools::find(&repository()) else {
        testkit::left_out("there is no k6 or no PostgreSQL: run scripts/native-tools.sh first");
        return;
    };
    let there = Command::new(needs[0]).args(&needs[1..]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        testkit::left_out(&format!(
            "'{}' does not work here: examples/{name} needs it",
            needs.join(" ")
        ));
        return;
    }
    let _turn = turn();
    // In the build's folder: what a registry has given once is not fetched again.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("examples")
        .join(name);
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(repository().join("examples").join(name)).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
    }
    for command in [&["check"][..], &["run", "smoke"]] {
        let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"));
        weir.args(command)
            .current_dir(&folder)
            .env_remove("WEIR_ROOT")
            .env_remove("DB_HOST")
            .env("WEIR_K6", &tools.k6)
            .env("WEIR_PG_BIN", &tools.pg_bin)
            .stdin(Stdio::null());
        let output = weir.output().unwrap();
        let text = text(&output);
        assert!(output.status.success(), "{text}");
        if command == ["check"] {
            for said in said {
                assert!(text.contains(said), "{said} is missing in\n{text}");
            }
        } else {
            assert!(text.contains("2 runs completed."), "{text}");
            assert!(text.contains("requests answered as expected"), "{text}");
        }
    }
}

#[test]
fn a_public_http_server_is_measured_against_itself() {
    run(
        "http-waitress",
        &["python3", "-m", "venv", "--help"],
        &[
            "waitress-1 hello",
            "ok      GET /hello",
            "ok      POST /echo: 200",
        ],
    );
}

#[test]
fn a_public_grpc_server_is_measured_against_itself_by_its_reflection() {
    run(
        "grpc-greeter",
        &["go", "version"],
        &[
            "greeter-1 greet",
            "ok      helloworld.Greeter/SayHello: 0 in",
            "{\"message\":\"Hello ",
            "ok      grpc.examples.echo.Echo/UnaryEcho: 0 in",
        ],
    );
}
