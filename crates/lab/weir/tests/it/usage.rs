//! Wrong arguments: status 64 and the values that are valid, from weir and from the shell script.

use std::process::Command;

use crate::checkout::{build_services, repository, text};

fn weir(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .env("WEIR_ROOT", repository())
        .output()
        .unwrap();
    (output.status.code(), text(&output))
}

#[test]
fn wrong_arguments_are_answered_with_what_is_valid() {
    for arguments in [
        &["run"][..],
        &["run", "quick"],
        &["run", "smoke", "nobody"],
        &["run", "smoke", "", "5k"],
        &["run", "smoke", "--trials", "0"],
        &["run", "smoke", "--runtime", "podman"],
        &["plan", "smoke", "--seed", "x"],
        &["run", "smoke", "--scenario", "queries"],
        &["run", "smoke", "balance-rest", "4k"],
        &["run", "smoke", "balance-rest", "--scenario", "stream"],
        &["run", "full", "--rate", "100"],
    ] {
        let (status, text) = weir(arguments);
        assert_eq!(status, Some(64), "{arguments:?}: {text}");
        for valid in [
            "saturation, compare",
            "producer-grpc",
            "default, 4k, 8k, 32k, 64k",
            "ingest, balance, stream, log, all",
            "stream-sse, stream-grpc",
        ] {
            assert!(
                text.contains(valid),
                "{arguments:?}: {valid} is missing in\n{text}"
            );
        }
    }
    assert_eq!(weir(&["bogus"]).0, Some(64));
}

#[test]
fn containers_write_to_no_other_metrics_database() {
    for (flag, variable) in [(&["--db-port", "5999"][..], ""), (&[], "localhost")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command
            .args(["run", "smoke", "--runtime", "docker"])
            .args(flag)
            .env("WEIR_ROOT", repository());
        if !variable.is_empty() {
            command.env("DB_HOST", variable);
        }
        let output = command.output().unwrap();
        let text = text(&output);
        assert_eq!(output.status.code(), Some(64), "{text}");
        assert!(text.contains("or run with --runtime native"), "{text}");
    }
}

#[test]
fn help_is_no_error_and_lists_what_is_valid() {
    let (status, text) = weir(&["run", "--help"]);
    assert_eq!(status, Some(0));
    assert!(
        text.contains("--runtime") && text.contains("saturation") && text.contains("64k"),
        "{text}"
    );
    assert_eq!(weir(&["--version"]).0, Some(0));
}

#[test]
fn the_plan_is_printed_without_running_anything() {
    let (status, text) = weir(&[
        "plan", "full", "", "32k", "--trials", "3", "--seed", "1", "--json",
    ]);
    assert_eq!(status, Some(0), "{text}");
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(plan["cells"].as_array().unwrap().len(), 6);
    assert!(plan["expected_seconds"].as_u64().unwrap() > 6 * 660);
    let (_, table) = weir(&["targets"]);
    assert!(table.starts_with("NAME "), "{table}");
}

#[test]
fn the_shell_script_hands_over_from_any_directory() {
    let script = repository().join("load-test/shared/run-sequential-throughput-tests.sh");
    let run = |arguments: &[&str]| {
        let binaries = std::path::Path::new(env!("CARGO_BIN_EXE_weir")).parent();
        let output = Command::new(&script)
            .args(arguments)
            .current_dir("/")
            .env("WEIR_BIN_DIR", binaries.unwrap())
            .output()
            .unwrap();
        (output.status.code(), text(&output))
    };
    for arguments in [
        &[][..],
        &["quick"],
        &["smoke", "nobody"],
        &["smoke", "", "5k"],
        &["smoke", "--scenario", "queries"],
        &["smoke", "", "", "--scenario=queries"],
    ] {
        let (status, text) = run(arguments);
        assert_eq!(status, Some(64), "{arguments:?}: {text}");
        for valid in [
            "Usage: run-sequential-throughput-tests.sh MODE",
            "smoke full saturation compare",
            "producer-rest",
            "32k",
            "ingest balance stream log all",
        ] {
            assert!(
                text.contains(valid),
                "{arguments:?}: {valid} is missing in\n{text}"
            );
        }
    }
    for arguments in [&["smoke", "--trials", "x"][..], &["smoke", "--bogus"]] {
        let (status, text) = run(arguments);
        assert_eq!(status, Some(64), "{arguments:?}: {text}");
        assert!(
            text.contains(arguments[1]) && text.contains("--resume [SESSION]"),
            "{text}"
        );
        assert!(!text.contains("Usage: weir"), "{text}");
    }
    for help in [&["smoke", "--help"][..], &["-h"]] {
        let (status, text) = run(help);
        assert_eq!(status, Some(0), "{text}");
        assert!(
            text.starts_with("Usage: run-sequential-throughput-tests.sh MODE"),
            "{text}"
        );
        assert!(text.contains("PHASE_SCALE=0.05"), "{text}");
    }
}

/// The scripts and every program but one: what was promised to the clients of `event-log` is 2.
#[test]
fn every_program_ends_wrong_usage_with_the_same_status() {
    build_services();
    let folder = tempfile::tempdir().unwrap();
    let beside = std::path::Path::new(env!("CARGO_BIN_EXE_weir"));
    let status_of = |program: &std::path::Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        // Away from a `.env` of the checkout.
        command.args(arguments).current_dir(folder.path());
        command.env_remove("DATABASE_URL");
        let output = command.output().unwrap();
        let said = text(&output);
        let argument = arguments.last().unwrap();
        assert!(said.contains(argument), "{}: {said}", program.display());
        output.status.code()
    };
    for (program, status) in [
        ("weir", 64),
        ("benchmark", 64),
        ("ratios", 64),
        ("stats-sidecar", 64),
        ("campaign", 64),
        ("null-target", 64),
        ("producer-rest", 64),
        ("producer-grpc", 64),
        ("balance", 64),
        ("stream", 64),
        ("event-log", 2),
    ] {
        let program = beside.with_file_name(program);
        for argument in ["--no-such-option", "no-such-command"] {
            assert_eq!(
                status_of(&program, &[argument]),
                Some(status),
                "{program:?}"
            );
        }
    }
    // What clap alone cannot know, and the sampler within weir.
    for (program, arguments) in [
        ("null-target", &["--store"][..]),
        ("weir", &["stats-sidecar", "--no-such-option"]),
    ] {
        let status = status_of(&beside.with_file_name(program), arguments);
        assert_eq!(status, Some(64), "{program} {arguments:?}");
    }
    for script in ["scripts/check.sh", "scripts/native-tools.sh"] {
        let mut command = Command::new(repository().join(script));
        let status = command.arg("--no-such-option").output().unwrap().status;
        assert_eq!(status.code(), Some(64), "{script}");
    }
}
