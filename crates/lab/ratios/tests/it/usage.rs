//! What is wrong with the command line is said before anything is started.

use std::process::{Command, Output};

use testkit::programs::build;

use crate::command::{ratios, root};

fn refused(output: &Output, option: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{option}: {errors}");
    assert!(errors.starts_with("error: "), "{option}: {errors}");
    assert!(errors.contains(option), "{option}: {errors}");
}

#[test]
fn wrong_usage_has_a_status_of_its_own() {
    for (arguments, option) in [
        ("--concurrency 0", "--concurrency"),
        ("--grpc-connections 0", "--grpc-connections"),
        ("--grpc-connections 201", "--grpc-connections"),
        ("--keys 1000 --concurrency 1001", "--keys"),
        ("nothing", "nothing"),
    ] {
        let output = ratios().args(arguments.split(' ')).output().unwrap();
        refused(&output, option);
    }
}

#[test]
fn subscribers_that_cannot_be_opened_show_before_the_session() {
    // With a limit of 1,000 open files, whatever this machine's is.
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "ulimit -n 1000 && exec \"$0\" crowd --idle-subscribers 50",
    ]);
    let output = shell.arg(env!("CARGO_BIN_EXE_ratios")).output().unwrap();
    refused(
        &output,
        "--crowd 1000 is more than the limit of 1000 open files allows",
    );
}

#[test]
fn a_report_that_has_no_place_shows_before_the_session() {
    let mut session = ratios();
    session.args(["log", "--allow-debug", "--output=/dev/null/report"]);
    let output = session.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("--output /dev/null/report"), "{errors}");
}

#[test]
fn the_old_name_goes_on_working() {
    build(&["benchmark"]);
    let benchmark = std::path::Path::new(env!("CARGO_BIN_EXE_ratios")).with_file_name("benchmark");
    let old = |arguments: &[&str]| {
        let mut command = Command::new(&benchmark);
        command.arg("ratios").args(arguments).current_dir(root());
        command.output().unwrap()
    };
    refused(&old(&["--keys", "1000", "--concurrency", "1001"]), "--keys");
    let help = old(&["--help"]);
    assert!(help.status.success());
    let new = ratios().arg("--help").output().unwrap();
    assert_eq!(help.stdout, new.stdout);
    assert!(String::from_utf8_lossy(&help.stdout).contains("--pgbench-clients"));
}
