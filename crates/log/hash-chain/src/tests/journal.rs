//! Partitions that are appended to steadily, and machines that fail.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::*;

/// An entry of 64 KiB: 16 make a partition worth a journal, 64 fill one.
fn append(log: &Log, partition: &str) -> u64 {
    let data = format!("\"{}\"", "x".repeat(64 * 1024));
    let appended = log.append_blocking(partition, data.as_bytes());
    appended.expect("an append").seq
}

fn synced(folder: &Path, journals: usize) -> Log {
    let options = WriteOptions {
        journals: Arc::new(Semaphore::new(journals)),
        ..WriteOptions::default()
    };
    Log::open(Directory::lock(folder).expect("the lock"), options)
}

fn whole(folder: &Path, entries: u64) {
    let found = verify(&Log::read_only(folder), "p");
    assert_eq!((found.error, found.entries_verified), (None, entries));
}

/// What the disk has when the machine fails now: the file as it was when its journal began a round, changed further by
/// `change`, and the journal.
fn after_a_failure(
    folder: &Path,
    settled: u64,
    change: impl Fn(&mut Vec<u8>),
) -> tempfile::TempDir {
    let failed = tempfile::tempdir().expect("a folder");
    let mut file = fs::read(folder.join("p.jsonl")).expect("a file");
    let mut lost = file.split_off(settled as usize);
    change(&mut lost);
    fs::write(failed.path().join("p.jsonl"), [file, lost].concat()).expect("a file");
    fs::copy(folder.join("p.journal"), failed.path().join("p.journal")).expect("a journal");
    failed
}

#[test]
fn acknowledged_entries_survive_the_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = synced(folder.path(), 1);
    let length = || {
        fs::metadata(folder.path().join("p.jsonl"))
            .expect("a file")
            .len()
    };
    let journal = folder.path().join("p.journal");
    while append(&log, "p") < 14 {
        assert!(!journal.exists(), "not worth it yet");
    }
    append(&log, "p");
    append(&log, "p");
    assert!(journal.exists());
    // Three rounds of the journal, and a part of the fourth.
    let (mut settled, mut rounds) = (length(), 0);
    while rounds < 3 {
        let before = log.unrecovered_bytes("p").expect("a journal");
        assert_eq!(before, 0, "the file always has all of it");
        let first = first_place(&journal);
        append(&log, "p");
        if first_place(&journal) != first {
            (settled, rounds) = (first_place(&journal), rounds + 1);
        }
    }
    let entries = [(); 5].map(|()| append(&log, "p"))[4] + 1;
    let changes: [Change; 5] = [
        |lost| lost.clear(),
        |lost| lost.truncate(lost.len() / 2),
        |lost| lost.fill(0),
        |lost| lost[..4096].fill(0),
        |_| {},
    ];
    for change in changes {
        let failed = after_a_failure(folder.path(), settled, change);
        let reading = Log::read_only(failed.path());
        let missing = length()
            - fs::metadata(failed.path().join("p.jsonl"))
                .expect("a file")
                .len();
        assert_eq!(reading.unrecovered_bytes("p").expect("a journal"), missing);
        let log = synced(failed.path(), 1);
        assert_eq!(log.recover().expect("files"), 1);
        whole(failed.path(), entries);
        assert_eq!(append(&log, "p"), entries);
        whole(failed.path(), entries + 1);
        // Without a start of a server as well.
        let failed = after_a_failure(folder.path(), settled, change);
        assert_eq!(append(&synced(failed.path(), 1), "p"), entries);
        whole(failed.path(), entries + 1);
    }
    // Nothing but the file is left of a log that was closed.
    drop(log);
    assert!(!journal.exists());
    whole(folder.path(), entries);
}

/// Where the lines of the journal's first record stand in the partition's file.
fn first_place(journal: &Path) -> u64 {
    let head = fs::read(journal).expect("a journal");
    u64::from_le_bytes(head[8..16].try_into().expect("eight bytes"))
}

#[test]
fn a_file_that_was_changed_after_a_crash_is_left_to_its_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = synced(folder.path(), 1);
    while append(&log, "p") < 20 {}
    let settled = first_place(&folder.path().join("p.journal"));
    let failed = after_a_failure(folder.path(), settled, |lost| lost[100] ^= 1);
    let log = synced(failed.path(), 1);
    assert_eq!(log.recover().expect("the other partitions"), 1);
    let refused = log.append_blocking("p", b"1").expect_err("a change");
    assert!(
        matches!(&refused, ChainError::Damaged(text) if text.contains("p.jsonl: is not what was written at byte")),
        "{refused}"
    );
    // It can be read as far as it is whole.
    let entries = all(log.read_blocking("p", None, Some(10)).expect("p")).expect("entries");
    assert_eq!(entries.len(), 10);
    append(&log, "q");
}

#[test]
fn journals_are_few_and_end_with_the_last_sync() {
    let folder = tempfile::tempdir().expect("a folder");
    let journals = || -> Vec<PathBuf> {
        let paths = fs::read_dir(folder.path()).expect("a folder");
        paths
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|found| found == "journal"))
            .collect()
    };
    let log = synced(folder.path(), 2);
    for partition in ["p", "q", "r"] {
        while append(&log, partition) < 40 {}
    }
    assert_eq!(journals().len(), 2);
    log.sync_blocking().expect("the last sync");
    assert_eq!(journals(), [] as [PathBuf; 0]);
    // Whoever had none gets one now.
    while append(&log, "r") < 60 {}
    assert_eq!(journals(), [folder.path().join("r.journal")]);
    drop(log);
    // Of a log that answers before the disk has anything, there are none.
    let log = open(folder.path());
    while append(&log, "p") < 100 {}
    assert_eq!(journals(), [] as [PathBuf; 0]);
    whole(folder.path(), 101);
}

#[test]
fn beside_a_file_named_as_its_journal_appends_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = synced(folder.path(), 1);
    append(&log, "p");
    let journal = folder.path().join("p.journal");
    fs::write(&journal, "Monday: rain").expect("a file");
    while append(&log, "p") < 40 {}
    drop(log);
    let log = synced(folder.path(), 1);
    assert_eq!(log.recover().expect("files"), 1);
    append(&log, "p");
    drop(log);
    let left = fs::read_to_string(&journal).expect("the file");
    assert_eq!(left, "Monday: rain");
    whole(folder.path(), 42);
}

/// Lines behind the damage are in the journal alone: neither they nor the journal may go without a word.
#[test]
fn a_damaged_journal_with_lines_that_the_file_lacks_sets_its_partition_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = synced(folder.path(), 1);
    while append(&log, "p") < 20 {}
    let settled = first_place(&folder.path().join("p.journal"));
    for at in [2, 40, 5000] {
        let failed = after_a_failure(folder.path(), settled, |lost| lost.clear());
        let journal = failed.path().join("p.journal");
        let mut bytes = fs::read(&journal).expect("a journal");
        bytes[at] ^= 1;
        fs::write(&journal, &bytes).expect("a journal");
        let log = synced(failed.path(), 1);
        assert_eq!(log.recover().expect("the other partitions"), 1);
        let refused = log.append_blocking("p", b"1").expect_err("damage");
        assert!(
            matches!(&refused, ChainError::Damaged(text) if text.contains("p.journal: is damaged")),
            "{refused}"
        );
        assert_eq!(fs::read(&journal).expect("a journal"), bytes);
        append(&log, "q");
    }
}

type Change = fn(&mut Vec<u8>);

/// What happens to the bytes of a journal of several records, each of a line of 64 KiB; whole records stand behind it.
const DAMAGES: [(&str, Change); 8] = [
    ("a bit of the first checksum", |bytes| bytes[2] ^= 1),
    ("a bit of the first length", |bytes| bytes[5] ^= 1),
    ("a bit of the first place", |bytes| bytes[9] ^= 1),
    ("a bit of the first line", |bytes| bytes[5000] ^= 1),
    ("a bit of the second line", |bytes| bytes[70_000] ^= 1),
    ("zeros for the first head", |bytes| bytes[..16].fill(0)),
    ("zeros in the first line", |bytes| bytes[4096..8192].fill(0)),
    ("zeros from the first line into the second", |bytes| {
        bytes[60_000..70_000].fill(0)
    }),
];

/// A journal that `damage` has changed, beside a file that lost in a failure of the machine what `loss` says.
fn damaged(folder: &Path, damage: Change, loss: Change) -> (tempfile::TempDir, Vec<u8>) {
    let settled = first_place(&folder.join("p.journal"));
    let failed = after_a_failure(folder, settled, loss);
    let journal = failed.path().join("p.journal");
    let mut bytes = fs::read(&journal).expect("a journal");
    damage(&mut bytes);
    fs::write(&journal, &bytes).expect("a journal");
    (failed, bytes)
}

/// A file that kept its length has zeros where blocks did not come to the disk. The journal alone has those lines, also
/// behind its damage: it must not be removed, nor the zeros be cut as a torn line.
#[test]
fn a_damaged_journal_is_kept_while_the_file_has_zeros_for_its_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = synced(folder.path(), 1);
    while append(&log, "p") < 20 {}
    let losses: [Change; 4] = [
        |lost| lost.clear(),
        |lost| lost.fill(0),
        |lost| lost[4096..].fill(0),
        |lost| {
            let last = lost.len() - 4096;
            lost[last..].fill(0);
        },
    ];
    for (name, damage) in DAMAGES {
        for (at, loss) in losses.into_iter().enumerate() {
            let (failed, bytes) = damaged(folder.path(), damage, loss);
            let file = fs::read(failed.path().join("p.jsonl")).expect("a file");
            let log = synced(failed.path(), 1);
            assert_eq!(log.recover().expect("the other partitions"), 1);
            let refused = log.append_blocking("p", b"1").expect_err("damage");
            assert!(
                matches!(&refused, ChainError::Damaged(text) if text.contains("p.journal: is damaged")),
                "{name}, loss {at}: {refused}"
            );
            let left = |file: &str| fs::read(failed.path().join(file)).expect("a file");
            assert!(left("p.journal") == bytes, "{name}, loss {at}");
            assert!(left("p.jsonl") == file, "{name}, loss {at}");
            append(&log, "q");
        }
    }
}

/// When the process alone ended, the file has every line: a damaged journal takes nothing away, and goes.
#[test]
fn a_damaged_journal_beside_a_whole_file_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = synced(folder.path(), 1);
    while append(&log, "p") < 20 {}
    for (name, damage) in DAMAGES {
        let (failed, _) = damaged(folder.path(), damage, |_| {});
        let log = synced(failed.path(), 1);
        assert_eq!(log.recover().expect("files"), 1, "{name}");
        assert!(!failed.path().join("p.journal").exists(), "{name}");
        whole(failed.path(), 21);
        assert_eq!(append(&log, "p"), 21, "{name}");
        whole(failed.path(), 22);
    }
}
