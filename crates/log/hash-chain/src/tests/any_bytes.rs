//! Whatever stands in a file, or is sent, nothing panics.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use super::fixture;
use crate::canonical::KeyOrder;

/// Reads all that can be read of a line.
fn read(line: &Bytes) {
    if let Ok(entry) = Entry::parse(line.clone()) {
        assert_eq!(entry.line(), line);
        let name = PartitionName::new("a b").expect("a name");
        assert!(!entry.is_of(&name) || entry.partition().is_some());
        drop(entry.partition());
        assert_eq!(entry.ts().len(), 32);
        assert_eq!(entry.prev_hash().len(), 64);
        drop(verify::check(&entry, &name, &mut Vec::new()));
    }
    let head = entry::head(line);
    assert!(head.is_none_or(|head| head.partition.end <= line.len()));
}

/// Pieces of JSON and of entries, so that parsers come far.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\\u",
            "d83d",
            "\\ude00",
            "-",
            "0",
            "1e",
            "9.",
            "E+400",
            "null",
            "true",
            " ",
            "\n",
            "\0",
            "\"a\":",
            "{\"seq\":",
            "0,\"ts\":\"",
            "2026-01-01T00:00:00.000000+00:00",
            "\",\"partition\":\"",
            "\",\"prev_hash\":\"",
            "\",\"data\":",
            ",\"hash\":\"",
            "\"}",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        Just(vec![b'0'; 64]),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn any_bytes_can_be_parsed_as_an_entry_and_as_data(bytes in pieces()) {
        for order in [KeyOrder::Sent, KeyOrder::Sorted] {
            let mut out = Vec::new();
            if canonical::write(&bytes, order, &mut out).is_ok() {
                prop_assert!(out.is_ascii());
                // What is canonical stays as it is.
                let mut again = Vec::new();
                canonical::write(&out, order, &mut again).expect("canonical JSON");
                prop_assert_eq!(&again, &out);
            }
        }
        read(&bytes.into());
    }

    #[test]
    fn a_changed_line_can_be_parsed(
        at in any::<prop::sample::Index>(),
        bytes in vec(any::<u8>(), 0..6),
        cut in 0..6usize,
    ) {
        let mut line = LINE.clone();
        let at = at.index(line.len());
        let end = (at + cut).min(line.len());
        line.splice(at..end, bytes);
        read(&line.into());
    }
}

static LINE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
    let fixture = fixture();
    let data = r#"{"b":1.50,"a":["\u00e9\ud83d\ude00",null,-0]}"#;
    fixture.append("a b", data).expect("an append");
    fixture.lines("a_b")[0].clone().into_bytes()
});
