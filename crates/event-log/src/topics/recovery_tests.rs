//! Files as a crash or a disk leaves them, opened again.

use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::directory::Directory;
use crate::durability::Durability;
use crate::group_commit::Budget;
use crate::topics::{
    NewRecord, Pace, Start, StoredRecord, TopicDraft, Topics, TopicsConfig, TopicsError,
};

fn config() -> TopicsConfig {
    TopicsConfig {
        topics_open_files: 64,
        // Never, so that a copy of the files is what a crash would leave.
        topics_sync_interval: Duration::from_secs(3600),
        ..TopicsConfig::default()
    }
}

fn open(path: &Path) -> Topics {
    open_with(path, &config())
}

fn open_with(path: &Path, config: &TopicsConfig) -> Topics {
    let directory = Directory::lock(path).expect("the lock");
    let budget = Budget::new(256 * 1024 * 1024);
    Topics::open(directory, config, budget, CancellationToken::new()).expect("open")
}

fn create(topics: &Topics, name: &str, partitions: i64, configs: &[(&str, &str)]) {
    let configs = configs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    let draft = TopicDraft {
        name: name.to_owned(),
        partitions,
        configs: configs.collect(),
        ..TopicDraft::default()
    };
    topics.create_blocking(draft).expect("a topic");
}

fn value(offset: u64) -> Vec<u8> {
    format!("value-{offset}-{}", "x".repeat((offset % 97) as usize)).into_bytes()
}

fn produce(topics: &Topics, topic: &str, count: u64, durability: Durability) {
    let from = topics.offsets(topic, 0).expect("offsets").end;
    for offset in from..from + count {
        let record = NewRecord {
            value: value(offset).into(),
            ..NewRecord::default()
        };
        let produced = topics
            .produce_blocking(topic, 0, record, durability)
            .expect("produced");
        assert_eq!(produced.offset, offset);
    }
}

async fn read(topics: &Topics, start: u64) -> Result<Vec<StoredRecord>, TopicsError> {
    let pace = Pace::parse(0, 0, 0)?;
    let (mut all, mut next) = (Vec::new(), start);
    loop {
        let fetched = topics
            .fetch("t", 0, Start::Offset(next), pace, Duration::ZERO)
            .await;
        match fetched {
            Ok(delivery) if delivery.records.is_empty() => return Ok(all),
            Ok(delivery) => all.extend(delivery.records),
            Err(error) => {
                return if all.is_empty() { Err(error) } else { Ok(all) };
            }
        }
        next = start + all.len() as u64;
    }
}

fn assert_values(records: &[StoredRecord], first: u64) {
    for (record, offset) in records.iter().zip(first..) {
        assert_eq!(
            (record.offset, &record.value[..]),
            (offset, &value(offset)[..])
        );
    }
}

/// The files of partition 0 of topic `t`, copied as they are now.
fn crash(path: &Path) -> TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    copy_folder(path, copy.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn segment(path: &Path, base: u64) -> std::path::PathBuf {
    segment_path(&path.join("topics/logs/t/0"), base, FileKind::Log)
}

fn last_segment(path: &Path) -> std::path::PathBuf {
    let all = bases(&path.join("topics/logs/t/0")).expect("segments");
    segment(path, *all.last().expect("a segment"))
}

#[tokio::test]
async fn every_offset_is_found_after_a_restart_in_many_segments() {
    let folder = tempfile::tempdir().expect("a folder");
    let topics = open(folder.path());
    create(&topics, "t", 1, &[("segment.bytes", "100000")]);
    produce(&topics, "t", 5000, Durability::Buffered);
    for round in 0..3 {
        for offset in (0..5000).step_by(37) {
            let records = read(&topics, offset).await.expect("records");
            assert_eq!(records.len() as u64, 5000 + round * 10 - offset);
            assert_values(&records, offset);
        }
        topics.close();
        // Where nothing was synced, the segments are read; later their checkpoints say what they hold.
        let crashed = crash(folder.path());
        let reopened = open(crashed.path());
        assert_eq!(
            read(&reopened, 0).await.expect("records").len() as u64,
            5000 + round * 10
        );
        produce(&topics, "t", 10, Durability::Synced);
    }
}

#[tokio::test]
async fn a_torn_tail_is_cut_wherever_it_is_torn() {
    let folder = tempfile::tempdir().expect("a folder");
    let topics = open(folder.path());
    create(&topics, "t", 1, &[("segment.bytes", "10000")]);
    produce(&topics, "t", 300, Durability::Buffered);
    let whole = fs::metadata(last_segment(folder.path()))
        .expect("a file")
        .len();
    for torn in [1, 7, 8, 43, 44, 60, 100, whole] {
        let crashed = crash(folder.path());
        let last = last_segment(crashed.path());
        OpenOptions::new()
            .write(true)
            .open(&last)
            .expect("open")
            .set_len(whole - torn)
            .expect("cut");
        let reopened = open(crashed.path());
        let end = reopened.offsets("t", 0).expect("offsets").end;
        assert!((200..300).contains(&end), "{end}");
        assert!(torn == whole || end > 295, "{torn} {end}");
        // What comes takes the place of what was torn off.
        produce(&reopened, "t", 5, Durability::Synced);
        let records = read(&reopened, 0).await.expect("records");
        assert_eq!(records.len() as u64, end + 5);
        assert_values(&records, 0);
    }
}

#[tokio::test]
async fn garbage_at_the_end_is_cut_also_after_a_clean_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    let topics = open(folder.path());
    create(&topics, "t", 1, &[]);
    produce(&topics, "t", 100, Durability::Buffered);
    topics.close();
    drop(topics);
    let path = last_segment(folder.path());
    let whole = fs::metadata(&path).expect("a file").len();
    let file = OpenOptions::new().write(true).open(&path).expect("open");
    file.write_all_at(&[0xab; 777], whole).expect("garbage");
    let reopened = open(folder.path());
    assert_eq!(fs::metadata(&path).expect("a file").len(), whole);
    produce(&reopened, "t", 1, Durability::Buffered);
    assert_eq!(read(&reopened, 0).await.expect("records").len(), 101);
}

#[tokio::test]
async fn damage_in_the_middle_is_told_to_those_who_read_it() {
    for synced in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let topics = open(folder.path());
        create(&topics, "t", 1, &[("segment.bytes", "100000")]);
        let durability = if synced {
            Durability::Synced
        } else {
            Durability::Buffered
        };
        produce(&topics, "t", 60, durability);
        let damaged_at = fs::metadata(segment(folder.path(), 0))
            .expect("a file")
            .len()
            - 10;
        produce(&topics, "t", 2000, Durability::Buffered);
        if synced {
            topics.close();
        }
        let crashed = crash(folder.path());
        let file = OpenOptions::new()
            .write(true)
            .open(segment(crashed.path(), 0))
            .expect("open");
        file.write_all_at(b"!", damaged_at).expect("damaged");
        let reopened = open(crashed.path());
        assert_eq!(reopened.offsets("t", 0).expect("offsets").end, 2060);
        assert_values(
            &read(&reopened, 0).await.expect("records up to the damage"),
            0,
        );
        assert_eq!(read(&reopened, 0).await.expect("records").len(), 59);
        let error = read(&reopened, 59).await.expect_err("damage");
        assert!(
            matches!(error, TopicsError::Damaged { offset: 59, .. }),
            "{error:?}"
        );
        // What comes after it is there.
        for start in [60, 61, 1999] {
            let records = read(&reopened, start).await.expect("records");
            assert_eq!(records.len() as u64, 2060 - start);
            assert_values(&records, start);
        }
        produce(&reopened, "t", 1, Durability::Synced);
    }
}

#[tokio::test]
async fn an_index_that_is_lost_or_damaged_is_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let topics = open(folder.path());
    create(&topics, "t", 1, &[("segment.bytes", "300000")]);
    produce(&topics, "t", 10_000, Durability::Buffered);
    topics.close();
    for damage in ["lost", "empty", "garbage", "cut"] {
        let crashed = crash(folder.path());
        let partition = crashed.path().join("topics/logs/t/0");
        for base in bases(&partition).expect("segments") {
            let path = segment_path(&partition, base, FileKind::Index);
            match damage {
                "lost" => fs::remove_file(path).expect("removed"),
                "empty" => fs::write(path, "").expect("written"),
                "garbage" => fs::write(path, [7; 1000]).expect("written"),
                _ => {
                    let bytes = fs::read(&path).expect("read");
                    fs::write(path, &bytes[..bytes.len() / 2]).expect("written");
                }
            }
        }
        let reopened = open(crashed.path());
        let records = read(&reopened, 4321).await.expect("records");
        assert_eq!(records.len(), 10_000 - 4321, "{damage}");
        assert_values(&records, 4321);
    }
}

#[tokio::test]
async fn retention_by_bytes_keeps_what_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let topics = open(folder.path());
    create(
        &topics,
        "t",
        1,
        &[("segment.bytes", "10000"), ("retention.bytes", "50000")],
    );
    produce(&topics, "t", 5000, Durability::Buffered);
    let bytes = topics.bytes("t").expect("bytes");
    assert!((50_000..=70_000).contains(&bytes), "{bytes}");
    let offsets = topics.offsets("t", 0).expect("offsets");
    assert!(
        offsets.beginning > 4000 && offsets.end == 5000,
        "{offsets:?}"
    );
    let on_disk: u64 = fs::read_dir(folder.path().join("topics/logs/t/0"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").metadata().expect("metadata").len())
        .sum();
    assert!(on_disk < 80_000, "{on_disk}");
    let error = read(&topics, 0).await.expect_err("removed");
    assert!(matches!(error, TopicsError::OutOfRange { .. }), "{error:?}");
    assert_values(
        &read(&topics, offsets.beginning).await.expect("records"),
        offsets.beginning,
    );
    topics.close();
    drop(topics);
    let reopened = open(folder.path());
    assert_eq!(reopened.offsets("t", 0).expect("offsets"), offsets);
}

#[tokio::test]
async fn retention_by_time_counts_from_the_append_and_offsets_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let quick = TopicsConfig {
        topics_sync_interval: Duration::from_millis(50),
        topics_retention_interval: Duration::from_millis(50),
        ..config()
    };
    let topics = open_with(folder.path(), &quick);
    create(&topics, "t", 1, &[("retention.ms", "300")]);
    // A timestamp of long ago does not make it old.
    let old = NewRecord {
        timestamp: 1,
        value: value(0).into(),
        ..NewRecord::default()
    };
    topics
        .produce_blocking("t", 0, old, Durability::Buffered)
        .expect("produced");
    produce(&topics, "t", 9, Durability::Buffered);
    assert_eq!(read(&topics, 0).await.expect("records").len(), 10);
    let begun = Instant::now();
    while topics.offsets("t", 0).expect("offsets").beginning < 10 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() > Duration::from_millis(250));
    assert_eq!(topics.bytes("t").expect("bytes"), 0);
    drop(topics);
    let reopened = open(folder.path());
    let offsets = reopened.offsets("t", 0).expect("offsets");
    assert_eq!((offsets.beginning, offsets.end), (10, 10));
    produce(&reopened, "t", 1, Durability::Synced);
}

#[test]
fn ten_thousand_partitions_need_no_files_until_they_are_written_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let topics = open(folder.path());
    create(&topics, "t", 10_000, &[]);
    let open_files = || fs::read_dir("/proc/self/fd").expect("fds").count();
    let before = open_files();
    for round in 0..2 {
        for partition in (0..10_000).step_by(10) {
            let record = NewRecord {
                value: value(round).into(),
                ..NewRecord::default()
            };
            let produced = topics.produce_blocking("t", partition, record, Durability::Buffered);
            assert_eq!(produced.expect("produced").offset, round);
        }
    }
    // Other tests of this process open files too.
    assert!(open_files() < before + 500, "{before} {}", open_files());
    let folders = fs::read_dir(folder.path().join("topics/logs/t"))
        .expect("a folder")
        .count();
    assert_eq!(
        folders, 1001,
        "one for each that was written to, and the description"
    );
    drop(topics);
    let begun = Instant::now();
    let reopened = open(folder.path());
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(reopened.offsets("t", 9_990).expect("offsets").end, 2);
    assert_eq!(reopened.offsets("t", 0).expect("offsets").end, 2);
    assert_eq!(reopened.offsets("t", 9_999).expect("offsets").end, 0);
}

/// The log file of partition 0 is one that cannot do what is asked of it.
fn with_file(device: &str) -> (TempDir, Topics) {
    let folder = tempfile::tempdir().expect("a folder");
    let topics = open(folder.path());
    create(&topics, "t", 2, &[]);
    let path = segment(folder.path(), 0);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::os::unix::fs::symlink(device, path).expect("linked");
    (folder, topics)
}

fn put(topics: &Topics, partition: i64, durability: Durability) -> Result<u64, TopicsError> {
    let record = NewRecord::default();
    Ok(topics
        .produce_blocking("t", partition, record, durability)?
        .offset)
}

#[test]
fn a_failed_sync_poisons_its_partition_alone() {
    // Takes every write, and cannot be synced.
    let (_folder, topics) = with_file("/dev/null");
    assert_eq!(put(&topics, 0, Durability::Buffered), Ok(0));
    assert_eq!(
        put(&topics, 0, Durability::Synced),
        Err(TopicsError::Poisoned)
    );
    assert_eq!(
        put(&topics, 0, Durability::Buffered),
        Err(TopicsError::Poisoned)
    );
    assert_eq!(put(&topics, 1, Durability::Synced), Ok(0));
}

#[test]
fn a_sync_that_fails_in_the_background_poisons_too() {
    let (_folder, topics) = with_file("/dev/null");
    assert_eq!(put(&topics, 0, Durability::Buffered), Ok(0));
    topics.close();
    assert_eq!(
        put(&topics, 0, Durability::Buffered),
        Err(TopicsError::Poisoned)
    );
}

#[test]
fn a_full_disk_poisons_and_gives_no_offsets() {
    let (_folder, topics) = with_file("/dev/full");
    assert_eq!(
        put(&topics, 0, Durability::Buffered),
        Err(TopicsError::Poisoned)
    );
    assert_eq!(topics.offsets("t", 0).expect("offsets").end, 0);
    assert_eq!(put(&topics, 1, Durability::Buffered), Ok(0));
}

#[tokio::test]
async fn a_deleted_topic_frees_the_disk_and_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let topics = open(folder.path());
    create(&topics, "t", 1, &[]);
    produce(&topics, "t", 1000, Durability::Buffered);
    let mut consumer = topics
        .consume("t", 0, Start::Latest, Pace::parse(0, 0, 0).expect("a pace"))
        .expect("a consumer");
    let waiting = tokio::spawn(async move { consumer.next().await });
    tokio::task::yield_now().await;
    topics.delete("t").await.expect("deleted");
    assert_eq!(
        waiting.await.expect("a task"),
        Err(TopicsError::NoSuchTopic("t".into()))
    );
    let files = folder.path().join("topics");
    for name in ["logs", "deleted", "new"] {
        assert_eq!(
            fs::read_dir(files.join(name)).expect("a folder").count(),
            0,
            "{name}"
        );
    }
    let deleted = fs::read_dir("/proc/self/fd").expect("fds").filter(|entry| {
        let target = fs::read_link(entry.as_ref().expect("an fd").path());
        target.is_ok_and(|target| {
            target.starts_with(folder.path()) && target.to_string_lossy().contains("deleted")
        })
    });
    assert_eq!(deleted.count(), 0, "files that are open take disk");
    create(&topics, "t", 1, &[]);
    assert_eq!(topics.offsets("t", 0).expect("offsets").end, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn producers_on_many_threads_get_dense_offsets() {
    let folder = tempfile::tempdir().expect("a folder");
    let topics = open(folder.path());
    create(&topics, "t", 1, &[("segment.bytes", "20000")]);
    let topics = Arc::new(topics);
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let topics = Arc::clone(&topics);
            tokio::task::spawn_blocking(move || {
                let durability = if task % 4 == 0 {
                    Durability::Synced
                } else {
                    Durability::Buffered
                };
                let offsets = (0..50).map(|_| {
                    let record = NewRecord {
                        value: "v".into(),
                        ..NewRecord::default()
                    };
                    topics
                        .produce_blocking("t", -1, record, durability)
                        .expect("produced")
                        .offset
                });
                offsets.collect::<Vec<u64>>()
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        let offsets = task.await.expect("a task");
        assert!(offsets.is_sorted());
        all.extend(offsets);
    }
    all.sort_unstable();
    assert_eq!(all, (0..400).collect::<Vec<u64>>());
    assert_eq!(read(&topics, 0).await.expect("records").len(), 400);
}

/// `WEIR_LOG_RECORDS=10000000 cargo test --release -p event-log opening_takes -- --nocapture` is the one of the contract.
#[test]
fn opening_takes_under_a_second_whatever_was_left() {
    let records = std::env::var("WEIR_LOG_RECORDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let records: u64 = records.unwrap_or(200_000);
    let folder = tempfile::tempdir().expect("a folder");
    let running = TopicsConfig {
        topics_sync_interval: Duration::from_secs(2),
        ..config()
    };
    let topics = open_with(folder.path(), &running);
    create(&topics, "t", 1, &[]);
    let record = NewRecord {
        value: vec![b'v'; 100].into(),
        ..NewRecord::default()
    };
    let begun = Instant::now();
    for _ in 0..records {
        topics
            .produce_blocking("t", 0, record.clone(), Durability::Buffered)
            .expect("produced");
    }
    println!(
        "{:?} a record",
        begun.elapsed() / u32::try_from(records).expect("a number")
    );
    // As a crash would leave it.
    let crashed = crash(folder.path());
    drop(topics);
    let begun = Instant::now();
    let reopened = open(crashed.path());
    let took = begun.elapsed();
    println!("{records} records opened in {took:?}");
    assert_eq!(reopened.offsets("t", 0).expect("offsets").end, records);
    assert!(took < Duration::from_secs(1), "{took:?}");
}
