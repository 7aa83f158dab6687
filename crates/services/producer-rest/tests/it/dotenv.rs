//! A file `.env` in the working directory: what is read, and what is said of one that cannot be.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::BINARY;

/// A start that ends by itself: nobody listens at port 1, and the setting is wrong unless `.env` says otherwise.
fn start(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(BINARY)
        .args(arguments)
        .env_clear()
        .current_dir(folder)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_wrong_line_is_named_without_its_value_and_help_needs_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    for (text, line, part) in [
        (
            "A=1\nDATABASE_URL='it's hunter2'\n",
            2,
            "DATABASE_URL: text follows the closing quote",
        ),
        ("\nhunter2\n", 2, "is not NAME=value"),
        ("DATABASE_URL=\"hunter2\n", 1, "DATABASE_URL: the quote"),
    ] {
        fs::write(&path, text).unwrap();
        let wrong = start(folder.path(), &[]);
        let said = said(&wrong);
        assert_eq!(wrong.status.code(), Some(64), "{said}");
        assert!(said.contains(&format!(".env, line {line}: ")), "{said}");
        assert!(said.contains(part) && !said.contains("hunter2"), "{said}");
        for help in ["--help", "--version"] {
            assert!(start(folder.path(), &[help]).status.success(), "{help}");
        }
    }
}

#[test]
fn a_folder_and_a_fifo_are_not_read_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    for _ in 0..2 {
        // A start that waited at the FIFO would never come to its own wrong setting.
        let ended = start(folder.path(), &["--queue-capacity=0"]);
        let said = said(&ended);
        assert_eq!(ended.status.code(), Some(64), "{said}");
        assert!(
            said.contains("warning: .env is not a regular file"),
            "{said}"
        );
        assert!(said.contains("--queue-capacity"), "{said}");
        if path.is_dir() {
            break;
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
    }
}

#[test]
fn values_are_taken_as_they_stand_and_an_unset_name_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    // The setting is wrong, so that its value comes back in the error.
    fs::write(
        &path,
        "REQUEST_TIMEOUT='$word \"\\ it'\nLOG_LEVEL=$NOBODY_SETS_THIS\n",
    )
    .unwrap();
    let ended = start(folder.path(), &[]);
    let said = said(&ended);
    assert!(said.contains(r#"$word "\ it"#), "{said}");
    assert!(
        said.contains("line 2: LOG_LEVEL uses $NOBODY_SETS_THIS, which is not set"),
        "{said}"
    );
}
