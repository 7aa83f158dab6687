use std::collections::BTreeMap;

use group_commit::Terms;

use super::*;
use crate::counters::Counters;
use crate::files::Files;
use crate::topic::{Description, Topic};

fn record(bytes: usize) -> Records {
    Records::One(NewRecord {
        value: vec![b'v'; bytes].into(),
        ..NewRecord::default()
    })
}

/// A new segment makes a file, and lets retention remove others: not on a thread that runs tasks.
#[test]
fn what_begins_a_segment_is_not_quick() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("t");
    std::fs::create_dir(&folder).expect("made");
    let description = Description {
        name: "t".into(),
        partitions: 1,
        configs: BTreeMap::from([("segment.bytes".into(), "1000".into())]),
    };
    description.write(&folder).expect("written");
    let files = Arc::new(Files::new(16));
    let topic = Topic::open(&folder, &files, &Terms::default(), &Counters::default());
    let log = Arc::clone(&topic.expect("a topic").partitions[0].log);
    let mut appender = Appender::new(log);
    let put = |appender: &mut Appender, bytes| {
        let mut answers = Vec::new();
        let written = appender.write(&mut vec![record(bytes)], &mut answers);
        written.expect("written");
        assert_eq!(answers.len(), 1);
    };
    assert!(!appender.is_quick(&record(10)), "there is no segment yet");
    put(&mut appender, 400);
    assert!(appender.is_quick(&record(10)));
    assert!(!appender.is_quick(&record(600)));
    put(&mut appender, 600);
    assert!(appender.is_quick(&record(10)), "in the new one");
}
