//! What is kept, what is not, and what failing disks do.

use std::sync::Arc;
use std::time::Instant;

use super::*;

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
    let quick = Options {
        sync_interval: Duration::from_millis(50),
        retention_interval: Duration::from_millis(50),
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
            assert_eq!(produced.expect("produced").offset, Some(round));
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
    let produced = topics.produce_blocking("t", partition, record, durability)?;
    Ok(produced.offset.expect("files always say"))
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
fn what_cannot_be_cut_back_on_a_full_disk_poisons_and_gives_no_offsets() {
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
                        .expect("files always say")
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

#[tokio::test(flavor = "multi_thread")]
async fn consumers_follow_a_producer_over_many_segments_while_indexes_are_written() {
    const RECORDS: u64 = 20_000;
    let folder = tempfile::tempdir().expect("a folder");
    let busy = Options {
        open_files: 16,
        sync_interval: Duration::from_millis(1),
        ..config()
    };
    let topics = open_with(folder.path(), &busy);
    create(&topics, "t", 1, &[("segment.bytes", "150000")]);
    let producer = {
        let topics = topics.clone();
        tokio::task::spawn_blocking(move || produce(&topics, "t", RECORDS, Durability::Buffered))
    };
    let followers = (0..4).map(|follower| {
        let topics = topics.clone();
        tokio::spawn(async move {
            let pace = Pace::parse([0, 1, 5000, 100_000][follower], 0, 0).expect("a pace");
            let mut consumer = topics
                .consume("t", 0, Start::Earliest, pace)
                .expect("a consumer");
            let mut next = 0;
            // The one that gets one record at a time shall not take all day.
            let last = if follower == 1 { RECORDS / 20 } else { RECORDS };
            while next < last {
                let delivery = consumer.next().await.expect("records");
                assert!(delivery.high_watermark > next);
                assert_values(&delivery.records, next);
                next += delivery.records.len() as u64;
                if next % 7 == 0 {
                    // Somebody else looks an offset up.
                    assert_values(&read_once(&topics, next / 2).await, next / 2);
                }
            }
        })
    });
    for follower in followers.collect::<Vec<_>>() {
        follower.await.expect("a follower");
    }
    producer.await.expect("the producer");
}

async fn read_once(topics: &Topics, start: u64) -> Vec<StoredRecord> {
    let pace = Pace::parse(100, 0, 0).expect("a pace");
    let fetched = topics.fetch("t", 0, Start::Offset(start), pace, Duration::ZERO);
    fetched.await.expect("records").records
}
