//! The same fault has the same words in JSON and in Protocol Buffers, and the same event the same content.

use domain::Event;
use serde_json::Value;

use crate::cases;

#[test]
fn requests_are_judged_as_json_is() {
    let mut compared = 0;
    for case in cases::all() {
        let Some((request, error)) = case.request() else {
            continue;
        };
        compared += 1;
        let found = Event::try_from(request);
        let message = found.as_ref().err().map(ToString::to_string);
        assert_eq!(message, error, "{}", case.name);
        if let (Ok(from_request), Some(json)) = (found, &case.event) {
            let from_json = Event::from_json(json.get().as_bytes()).unwrap();
            assert_eq!(
                contents(&from_request),
                contents(&from_json),
                "{}",
                case.name
            );
        }
    }
    assert!(
        compared > 100,
        "only {compared} cases could be expressed as requests"
    );
}

/// Type, id and attributes of each entity. Attributes are compared as trees where they can be read as such.
fn contents(event: &Event) -> Vec<(String, String, Result<Value, String>)> {
    let attributes = |text: &str| serde_json::from_str(text).map_err(|_| text.to_owned());
    event
        .entities()
        .iter()
        .map(|e| {
            (
                e.entity_type().into(),
                e.entity_id().into(),
                attributes(e.attributes()),
            )
        })
        .collect()
}
