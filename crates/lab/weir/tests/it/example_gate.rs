//! The files of `examples/gate` do what its README says: a slowed build fails, an equal one passes, three rounds are open.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples/gate")
}

/// Without Python the example cannot run; with `CI` set it must.
fn python_is_there() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok();
    assert!(
        found || std::env::var_os("CI").is_none(),
        "examples/gate needs python3"
    );
    if !found {
        eprintln!("left out: examples/gate needs python3");
    }
    found
}

struct Ran {
    output: Output,
    out: TempDir,
}

impl Ran {
    fn status(&self) -> Option<i32> {
        self.output.status.code()
    }

    fn words(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        text(&self.output.stdout) + &text(&self.output.stderr)
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.out.path().join(name)).unwrap()
    }
}

/// `gate.sh` with the example as baseline, and with this candidate.
fn gate(candidate: &Path, rounds: &str) -> Ran {
    let out = tempfile::tempdir().unwrap();
    let weir = Path::new(env!("CARGO_BIN_EXE_weir")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new(example().join("gate.sh"))
        .args([&example(), candidate, out.path()])
        .arg(rounds)
        .env("PATH", format!("{}:{path}", weir.display()))
        .env_remove("WEIR_ROOT")
        .output()
        .unwrap();
    Ran { output, out }
}

/// A checkout whose service takes about twice the CPU.
fn slowed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = std::fs::read_to_string(example().join("service/service.py")).unwrap();
    let slow = source.replace("STEPS = 1500", "STEPS = 4500");
    assert_ne!(slow, source);
    std::fs::create_dir(folder.path().join("service")).unwrap();
    std::fs::write(folder.path().join("service/service.py"), slow).unwrap();
    folder
}

#[test]
fn a_slowed_build_fails() {
    if !python_is_there() {
        return;
    }
    let ran = gate(slowed().path(), "8");
    assert_eq!(ran.status(), Some(1), "{}", ran.words());
    assert!(ran.file("gate.md").starts_with("### ❌ Regressed"));
    assert!(ran.file("gate.xml").contains("<failure"));
    assert!(ran.file("badge.svg").contains("regressed"));
    assert!(ran.file("bmf.json").contains("cpu-us"));
}

#[test]
fn an_equal_build_passes() {
    if !python_is_there() {
        return;
    }
    let ran = gate(&example(), "12");
    assert_eq!(
        ran.status(),
        Some(0),
        "{}{}",
        ran.words(),
        ran.file("figures.csv")
    );
    assert!(ran.file("gate.md").starts_with("### ✅ Held"));
}

#[test]
fn three_rounds_are_open() {
    if !python_is_there() {
        return;
    }
    let ran = gate(&example(), "3");
    assert_eq!(ran.status(), Some(2), "{}", ran.words());
    assert!(
        ran.file("gate.md")
            .contains("To decide: at least 6 rounds are needed, 3 are there.")
    );
}

#[test]
fn what_breaks_is_no_decision() {
    if !python_is_there() {
        return;
    }
    let empty = tempfile::tempdir().unwrap();
    let ran = gate(empty.path(), "3");
    assert_eq!(ran.status(), Some(70), "{}", ran.words());
}
