//! Files as a crash or a disk leaves them, opened again.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use super::*;

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

/// `WEIR_LOG_RECORDS=10000000 cargo test -p topics --lib opening_takes -- --nocapture` is the one of the contract.
#[test]
fn opening_takes_under_a_second_whatever_was_left() {
    let records = std::env::var("WEIR_LOG_RECORDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let records: u64 = records.unwrap_or(200_000);
    let folder = tempfile::tempdir().expect("a folder");
    let running = Options {
        sync_interval: Duration::from_secs(2),
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
