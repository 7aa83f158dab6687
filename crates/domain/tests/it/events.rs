//! The table of cases, and what a valid event holds.

use domain::{Event, Kind};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Case {
    name: String,
    event: Option<Box<RawValue>>,
    text: Option<String>,
    error: Option<String>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../cases/events.json")).unwrap()
}

#[test]
fn every_case_says_what_the_table_says() {
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() > 150, "the table was cut to {}", cases.len());
    for case in cases {
        let body = match (&case.event, &case.text) {
            (Some(event), None) => event.get(),
            (None, Some(text)) => text,
            _ => panic!("{}: either event or text", case.name),
        };
        let found = Event::from_json(body.as_bytes())
            .err()
            .map(|invalid| invalid.to_string());
        if found != case.error {
            wrong.push(format!(
                "{}\n  found    {found:?}\n  expected {:?}",
                case.name, case.error
            ));
        }
        if let Some(event) = &case.event {
            let bulk = format!("[{event}]");
            let one = domain::parse_bulk(bulk.as_bytes()).unwrap().remove(0);
            let of_bulk = one.event().err().map(|invalid| invalid.to_string());
            assert_eq!(of_bulk, found, "{}: differs in a bulk", case.name);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cases\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn event(json: &str) -> Event {
    Event::from_json(json.as_bytes()).unwrap()
}

#[test]
fn attributes_are_the_text_that_was_sent() {
    let event = event(
        r#" { "eventBody" : { "entities" : [
            { "updatedAttributes" : { "a" : 1.10 , "a" : [ ] } , "entityId" : "1" , "entityType" : "T" } ,
            { "entityType" : "U\n" , "entityId" : "\u00e9" } ] } , "eventHeader" : { "eventName" : "N" } } "#,
    );
    let parts: Vec<_> = event
        .into_entities()
        .into_iter()
        .map(|e| e.into_parts())
        .collect();
    let text = |s: &str| s.to_owned();
    assert_eq!(
        parts,
        [
            (text("T"), text("1"), text(r#"{ "a" : 1.10 , "a" : [ ] }"#)),
            (text("U\n"), text("é"), text("{}")),
        ]
    );
}

#[test]
fn the_last_of_repeated_keys_counts() {
    let event = event(
        r#"{"eventHeader":{"eventName":"N"},
            "eventBody":{"entities":[{"entityType":"lost","entityId":"lost"}],
                "entities":[{"entityType":"x","entityId":"1","entityType":"T","entity\u0049d":"2",
                    "updatedAttributes":{"a":1},"updatedAttributes":{"b":2}}]}}"#,
    );
    let [update] = event.entities() else {
        panic!("{event:?}")
    };
    assert_eq!(
        (
            update.entity_type(),
            update.entity_id(),
            update.attributes()
        ),
        ("T", "2", r#"{"b":2}"#)
    );
    assert_eq!(event.size_hint_bytes(), "T2".len() + r#"{"b":2}"#.len());
}

#[test]
fn invalid_utf8_is_named_with_its_place() {
    for (body, place) in [
        (&b"{\n \"x\":\"\xff\"}"[..], "line 2 column 7"),
        (b"\xc3", "line 1 column 1"),
    ] {
        let invalid = Event::from_json(body).unwrap_err();
        assert_eq!(
            invalid.to_string(),
            format!("the body is not valid JSON: invalid UTF-8 at {place}")
        );
    }
}

#[test]
fn an_error_has_path_problem_and_kind() {
    let invalid =
        Event::from_json(br#"{"eventHeader":{"eventName":"N"},"eventBody":{"entities":[{}]}}"#)
            .unwrap_err();
    assert_eq!(invalid.path(), "eventBody.entities[0].entityType");
    assert_eq!(invalid.problem(), "must not be empty");
    assert_eq!(invalid.kind(), Kind::InvalidArgument);
}

#[test]
fn deep_nesting_outside_the_attributes_is_ignored_without_recursion() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let json = format!(
        r#"{{"x":{deep},"eventHeader":{{"eventName":"N","uuid":{deep}}},"eventBody":{{}}}}"#
    );
    let invalid = Event::from_json(json.as_bytes()).unwrap_err();
    assert_eq!(invalid.to_string(), "eventHeader.uuid must be a string");
}
