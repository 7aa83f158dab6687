//! The log over files, and files over other hands than ours.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::*;
use group_commit::Directory;
use group_commit::Durability;

mod any_bytes;
mod damage;
mod journal;
mod python;
mod strangers;

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
