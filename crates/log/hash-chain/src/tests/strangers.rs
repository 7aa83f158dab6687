//! Folders that hold more than chains.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use super::*;

/// What stands in each file below `folder`, as far as it can be read.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .map(|path| (path.clone(), fs::read(path).ok()))
        .collect()
}

#[test]
fn what_is_no_chain_is_left_alone_at_the_start_and_by_appends() {
    let elsewhere = tempfile::tempdir().expect("a folder");
    let outside = elsewhere.path().join("outside.jsonl");
    fs::write(&outside, "{\"half\":").expect("a file");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for (name, text) in [
        ("notes.jsonl", "{\"a\":1}\n{\"b\":2}".to_owned()),
        ("half.jsonl", "{\"id\":5".to_owned()),
        ("empty.jsonl", String::new()),
        ("long.jsonl", "x".repeat(5000)),
        ("seq.jsonl", "{\"seq\":0,\"t\":1}\n{\"seq\"".to_owned()),
        ("notes.journal", "Monday: rain".to_owned()),
        ("alone.journal", "Tuesday: sun".to_owned()),
        ("empty.journal", String::new()),
        ("p.journal", "Wednesday".to_owned()),
        ("readme.txt", "hello".to_owned()),
    ] {
        fs::write(at(name), text).expect("a file");
    }
    fs::create_dir(at("folder.jsonl")).expect("a folder");
    symlink(&outside, at("link.jsonl")).expect("a link");
    fs::write(at("secret.jsonl"), "{\"half\":").expect("a file");
    fs::set_permissions(at("secret.jsonl"), fs::Permissions::from_mode(0o000)).expect("a mode");
    {
        let log = open(folder.path());
        log.append_blocking("p", b"1").expect("an append");
    }
    let before = contents(folder.path());
    let log = open(folder.path());
    assert_eq!(log.recover().expect("the folder"), 1);
    assert_eq!(log.list_blocking().expect("the folder"), ["p"]);
    for name in ["notes", "half", "long", "seq", "link", "folder"] {
        let refused = log.append_blocking(name, b"1").expect_err(name);
        assert!(
            matches!(&refused, ChainError::Damaged(text) if text.contains("is not a chain"))
                || name == "folder",
            "{name}: {refused}"
        );
    }
    log.sync_blocking().expect("a sync");
    drop(log);
    assert_eq!(contents(folder.path()), before);
    assert_eq!(fs::read(&outside).expect("a file"), b"{\"half\":");
}

/// One flipped bit does not make a chain a stranger.
#[test]
fn a_chain_with_a_damaged_first_line_is_listed_and_left_as_it_is() {
    for entries in [1, 2, 50] {
        let written = fixture();
        written.fill("p", entries);
        let line = written.lines("p")[0].len();
        for at in (0..line).step_by(7) {
            let folder = tempfile::tempdir().expect("a folder");
            let mut bytes = fs::read(written.file("p")).expect("a file");
            bytes[at] ^= 2;
            fs::write(folder.path().join("p.jsonl"), &bytes).expect("a file");
            let log = open(folder.path());
            assert_eq!(log.recover().expect("the folder"), 1, "{at}");
            assert_eq!(log.list_blocking().expect("the folder").len(), 1, "{at}");
            assert_eq!(
                fs::read(folder.path().join("p.jsonl")).expect("a file"),
                bytes
            );
        }
    }
}
