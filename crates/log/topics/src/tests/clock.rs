//! Clocks that were ahead.

use std::time::{SystemTime, UNIX_EPOCH};

use super::*;

const TEN_YEARS_MS: i64 = 10 * 365 * 24 * 3600 * 1000;

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}

/// A topic with 100 records of ten years from now in its first segment.
fn ahead(path: &Path, configs: &[(&str, &str)]) {
    let topics = open(path);
    create(&topics, "t", 1, configs);
    topics.close();
    drop(topics);
    let mut bytes = Vec::new();
    for offset in 0..100 {
        let record = NewRecord {
            value: value(offset).into(),
            ..NewRecord::default()
        };
        record.encode(offset, now() + TEN_YEARS_MS, &mut bytes);
    }
    let file = segment(path, 0);
    fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    fs::write(file, bytes).expect("written");
}

fn quick() -> Options {
    Options {
        sync_interval: Duration::from_millis(20),
        retention_interval: Duration::from_millis(20),
        ..config()
    }
}

/// Waits until the first offset that is there is `offset`.
async fn beginning_at(topics: &Topics, offset: u64) {
    let reached = async {
        while topics.offsets("t", 0).expect("offsets").beginning < offset {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(20), reached).await;
    reached.expect("retention removes them");
}

#[tokio::test]
async fn records_carry_the_clock_after_it_was_ahead_and_stay_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    ahead(folder.path(), &[]);
    let topics = open(folder.path());
    let before = now();
    let produced = topics
        .produce_blocking("t", 0, NewRecord::default(), Durability::Synced)
        .expect("produced");
    assert_eq!(produced.offset, Some(100));
    assert!(
        (before..=now()).contains(&produced.timestamp),
        "{produced:?}"
    );
    let records = read(&topics, 0).await.expect("records");
    assert_eq!(records.len(), 101);
    assert!(records[99].append_time > now() && records[100].append_time <= now());
}

#[tokio::test]
async fn retention_removes_records_of_the_future() {
    let folder = tempfile::tempdir().expect("a folder");
    ahead(
        folder.path(),
        &[("retention.ms", "200"), ("segment.bytes", "1000")],
    );
    // Alone, counted from when it is found, and in a segment before others.
    let topics = open_with(folder.path(), &quick());
    produce(&topics, "t", 1, Durability::Buffered);
    beginning_at(&topics, 101).await;
    topics.close();
    drop(topics);
    let folder = tempfile::tempdir().expect("a folder");
    ahead(folder.path(), &[("retention.ms", "200")]);
    let topics = open_with(folder.path(), &quick());
    beginning_at(&topics, 100).await;
}

/// A restart in between does not begin the count anew.
#[test]
fn the_corrected_time_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    ahead(folder.path(), &[("retention.ms", "3600000")]);
    let topics = open_with(folder.path(), &quick());
    topics.close();
    let log = |topics: &Topics| {
        topics.catalog().get("t").expect("a topic").partitions[0]
            .log
            .clone()
    };
    log(&topics).correct_times(1000);
    drop(topics);
    let reopened = open(folder.path());
    let log = log(&reopened);
    let view = log.view();
    assert_eq!(view.segments[0].last_append, 1000);
}
