//! Files that were damaged.

use std::fs;

use super::super::*;
use super::{all, fixture, verify};

#[test]
fn a_torn_last_line_is_told_apart_and_cut_at_the_next_append() {
    let written = fixture();
    written.fill("p", 10);
    let fixture = written.damage("p", |bytes| {
        bytes.extend_from_slice(b"{\"seq\":10,\"ts\":\"")
    });
    let reading = Log::read_only(fixture.folder.path());
    let torn = verify(&reading, "p");
    assert_eq!((torn.valid, torn.entries_verified), (false, 10));
    assert!(
        torn.error
            .expect("a fault")
            .starts_with("line 11 is torn: 16 bytes")
    );
    assert_eq!(
        all(reading.read_blocking("p", None, None).expect("p"))
            .expect("whole lines")
            .len(),
        10
    );
    assert_eq!(
        reading
            .last_blocking("p")
            .expect("p")
            .expect("an entry")
            .seq(),
        9
    );
    assert_eq!(fixture.append("p", "1").expect("an append").seq, 10);
    let whole = verify(&reading, "p");
    assert_eq!((whole.valid, whole.entries_verified), (true, 11));
    // Nothing but a torn line, cut at the start of a server.
    let fixture = fixture.damage("p", |bytes| bytes.truncate(100));
    assert_eq!(fixture.log.recover().expect("files"), 1);
    assert_eq!(fs::metadata(fixture.file("p")).expect("a file").len(), 0);
    assert_eq!(fixture.append("p", "1").expect("an append").seq, 0);
}

/// Each change of a file of 2,000 entries is found, at its line.
#[test]
fn damage_is_named_with_its_line() {
    type Change = fn(&mut Vec<String>);
    let changes: [(u64, &str, Change); 13] = [
        (1235, "hash is ", |lines| {
            lines[1234] = lines[1234].replace("\"n\":1234", "\"n\":1235")
        }),
        (1001, "hash is ", |lines| {
            lines[1000] = lines[1000].replace("\"ts\":\"2", "\"ts\":\"1")
        }),
        (1001, "seq is 1001, expected 1000", |lines| {
            drop(lines.remove(1000))
        }),
        (1001, "seq is 999, expected 1000", |lines| {
            lines.insert(1000, lines[999].clone())
        }),
        (2, "seq is 5, expected 1", |lines| lines.swap(1, 5)),
        (1, "seq is 1, expected 0", |lines| drop(lines.remove(0))),
        (1, "prev_hash is ", |lines| {
            lines[0] = lines[0].replace("0000\",\"data", "0001\",\"data")
        }),
        (1500, "is blank", |lines| lines.insert(1499, String::new())),
        (1501, "is no entry: expected data", |lines| {
            lines[1500].push('\r')
        }),
        (7, "partition is 'q', expected 'p'", |lines| {
            lines[6] = lines[6].replace("\"p\"", "\"q\"")
        }),
        (8, "data has spaces", |lines| {
            lines[7] = lines[7].replace("\"n\":", "\"n\": ")
        }),
        // The hash is that of the last.
        (10, "data has a key twice", |lines| {
            lines[9] = lines[9].replace("\"n\":", "\"n\":0,\"n\":")
        }),
        (9, "is no entry: expected {\"seq\":", |lines| {
            lines[8] = lines[8].replace("{\"seq\"", "{ \"seq\"")
        }),
    ];
    let fixture = fixture();
    fixture.fill("p", 2000);
    assert_eq!(verify(&fixture.log, "p").entries_verified, 2000);
    let lines = fixture.lines("p");
    let reading = Log::read_only(fixture.folder.path());
    for (line, expected, change) in changes {
        let mut changed = lines.clone();
        change(&mut changed);
        fs::write(fixture.file("p"), changed.join("\n") + "\n").expect("a file");
        let found = verify(&reading, "p");
        let error = found.error.expect("a fault");
        assert_eq!(
            (found.valid, found.entries_verified),
            (false, line - 1),
            "{error}"
        );
        assert!(
            error.starts_with(&format!("line {line}")) && error.contains(expected),
            "{error}"
        );
    }
}

#[test]
fn a_damaged_end_takes_no_appends_and_the_rest_can_be_read() {
    let written = fixture();
    written.fill("p", 100);
    let fixture = written.damage("p", |bytes| {
        let at = bytes.len() - 90;
        bytes[at] ^= 1;
    });
    let refused = fixture.append("p", "1").expect_err("damage");
    assert!(matches!(refused, ChainError::Damaged(_)), "{refused}");
    let found = verify(&fixture.log, "p");
    assert_eq!((found.valid, found.entries_verified), (false, 99));
    assert_eq!(
        all(fixture
            .log
            .read_blocking("p", Some(50), Some(10))
            .expect("p"))
        .expect("entries")
        .len(),
        10
    );
}

/// Data that a changed writer hashes right is found where the next entry holds another hash.
#[test]
fn a_forged_entry_breaks_the_next() {
    let fixture = fixture();
    fixture.fill("p", 3);
    let mut lines = fixture.lines("p");
    let forged = Entry::parse(lines[1].clone().into()).expect("an entry");
    let hash = entry::EntryHash::begin(b"666").finish(
        b"p",
        &Hash::parse(forged.prev_hash().as_bytes()).expect("a hash"),
        b"1",
        forged.ts().as_bytes(),
    );
    lines[1] = lines[1]
        .replace(forged.data(), "666")
        .replace(forged.hash().as_str(), hash.as_str());
    fs::write(fixture.file("p"), lines.join("\n") + "\n").expect("a file");
    let found = verify(&Log::read_only(fixture.folder.path()), "p");
    assert_eq!(found.entries_verified, 2);
    let error = found.error.expect("a fault");
    assert!(
        error.starts_with(&format!("line 3: prev_hash is {}", forged.hash()))
            && error.ends_with(&format!("expected {hash}")),
        "{error}"
    );
}

#[test]
fn a_file_without_lines_takes_no_memory_without_bound() {
    let fixture = fixture();
    let file = fs::File::create(fixture.file("p")).expect("a file");
    file.set_len(70 * 1024 * 1024).expect("a hole");
    let found = verify(&Log::read_only(fixture.folder.path()), "p");
    let expected = "line 1 is longer than 67108864 bytes";
    assert_eq!(found.error.as_deref(), Some(expected));
}
