//! Journals that are whole, torn, old, or not of their file.

use proptest::prelude::*;

use super::records::Kept;
use super::*;
use crate::ChainError;

/// Records of these lines, one behind the other, for a file that has `place` bytes before.
fn journal(mut place: u64, batches: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for lines in batches {
        let mut record = [vec![0; HEAD_BYTES], lines.clone()].concat();
        records::fill_head(&mut record, place);
        place += lines.len() as u64;
        bytes.extend(record);
    }
    bytes
}

fn batches() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(1_u8.., 1..60), 1..8)
}

proptest! {
    #[test]
    fn records_count_up_to_the_first_that_is_not_whole(
        batches in batches(),
        place in 0_u64..1 << 50,
        at in any::<prop::sample::Index>(),
        change in 1_u8..,
        cut in any::<bool>(),
    ) {
        let mut bytes = journal(place, &batches);
        prop_assert_eq!(
            Kept::read(&[bytes.clone(), vec![0; 100]].concat()),
            Kept { place, lines: batches.concat() }
        );
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= change;
        }
        let mut end = 0;
        let whole = batches.iter().take_while(|lines| {
            end += HEAD_BYTES + lines.len();
            end <= at
        });
        prop_assert_eq!(Kept::read(&bytes).lines, whole.cloned().collect::<Vec<_>>().concat());
    }

    #[test]
    fn an_earlier_round_never_counts(earlier in batches(), now in batches(), unknown in 0_u64..100) {
        let mut bytes = journal(0, &earlier);
        // The last lines of a round have no room in the journal.
        let place = earlier.concat().len() as u64 + 1 + unknown;
        let round = journal(place, &now);
        bytes.resize(bytes.len().max(round.len()), 0);
        bytes[..round.len()].copy_from_slice(&round);
        prop_assert_eq!(Kept::read(&bytes), Kept { place, lines: now.concat() });
    }

    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Kept::read(&bytes).lines.len() <= bytes.len());
    }
}

/// A partition's file, and the journal of what stands in it from byte 6 on: `two\nthree\n`.
fn left_by_a_crash(file: Option<&[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("p.jsonl");
    let batches = [b"two\n".to_vec(), b"three\n".to_vec()];
    fs::write(path_of(&path), journal(6, &batches)).expect("a file");
    if let Some(content) = file {
        fs::write(&path, content).expect("a file");
    }
    (folder, path)
}

#[test]
fn what_a_file_lost_comes_back() {
    let whole = b"zero.\ntwo\nthree\n".as_slice();
    for (found, missing) in [
        (b"zero.\n".as_slice(), 10),
        (b"zero.\ntw", 8),
        (b"zero.\ntwo\n\0\0\0", 3),
        (b"zero.\n\0\0\0\0three\n", 0),
        (whole, 0),
    ] {
        let (_folder, path) = left_by_a_crash(Some(found));
        assert_eq!(missing_from(&path).expect("a journal"), missing);
        recover(&path).expect("a fitting file");
        assert_eq!(fs::read(&path).expect("a file"), whole, "{found:?}");
        assert!(!path_of(&path).exists());
        assert_eq!(missing_from(&path).expect("no journal"), 0);
        recover(&path).expect("nothing to do");
    }
    // Lines behind those of the journal were never acknowledged, and do no harm.
    let (_folder, path) = left_by_a_crash(Some(b"zero.\ntwo\nthree\nfour\n"));
    recover(&path).expect("a fitting file");
    assert_eq!(
        fs::read(&path).expect("a file"),
        b"zero.\ntwo\nthree\nfour\n"
    );
}

#[test]
fn a_file_that_somebody_changed_stays_as_it_is() {
    for (found, fault) in [
        (None, "p.jsonl: is missing, but p.journal was left"),
        (
            Some(b"zero.".as_slice()),
            "p.jsonl: ends at byte 5, before byte 6, but",
        ),
        (
            Some(b"zero.\ntwo\nother\n"),
            "p.jsonl: is not what was written at byte 10, but",
        ),
    ] {
        let (_folder, path) = left_by_a_crash(found);
        let error = recover(&path).expect_err("a change");
        assert!(matches!(error, ChainError::Damaged(_)));
        assert!(error.to_string().starts_with(fault), "{error}");
        assert!(path_of(&path).exists(), "{error}");
        assert_eq!(fs::read(&path).ok().as_deref(), found);
        // One of the two remedies.
        fs::remove_file(path_of(&path)).expect("the journal");
        recover(&path).expect("nothing to do");
    }
}

#[test]
fn a_journal_that_never_was_written_goes() {
    let (_folder, path) = left_by_a_crash(None);
    fs::remove_file(path_of(&path)).expect("the journal");
    allocated(&path_of(&path)).expect("room");
    assert_eq!(
        fs::metadata(path_of(&path)).expect("a file").len(),
        JOURNAL_BYTES
    );
    recover(&path).expect("no entries");
    assert!(!path_of(&path).exists());
}
