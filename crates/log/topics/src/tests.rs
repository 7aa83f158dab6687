//! Topics on real files, in the process.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::files::FileKind;
use super::log::segment_path;
use super::recovery::bases;
use crate::{NewRecord, Options, Pace, Start, StoredRecord, TopicDraft, Topics, TopicsError};
use group_commit::Directory;
use group_commit::Durability;

mod aside;
mod clock;
mod keeping;
mod opening;

fn config() -> Options {
    Options {
        open_files: 64,
        // Never, so that a copy of the files is what a crash would leave.
        sync_interval: Duration::from_secs(3600),
        ..Options::default()
    }
}

fn open(path: &Path) -> Topics {
    open_with(path, &config())
}

fn open_with(path: &Path, config: &Options) -> Topics {
    let directory = Directory::lock(path).expect("the lock");
    Topics::open(directory, config, CancellationToken::new()).expect("open")
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
        assert_eq!(produced.offset, Some(offset));
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
