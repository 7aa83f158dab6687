//! Folders in which one file is damaged, or somebody else's: all else serves.

use super::*;

/// Two topics of two partitions with 50 records each, a group, closed.
fn written() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let topics = open(folder.path());
    for name in ["t", "u"] {
        create(&topics, name, 2, &[]);
        produce(&topics, name, 50, Durability::Synced);
        put(&topics, name, 1).expect("produced");
    }
    topics.close();
    folder
}

fn put(topics: &Topics, topic: &str, partition: i64) -> Result<u64, TopicsError> {
    let record = NewRecord::default();
    let produced = topics.produce_blocking(topic, partition, record, Durability::Synced)?;
    Ok(produced.offset.expect("files always say"))
}

#[tokio::test]
async fn a_damaged_description_sets_its_topic_alone_aside() {
    for damage in [
        "",
        "{",
        "[]",
        r#"{"name":"u","partitions":1,"configs":{}}"#,
        r#"{"name":"t","partitions":4000000000,"configs":{}}"#,
    ] {
        let folder = written();
        let description = folder.path().join("topics/logs/t/topic.json");
        fs::write(&description, damage).expect("damaged");
        let topics = open(folder.path());
        let aside = TopicsError::TopicAside("t".into());
        assert_eq!(topics.names(), ["t", "u"], "{damage}");
        assert_eq!(topics.describe("t"), Err(aside.clone()));
        assert_eq!(put(&topics, "t", 0), Err(aside.clone()));
        assert_eq!(read(&topics, 0).await, Err(aside.clone()));
        let draft = TopicDraft {
            name: "t".into(),
            ..TopicDraft::default()
        };
        assert_eq!(topics.create_blocking(draft), Err(aside));
        assert_eq!(put(&topics, "u", 0), Ok(50));
        // Its records stay for whoever mends the description, or deletes the topic.
        assert!(segment(folder.path(), 0).exists());
        topics.delete("t").await.expect("deleted");
        assert_eq!(topics.names(), ["u"]);
        create(&topics, "t", 1, &[]);
        assert_eq!(put(&topics, "t", 0), Ok(0));
    }
}

#[tokio::test]
async fn what_is_committed_for_a_topic_stays_while_it_is_set_aside() {
    let folder = written();
    let topics = open(folder.path());
    let commit = vec![("t".to_owned(), 0, 7), ("u".to_owned(), 0, 8)];
    topics.commit("g", commit).await.expect("committed");
    topics.close();
    drop(topics);
    let description = folder.path().join("topics/logs/t/topic.json");
    let whole = fs::read(&description).expect("read");
    fs::write(&description, "{").expect("damaged");
    let offsets = |topics: &Topics| topics.group("g").expect("a group").offsets;
    assert_eq!(offsets(&open(folder.path())).len(), 2);
    fs::write(&description, whole).expect("mended");
    let topics = open(folder.path());
    assert_eq!(offsets(&topics)[&("t".to_owned(), 0)], 7);
    assert_eq!(read(&topics, 0).await.expect("records").len(), 50);
}

#[tokio::test]
async fn a_segment_that_cannot_be_read_sets_its_partition_alone_aside() {
    let folder = written();
    let path = segment(folder.path(), 0);
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("something else in its place");
    let topics = open(folder.path());
    let aside = TopicsError::PartitionAside {
        topic: "t".into(),
        partition: 0,
    };
    assert_eq!(read(&topics, 0).await, Err(aside.clone()));
    assert_eq!(put(&topics, "t", 0), Err(aside));
    assert_eq!(put(&topics, "t", 1), Ok(1));
    // Without a key there are others.
    assert_eq!(
        (0..4)
            .map(|_| put(&topics, "t", -1))
            .filter(Result::is_ok)
            .count(),
        4
    );
    assert_eq!(put(&topics, "u", 0), Ok(50));
    // A member of a group gets what is whole.
    let pace = Pace::parse(0, 0, 0).expect("a pace");
    let mut member = topics
        .join("g", Default::default(), "t", Start::Earliest, pace)
        .expect("a member");
    assert_eq!(member.next().await.expect("records").partition, 1);
    topics.close();
    assert!(path.is_dir());
}

#[tokio::test]
async fn an_offsets_file_that_cannot_be_read_sets_groups_alone_aside() {
    let folder = written();
    fs::remove_file(folder.path().join("topics/offsets.log")).expect("removed");
    fs::create_dir(folder.path().join("topics/offsets.log")).expect("something else");
    let topics = open(folder.path());
    let commit = vec![("t".to_owned(), 0, 7)];
    assert_eq!(
        topics.commit("g", commit).await,
        Err(TopicsError::GroupsAside)
    );
    let pace = Pace::parse(0, 0, 0).expect("a pace");
    let joined = topics.join("g", Default::default(), "t", Start::Earliest, pace);
    assert_eq!(
        joined.map(|_| ()).expect_err("no groups"),
        TopicsError::GroupsAside
    );
    assert_eq!(put(&topics, "t", 0), Ok(50));
    topics.delete("t").await.expect("deleted");
}

/// What is named in the layout is not thereby a topic's.
#[test]
fn opening_leaves_alone_what_is_no_topics() {
    let folder = written();
    let at = |name: &str| folder.path().join("topics").join(name);
    let partition = at("logs/t/0");
    let strangers = [
        at("new/diary/monday.txt"),
        at("deleted/0/notes.txt"),
        at("deleted/letter"),
        at("logs/photos/cat.jpg"),
        at("logs/readme"),
        partition.join("1.log"),
        partition.join("1.index"),
        partition.join("00000000000000000999.index"),
        partition.join("notes.log"),
    ];
    for path in &strangers {
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, "somebody else's").expect("a file");
    }
    // What a crash left of topics goes.
    copy_folder(&at("logs/u"), &at("deleted/7"));
    fs::create_dir(at("new/3")).expect("made");
    let topics = open(folder.path());
    assert_eq!(topics.names(), ["t", "u"]);
    assert_eq!(put(&topics, "t", 0), Ok(50));
    create(&topics, "photos2", 1, &[]);
    topics.close();
    for path in &strangers {
        let left = fs::read_to_string(path).expect("the file");
        assert_eq!(left, "somebody else's", "{}", path.display());
    }
    assert!(!at("deleted/7").exists() && !at("new/3").exists());
}
