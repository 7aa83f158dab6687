//! The scanner against `serde_json`: both must agree on what is JSON.

use domain::Event;
use proptest::{collection::vec, prelude::*, sample::select};
use serde::de::IgnoredAny;

/// Pieces of JSON and of what is nearly JSON.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"a\":",
    "\"\"",
    "\"b\"",
    "\\",
    "\\u",
    "\\u00e9",
    "\\ud83d\\ude97",
    "\\uD8",
    "\\x",
    "\\\"",
    "0",
    "-",
    "-0",
    "1",
    "9.5",
    ".",
    "1.",
    ".5",
    "e",
    "E+",
    "1e5",
    "2E-3",
    "01",
    "+1",
    "true",
    "false",
    "null",
    "tru",
    "nulll",
    "NaN",
    " ",
    "\t",
    "\n",
    "\r",
    "\u{b}",
    "\u{0}",
    "\u{1f}",
    "\u{7f}",
    "é",
    "🚗",
    "\u{feff}",
    "//",
    "'a'",
    "eventHeader",
    "12345678",
    "abcdefgh\"",
    "abcdefg\u{1}",
];

const EVENT: &str = r#"{"eventHeader":{"uuid":"5","eventName":"Na\u00efve","createdDate":1.5e12,"x":[-0,{}]},
    "eventBody":{"entities":[{"entityType":"T","entityId":"1","updatedAttributes":{"a":[1,{"b":null}],"c":""}}]}}"#;

fn assert_agreement(text: &str) -> Result<(), TestCaseError> {
    let syntax = serde_json::from_str::<IgnoredAny>(text).err();
    let expected = syntax.map(|error| format!("the body is not valid JSON: {error}"));
    let message = Event::from_json(text.as_bytes())
        .err()
        .map(|invalid| invalid.to_string());
    let found = message.filter(|message| message.starts_with("the body is not valid JSON"));
    prop_assert_eq!(found, expected, "{:?}", text);
    Ok(())
}

/// More cases than usual, since they are cheap; PROPTEST_CASES can ask for more still.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases.max(2_000),
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn pieces_of_json(pieces in vec(select(PIECES), 0..8)) {
        let text = pieces.concat();
        assert_agreement(&text)?;
        assert_agreement(&format!("[{text}]"))?;
        assert_agreement(&format!("{{\"a\":{text}}}"))?;
        assert_agreement(&format!("\"{text}\""))?;
        assert_agreement(&format!("{{\"eventHeader\":{{{text}}},\"eventBody\":[{text}]}}"))?;
    }

    #[test]
    fn an_event_with_a_change(at in 0..EVENT.len(), length in 0..4_usize, piece in select(PIECES), keep: bool) {
        let piece = if keep { "" } else { piece };
        let text = format!("{}{piece}{}", &EVENT[..at], EVENT.get(at + length..).unwrap_or_default());
        assert_agreement(&text)?;
    }

    #[test]
    fn containers_of_any_depth(openings in vec(any::<bool>(), 0..400), wrong in 0..800_usize) {
        let opening: String = openings.iter().map(|&o| if o { "{\"a\":" } else { "[" }).collect();
        let closings: Vec<bool> = openings.iter().rev().copied().collect();
        // One closing bracket may be of the other kind.
        let closing: String =
            closings.iter().enumerate().map(|(i, &o)| if o == (i != wrong) { '}' } else { ']' }).collect();
        assert_agreement(&format!("{opening}1{closing}"))?;
    }
}

#[test]
fn every_prefix_of_an_event_is_cut_off() {
    for end in 0..EVENT.len() {
        assert_agreement(&EVENT[..end]).unwrap();
    }
}
