use super::*;

fn commit(group: &str, topic: &str, offset: u64) -> Change {
    Change::Commit {
        group: group.to_owned(),
        offsets: vec![(topic.to_owned(), 0, offset)],
    }
}

fn write(file: &mut OffsetsFile, changes: Vec<Change>) {
    let mut answers = Vec::new();
    let mut changes = changes;
    file.write(&mut changes, &mut answers).expect("written");
    file.sync().expect("synced");
}

#[test]
fn what_is_committed_is_there_after_opening() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut file, _) = OffsetsFile::open(folder.path(), |_| true).expect("open");
    write(
        &mut file,
        vec![
            commit("g", "t", 3),
            commit("g", "u", 1),
            commit("h", "t", 9),
        ],
    );
    write(
        &mut file,
        vec![
            commit("g", "t", 4),
            Change::DeleteGroup { group: "h".into() },
        ],
    );
    for _ in 0..2 {
        let (_, offsets) = OffsetsFile::open(folder.path(), |_| true).expect("open");
        let expected = BTreeMap::from([(("t".to_owned(), 0), 4), (("u".to_owned(), 0), 1)]);
        assert_eq!(
            *offsets.lock(),
            BTreeMap::from([("g".to_owned(), expected)])
        );
    }
    let (mut file, offsets) = OffsetsFile::open(folder.path(), |topic| topic != "t").expect("open");
    assert_eq!(offsets.lock()["g"].len(), 1);
    write(&mut file, vec![Change::DeleteTopic { topic: "u".into() }]);
    assert!(offsets.lock().is_empty());
}

#[test]
fn the_file_does_not_grow_without_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut file, _) = OffsetsFile::open(folder.path(), |_| true).expect("open");
    for offset in 0..40_000 {
        let mut batch = vec![commit("g", "t", offset)];
        file.write(&mut batch, &mut Vec::new()).expect("written");
    }
    let bytes = fs::metadata(folder.path().join(FILE))
        .expect("a file")
        .len();
    assert!(bytes < 2 * MIN_REWRITE_BYTES, "{bytes}");
    let (_, offsets) = OffsetsFile::open(folder.path(), |_| true).expect("open");
    assert_eq!(offsets.lock()["g"][&("t".to_owned(), 0)], 39_999);
}

#[test]
fn a_torn_tail_is_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(FILE);
    let (mut file, _) = OffsetsFile::open(folder.path(), |_| true).expect("open");
    write(&mut file, vec![commit("g", "t", 3), commit("g", "t", 4)]);
    let whole = fs::read(&path).expect("read");
    fs::write(&path, &whole[..whole.len() - 1]).expect("torn");
    let (_, offsets) = OffsetsFile::open(folder.path(), |_| true).expect("open");
    assert_eq!(offsets.lock()["g"][&("t".to_owned(), 0)], 3);
    let files = fs::read_dir(folder.path()).expect("a folder");
    assert_eq!(files.count(), 1);
}

#[test]
fn of_a_damaged_file_what_is_whole_counts_and_the_file_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(FILE);
    let (mut file, _) = OffsetsFile::open(folder.path(), |_| true).expect("open");
    let changes = vec![
        commit("g", "t", 3),
        commit("h", "t", 5),
        commit("g", "t", 4),
        commit("i", "t", 6),
    ];
    write(&mut file, changes);
    let whole = fs::read(&path).expect("read");
    for (at, number) in (0..whole.len()).step_by(11).zip(1..) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).expect("damaged");
        let (mut file, offsets) = OffsetsFile::open(folder.path(), |_| true).expect("open");
        let of = |group: &str| {
            offsets
                .lock()
                .get(group)
                .map(|all| all[&("t".to_owned(), 0)])
        };
        let found = (of("g"), of("h"), of("i"));
        let lost = [
            (Some(4), Some(5), Some(6)),
            (Some(4), None, Some(6)),
            (Some(3), Some(5), Some(6)),
            // The last change looks torn.
            (Some(4), Some(5), None),
        ];
        assert!(lost.contains(&found), "{at}: {found:?}");
        let kept = folder.path().join(format!("offsets.damaged-{number}"));
        if found.2.is_some() {
            assert_eq!(fs::read(kept).expect("kept"), damaged, "{at}");
        } else {
            fs::write(kept, "").expect("the next number");
        }
        write(&mut file, vec![commit("g", "t", 9)]);
        let (_, offsets) = OffsetsFile::open(folder.path(), |_| true).expect("open");
        assert_eq!(offsets.lock()["g"][&("t".to_owned(), 0)], 9);
    }
}

#[test]
fn somebody_elses_files_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let foreign = "Monday: rain\n".repeat(20);
    fs::write(folder.path().join(FILE), &foreign).expect("a file");
    let (_, offsets) = OffsetsFile::open(folder.path(), |_| true).expect("open");
    assert!(offsets.lock().is_empty());
    let kept = folder.path().join("offsets.damaged-1");
    assert_eq!(fs::read_to_string(kept).expect("kept"), foreign);
    let (mut file, _) = OffsetsFile::open(folder.path(), |_| true).expect("open");
    write(&mut file, vec![commit("g", "t", 3)]);
    fs::write(folder.path().join(NEW_FILE), &foreign).expect("a file");
    let (_, offsets) = OffsetsFile::open(folder.path(), |_| true).expect("open");
    assert_eq!(offsets.lock()["g"].len(), 1);
    let left = fs::read_to_string(folder.path().join(NEW_FILE)).expect("the file");
    assert_eq!(left, foreign);
}

/// `/dev/full` stands for the disk: reads give nothing here, writes find no room.
#[test]
fn without_room_nothing_changes_but_deleted_topics_and_they_are_noted_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut file, offsets) = OffsetsFile::open(folder.path(), |_| true).expect("open");
    write(&mut file, vec![commit("g", "t", 3), commit("g", "u", 7)]);
    let full = OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("open");
    let disk = std::mem::replace(&mut file.file, full);
    let mut batch = vec![
        commit("g", "u", 8),
        Change::DeleteTopic { topic: "t".into() },
    ];
    let mut answers = Vec::new();
    let error = file.write(&mut batch, &mut answers).expect_err("no room");
    assert!(is_out_of_room(&error) && answers.is_empty(), "{error}");
    let expected = BTreeMap::from([(("u".to_owned(), 0), 7)]);
    assert_eq!(offsets.lock()["g"], expected);
    file.file = disk;
    file.take_back().expect("a cut");
    write(&mut file, vec![commit("h", "u", 1)]);
    let (_, offsets) = OffsetsFile::open(folder.path(), |_| true).expect("open");
    assert_eq!(offsets.lock()["g"], expected);
    assert_eq!(offsets.lock()["h"].len(), 1);
}
