//! What only requests can say: attributes in two forms at once.

use api::event::{EntityUpdate, EventBody, EventHeader, EventRequest};
use domain::{Event, Invalid};

fn request(attributes: &[(&str, &str)], attributes_json: impl Into<Vec<u8>>) -> EventRequest {
    EventRequest {
        event_header: Some(EventHeader {
            event_name: "N".into(),
            ..Default::default()
        }),
        event_body: Some(EventBody {
            entities: vec![EntityUpdate {
                entity_type: "T".into(),
                entity_id: "1".into(),
                updated_attributes: attributes
                    .iter()
                    .map(|&(key, value)| (key.to_owned(), value.to_owned()))
                    .collect(),
                attributes_json: attributes_json.into(),
            }],
        }),
    }
}

fn stored(attributes: &[(&str, &str)], attributes_json: &str) -> Result<String, Invalid> {
    let event = Event::try_from(request(attributes, attributes_json))?;
    Ok(event.entities()[0].attributes().to_owned())
}

#[test]
fn texts_become_json_strings_and_typed_values_come_last() {
    for (texts, json, expected) in [
        (&[][..], "", "{}"),
        (&[], "{}", "{}"),
        (&[], r#"{"a": 1.10}"#, r#"{"a": 1.10}"#),
        (&[("b", "2"), ("a", "true")], "", r#"{"a":"true","b":"2"}"#),
        (&[("q\"\\", "l\n🚗")], "", r#"{"q\"\\":"l\n🚗"}"#),
        (
            &[("a", "1"), ("b", "{}")],
            r#" { "a" : 1 } "#,
            r#"{"a":"1","b":"{}","a" : 1}"#,
        ),
        (&[("a", "1")], "{ }", r#"{"a":"1"}"#),
    ] {
        assert_eq!(stored(texts, json).unwrap(), expected, "{texts:?} {json}");
    }
}

#[test]
fn attributes_json_must_be_an_object_that_jsonb_takes() {
    for (json, problem) in [
        ("5", "must be a JSON object"),
        ("null", "must be a JSON object"),
        (" [{}]", "must be a JSON object"),
        ("\"{}\"", "must be a JSON object"),
        (
            "{",
            "is not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            "{} {}",
            "is not valid JSON: trailing characters at line 1 column 4",
        ),
        (
            " ",
            "is not valid JSON: EOF while parsing a value at line 1 column 1",
        ),
        (r#"{"a":"\u0000"}"#, "must not contain NUL characters"),
        (r#"{"\ud800":1}"#, "must not contain lone surrogates"),
        (
            r#"{"a":1e131072}"#,
            "must not contain a number outside the range of PostgreSQL's numeric",
        ),
    ] {
        let invalid = stored(&[("a", "1")], json).unwrap_err();
        assert_eq!(
            invalid.path(),
            "eventBody.entities[0].attributesJson",
            "{json}"
        );
        assert_eq!(invalid.problem(), problem, "{json}");
    }
    let invalid = Event::try_from(request(&[], *b"{\"a\":\"\xff\"}")).unwrap_err();
    assert_eq!(
        invalid.to_string(),
        "eventBody.entities[0].attributesJson is not valid JSON: invalid UTF-8"
    );
}

#[test]
fn nul_in_texts_is_refused_before_a_fault_in_attributes_json() {
    for texts in [[("a", "x\0")], [("\0", "x")]] {
        let invalid = stored(&texts, "5").unwrap_err();
        assert_eq!(
            invalid.to_string(),
            "eventBody.entities[0].updatedAttributes must not contain NUL characters"
        );
    }
}
