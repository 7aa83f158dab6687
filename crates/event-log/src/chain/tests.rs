//! The log over files, and files over other hands than ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

use super::*;
use crate::directory::Directory;
use crate::durability::Durability;

struct Fixture {
    folder: tempfile::TempDir,
    log: Log,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path());
    Fixture { folder, log }
}

fn open(folder: &Path) -> Log {
    let options = WriteOptions {
        durability: Durability::Buffered,
        ..WriteOptions::default()
    };
    Log::open(Directory::lock(folder).expect("the lock"), options)
}

impl Fixture {
    fn append(&self, partition: &str, data: &str) -> Result<Appended, ChainError> {
        self.log.append_blocking(partition, data.as_bytes())
    }

    fn fill(&self, partition: &str, entries: u64) {
        for n in 0..entries {
            let data = format!(r#"{{"n":{n},"text":"{}"}}"#, "x".repeat(n as usize % 200));
            self.append(partition, &data).expect("an append");
        }
    }

    fn file(&self, stem: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("{stem}.jsonl"))
    }

    fn lines(&self, stem: &str) -> Vec<String> {
        let text = fs::read_to_string(self.file(stem)).expect("a file");
        text.lines().map(str::to_owned).collect()
    }

    /// Rewrites the file without the log's knowledge, and opens the log again.
    fn damage(self, stem: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let path = self.file(stem);
        drop(self.log);
        let mut bytes = fs::read(&path).expect("a file");
        change(&mut bytes);
        fs::write(path, bytes).expect("a file");
        Self {
            log: open(self.folder.path()),
            folder: self.folder,
        }
    }
}

fn verify(log: &Log, partition: &str) -> Verification {
    log.verify_blocking(partition, |_, _| {}).expect("a file")
}

fn all(mut entries: Entries) -> Result<Vec<Entry>, ChainError> {
    let mut found = Vec::new();
    while let Some(chunk) = entries.next_blocking()? {
        let lines: Vec<_> = chunk
            .entries
            .iter()
            .map(|entry| entry.line().clone())
            .collect();
        assert_eq!(
            chunk.lines,
            [lines.join(&b"\n"[..]), b"\n".to_vec()].concat()
        );
        found.extend(chunk.entries);
    }
    Ok(found)
}

#[test]
fn a_line_is_as_the_format_says() {
    let fixture = fixture();
    let sent = r#" {"b": 1.50, "a": ["é/", null, -0]} "#;
    let first = fixture.append("a b", sent).expect("an append");
    let second = fixture.append("a b", "7").expect("an append");
    let zeros = "0".repeat(64);
    let (ts, hash) = (first.timestamp, first.hash);
    let lines = fixture.lines("a_b");
    assert_eq!(
        lines[0],
        format!(
            r#"{{"seq":0,"ts":"{ts}","partition":"a b","prev_hash":"{zeros}","data":{{"b":1.5,"a":["\u00e9/",null,0]}},"hash":"{hash}"}}"#
        )
    );
    let canonical = format!(
        r#"{{"data":{{"a":["\u00e9/",null,0],"b":1.5}},"partition":"a b","prev_hash":"{zeros}","seq":0,"ts":"{ts}"}}"#
    );
    let expected: String = Sha256::digest(canonical)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hash.as_str(), expected);
    assert!(lines[1].starts_with(&format!(
        r#"{{"seq":1,"ts":"{}","partition":"a b","prev_hash":"{hash}","data":7,"hash":"#,
        second.timestamp
    )));
    assert_eq!(ts.to_string().len(), 32);
}

#[test]
fn entries_are_read_from_any_place() {
    let fixture = fixture();
    fixture.fill("p", 3000);
    let seqs = |start, limit| -> Vec<u64> {
        let entries = fixture
            .log
            .read_blocking("p", start, limit)
            .expect("a partition");
        all(entries)
            .expect("no damage")
            .iter()
            .map(Entry::seq)
            .collect()
    };
    assert_eq!(seqs(None, None), (0..3000).collect::<Vec<_>>());
    for start in [0, 1, 17, 1499, 1500, 2998, 2999, 3000, 10_000, u64::MAX] {
        assert_eq!(
            seqs(Some(start), Some(3)),
            (start..3000).take(3).collect::<Vec<_>>(),
            "{start}"
        );
    }
    assert!(seqs(Some(5), Some(0)).is_empty());
    let last = fixture
        .log
        .last_blocking("p")
        .expect("a partition")
        .expect("an entry");
    assert_eq!(last.seq(), 2999);
    assert_eq!(last.partition().as_deref(), Some("p"));
}

#[test]
fn a_place_is_found_among_lines_of_all_lengths() {
    let fixture = fixture();
    for n in 0..300_usize {
        let length = if n % 37 == 0 { 200_000 } else { n };
        fixture
            .append("p", &format!("\"{}\"", "x".repeat(length)))
            .expect("an append");
    }
    for start in 0..300 {
        let entries = fixture
            .log
            .read_blocking("p", Some(start), Some(1))
            .expect("a partition");
        assert_eq!(all(entries).expect("no damage")[0].seq(), start);
    }
}

#[test]
fn names_have_their_own_files() {
    let fixture = fixture();
    fixture.append("a.b", "1").expect("an append");
    for (name, refusal) in [
        (
            "a b",
            "partition 'a b' would share the file a_b.jsonl with 'a.b'",
        ),
        ("", "partition must not be empty"),
        ("a\nb", "partition must not have control characters"),
    ] {
        let refused = fixture.append(name, "1").expect_err("refused");
        assert!(refused.is_refusal());
        assert_eq!(refused.to_string(), refusal);
    }
    fixture.append("../../up", "1").expect("an append");
    assert!(fixture.file("______up").exists());
    // The same when the file is opened again.
    let fixture = fixture.damage("a_b", |_| {});
    assert!(matches!(
        fixture.append("a b", "1"),
        Err(ChainError::Taken { .. })
    ));
    assert!(matches!(
        fixture.log.read_blocking("a b", None, None),
        Err(ChainError::NotFound(_))
    ));
    assert!(!verify(&fixture.log, "a b").valid);
    assert_eq!(
        fixture.log.list_blocking().expect("names"),
        ["../../up", "a.b"]
    );
    for log in [&fixture.log, &Log::read_only(fixture.folder.path())] {
        assert!(matches!(
            log.read_blocking("unknown", None, None),
            Err(ChainError::NotFound(_))
        ));
        assert!(matches!(
            log.last_blocking("unknown"),
            Err(ChainError::NotFound(_))
        ));
        assert_eq!(
            verify(log, "unknown").error.as_deref(),
            Some("no such partition: 'unknown'")
        );
    }
    assert!(!fixture.file("unknown").exists());
}

#[test]
fn what_is_no_data_leaves_nothing_behind() {
    let fixture = fixture();
    for data in ["", "{", "NaN", "1e400", "\"\\ud800\"", &"[".repeat(501)] {
        assert!(
            fixture.append("p", data).expect_err("refused").is_refusal(),
            "{data}"
        );
    }
    let large = format!("\"{}\"", "x".repeat(MAX_DATA_BYTES - 1));
    assert!(matches!(
        fixture.append("p", &large),
        Err(ChainError::TooLarge)
    ));
    assert!(!fixture.file("p").exists());
    fixture
        .append("p", &large[1..].replacen('x', "\"", 1))
        .expect("the largest");
    assert!(verify(&fixture.log, "p").valid);
}

#[test]
fn a_torn_last_line_is_told_apart_and_cut_at_the_next_append() {
    let written = fixture();
    written.fill("p", 10);
    let fixture = written.damage("p", |bytes| {
        bytes.extend_from_slice(b"{\"seq\":10,\"ts\":\"")
    });
    let reading = Log::read_only(fixture.folder.path());
    let torn = verify(&reading, "p");
    assert_eq!((torn.valid, torn.entries_verified), (false, 10));
    assert!(
        torn.error
            .expect("a fault")
            .starts_with("line 11 is torn: 16 bytes")
    );
    assert_eq!(
        all(reading.read_blocking("p", None, None).expect("p"))
            .expect("whole lines")
            .len(),
        10
    );
    assert_eq!(
        reading
            .last_blocking("p")
            .expect("p")
            .expect("an entry")
            .seq(),
        9
    );
    assert_eq!(fixture.append("p", "1").expect("an append").seq, 10);
    let whole = verify(&reading, "p");
    assert_eq!((whole.valid, whole.entries_verified), (true, 11));
    // Nothing but a torn line, cut at the start of a server.
    let fixture = fixture.damage("p", |bytes| bytes.truncate(100));
    assert_eq!(fixture.log.recover().expect("files"), 1);
    assert_eq!(fs::metadata(fixture.file("p")).expect("a file").len(), 0);
    assert_eq!(fixture.append("p", "1").expect("an append").seq, 0);
}

/// Each change of a file of 2,000 entries is found, at its line.
#[test]
fn damage_is_named_with_its_line() {
    type Change = fn(&mut Vec<String>);
    let changes: [(u64, &str, Change); 12] = [
        (1235, "hash is ", |lines| {
            lines[1234] = lines[1234].replace("\"n\":1234", "\"n\":1235")
        }),
        (1001, "hash is ", |lines| {
            lines[1000] = lines[1000].replace("\"ts\":\"2", "\"ts\":\"1")
        }),
        (1001, "seq is 1001, expected 1000", |lines| {
            drop(lines.remove(1000))
        }),
        (1001, "seq is 999, expected 1000", |lines| {
            lines.insert(1000, lines[999].clone())
        }),
        (2, "seq is 5, expected 1", |lines| lines.swap(1, 5)),
        (1, "seq is 1, expected 0", |lines| drop(lines.remove(0))),
        (1, "prev_hash is ", |lines| {
            lines[0] = lines[0].replace("0000\",\"data", "0001\",\"data")
        }),
        (1500, "is blank", |lines| lines.insert(1499, String::new())),
        (1501, "is no entry: expected data", |lines| {
            lines[1500].push('\r')
        }),
        (7, "partition is 'q', expected 'p'", |lines| {
            lines[6] = lines[6].replace("\"p\"", "\"q\"")
        }),
        (8, "data has spaces", |lines| {
            lines[7] = lines[7].replace("\"n\":", "\"n\": ")
        }),
        (9, "is no entry: expected {\"seq\":", |lines| {
            lines[8] = lines[8].replace("{\"seq\"", "{ \"seq\"")
        }),
    ];
    let fixture = fixture();
    fixture.fill("p", 2000);
    assert_eq!(verify(&fixture.log, "p").entries_verified, 2000);
    let lines = fixture.lines("p");
    let reading = Log::read_only(fixture.folder.path());
    for (line, expected, change) in changes {
        let mut changed = lines.clone();
        change(&mut changed);
        fs::write(fixture.file("p"), changed.join("\n") + "\n").expect("a file");
        let found = verify(&reading, "p");
        let error = found.error.expect("a fault");
        assert_eq!(
            (found.valid, found.entries_verified),
            (false, line - 1),
            "{error}"
        );
        assert!(
            error.starts_with(&format!("line {line}")) && error.contains(expected),
            "{error}"
        );
    }
}

#[test]
fn a_damaged_end_takes_no_appends_and_the_rest_can_be_read() {
    let written = fixture();
    written.fill("p", 100);
    let fixture = written.damage("p", |bytes| {
        let at = bytes.len() - 90;
        bytes[at] ^= 1;
    });
    let refused = fixture.append("p", "1").expect_err("damage");
    assert!(matches!(refused, ChainError::Damaged(_)), "{refused}");
    let found = verify(&fixture.log, "p");
    assert_eq!((found.valid, found.entries_verified), (false, 99));
    assert_eq!(
        all(fixture
            .log
            .read_blocking("p", Some(50), Some(10))
            .expect("p"))
        .expect("entries")
        .len(),
        10
    );
}

#[test]
fn a_full_disk_refuses_all_that_follows() {
    let fixture = fixture();
    std::os::unix::fs::symlink("/dev/full", fixture.file("p")).expect("a link");
    for _ in 0..2 {
        let refused = fixture.append("p", "1").expect_err("no room").to_string();
        assert!(refused.contains("write: No space left"), "{refused}");
    }
    // Others go on.
    fixture.append("q", "1").expect("an append");
}

/// Data that a changed writer hashes right is found where the next entry holds another hash.
#[test]
fn a_forged_entry_breaks_the_next() {
    let fixture = fixture();
    fixture.fill("p", 3);
    let mut lines = fixture.lines("p");
    let forged = Entry::parse(lines[1].clone().into()).expect("an entry");
    let hash = entry::EntryHash::begin(b"666").finish(
        b"p",
        &Hash::parse(forged.prev_hash().as_bytes()).expect("a hash"),
        b"1",
        forged.ts().as_bytes(),
    );
    lines[1] = lines[1]
        .replace(forged.data(), "666")
        .replace(forged.hash().as_str(), hash.as_str());
    fs::write(fixture.file("p"), lines.join("\n") + "\n").expect("a file");
    let found = verify(&Log::read_only(fixture.folder.path()), "p");
    assert_eq!(found.entries_verified, 2);
    let error = found.error.expect("a fault");
    assert!(
        error.starts_with(&format!("line 3: prev_hash is {}", forged.hash()))
            && error.ends_with(&format!("expected {hash}")),
        "{error}"
    );
}

/// The rule as someone else would write it down: verifies a file, or writes one.
const PYTHON: &str = r#"
import hashlib, json, sys
from datetime import datetime, timezone
compact = dict(separators=(',', ':'))
def digest(entry):
    return hashlib.sha256(json.dumps(entry, sort_keys=True, **compact).encode()).hexdigest()
what, path, partition = sys.argv[1:]
before = '0' * 64
if what == 'verify':
    count = 0
    for number, line in enumerate(open(path)):
        entry = json.loads(line)
        assert list(entry) == ['seq', 'ts', 'partition', 'prev_hash', 'data', 'hash'], entry
        assert line == json.dumps(entry, **compact) + '\n', line
        found = entry.pop('hash')
        assert (entry['seq'], entry['partition'], entry['prev_hash']) == (number, partition, before), entry
        assert datetime.fromisoformat(entry['ts']).utcoffset().total_seconds() == 0
        before = digest(entry)
        assert found == before, number
        count += 1
    print(count, before)
else:
    with open(path, 'w') as file:
        values = [0, -0.0, 1e16, 1e-5, 600000000000000.2, 10**40, 'é€😀\x7f/\\"\n', None, True, [], {},
                  {'b': 1, 'a': {'é': 1, '😀': 2, '～': 3, 'z': [1.0, 1e300]}}]
        for number, data in enumerate(values * 100):
            entry = dict(seq=number, ts=datetime.now(timezone.utc).isoformat(timespec='microseconds'),
                         partition=partition, prev_hash=before, data=data)
            entry['hash'] = before = digest(entry)
            file.write(json.dumps(entry, **compact) + '\n')
    print(len(values) * 100, before)
"#;

fn python(what: &str, path: &Path, partition: &str) -> Option<String> {
    let ran = Command::new("python3")
        .args(["-c", PYTHON, what])
        .arg(path)
        .arg(partition)
        .output();
    let Ok(ran) = ran else {
        eprintln!("no python3: not compared");
        return None;
    };
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    Some(
        String::from_utf8(ran.stdout)
            .expect("text")
            .trim()
            .to_owned(),
    )
}

#[test]
fn python_verifies_our_files() {
    let fixture = fixture();
    for data in [
        "{\"z\":1,\"a\":[1.0,1e16,0.00001,-0,-0.0,123456789012345678901234567890]}",
        "\"\u{7f}é😀\\u0000\\/\"",
        "{\"😀\":1,\"～\":{\"b\":0.1,\"a\":1E5},\"z\":600000000000000.2,\"z\":3}",
        "null",
    ] {
        fixture.append("käse 😀", data).expect("an append");
    }
    if let Some(found) = python("verify", &fixture.file("käse__"), "käse 😀") {
        let last = fixture
            .log
            .last_blocking("käse 😀")
            .expect("p")
            .expect("an entry");
        assert_eq!(found, format!("4 {}", last.hash()));
    }
}

#[test]
fn we_verify_pythons_files_and_go_on_with_them() {
    let fixture = fixture();
    let Some(written) = python("write", &fixture.file("other"), "other") else {
        return;
    };
    let found = verify(&fixture.log, "other");
    assert_eq!(found.error, None);
    assert_eq!(
        format!("{} {}", found.entries_verified, found.final_hash),
        written
    );
    fixture.append("other", "{\"ours\":1}").expect("an append");
    python("verify", &fixture.file("other"), "other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_appends_make_one_chain_and_followers_see_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::open(
        Directory::lock(folder.path()).expect("the lock"),
        WriteOptions::default(),
    );
    log.append("p", b"\"first\"").await.expect("an append");
    let follow = |log: Log, start, first: u64| {
        tokio::spawn(async move {
            let mut entries = log.tail("p", start, true).await.expect("p");
            let mut seqs = Vec::new();
            while seqs.len() < 1001 - first as usize {
                let chunk = entries.next().await.expect("no damage").expect("no end");
                seqs.extend(chunk.entries.iter().map(Entry::seq));
            }
            assert_eq!(seqs, (first..1001).collect::<Vec<_>>());
        })
    };
    let mut tasks = vec![
        follow(log.clone(), Some(0), 0),
        // Not there yet.
        follow(log.clone(), Some(500), 500),
        follow(Log::read_only(folder.path()), Some(1), 1),
    ];
    let mut end = log.tail("p", None, true).await.expect("p");
    for task in 0..100 {
        let log = log.clone();
        tasks.push(tokio::spawn(async move {
            for n in 0..10 {
                let data = format!("[{task},{n}]");
                log.append("p", data.as_bytes()).await.expect("an append");
            }
        }));
    }
    for task in tasks {
        task.await.expect("a task");
    }
    assert_eq!(
        end.next()
            .await
            .expect("no damage")
            .expect("a chunk")
            .entries[0]
            .seq(),
        1
    );
    let found = log.verify("p").await.expect("a file");
    assert_eq!((found.error, found.entries_verified), (None, 1001));
    // Each sender's own appends are in its order.
    let entries = log.read_blocking("p", Some(1), None).expect("p");
    let mut next = [0; 100];
    for entry in all(entries).expect("no damage") {
        let [task, n]: [usize; 2] = serde_json::from_str(entry.data()).expect("data");
        assert_eq!(n, next[task]);
        next[task] += 1;
    }
    assert_eq!(next, [10; 100]);
}
