//! An event as a record, and back. Pure.
//!
//! The value is an event as `POST /api/v1/events` takes it, so that anybody can write one and read one. Header values are
//! checked by the producer and not kept: nothing stores them. The key is the first entity, so that events of one entity stay
//! in order.

use domain::{Event, Invalid};

/// The header's one field that the contract asks for.
const NAME: &str = "EntitiesUpdated";

/// The key: type and id of the first entity.
#[must_use]
pub fn key(event: &Event) -> Vec<u8> {
    let Some(first) = event.entities().first() else {
        return Vec::new();
    };
    // No NUL is in either.
    [first.entity_type(), first.entity_id()]
        .join("\0")
        .into_bytes()
}

/// The value.
#[must_use]
pub fn value(event: &Event) -> Vec<u8> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let entities = event.entities().iter().map(|entity| {
        format!(
            r#"{{"entityType":{},"entityId":{},"updatedAttributes":{}}}"#,
            text(entity.entity_type()),
            text(entity.entity_id()),
            // Text of a JSON object already: numbers stay exact.
            entity.attributes()
        )
    });
    let entities: Vec<String> = entities.collect();
    let entities = entities.join(",");
    format!(r#"{{"eventHeader":{{"eventName":"{NAME}"}},"eventBody":{{"entities":[{entities}]}}}}"#)
        .into_bytes()
}

/// The event of a record's value.
///
/// # Errors
/// It breaks the contract of events.
pub fn event(value: &[u8]) -> Result<Event, Invalid> {
    Event::from_json(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_comes_back_as_it_was_with_exact_numbers() {
        let sent = r#"{"eventHeader":{"eventName":"CarCreated"},"eventBody":{"entities":[
            {"entityType":"Car","entityId":"a\"\u00fc/1","updatedAttributes":{"n":12345678901234567890.10,"t":"x\ny"}},
            {"entityType":"Loan","entityId":"b"}]}}"#;
        let event = Event::from_json(sent.as_bytes()).expect("an event");
        let back = super::event(&value(&event)).expect("an event");
        assert_eq!(back, event);
        assert!(
            back.entities()[0]
                .attributes()
                .contains("12345678901234567890.10")
        );
        assert_eq!(key(&event), "Car\0a\"ü/1".as_bytes());
    }

    #[test]
    fn what_is_no_event_is_refused_with_the_words_of_the_contract() {
        for (value, told) in [
            (&b"no JSON"[..], ""),
            (b"{}", "eventHeader"),
            (
                br#"{"eventHeader":{"eventName":"x"},"eventBody":{"entities":[]}}"#,
                "must not be empty",
            ),
        ] {
            let fault = event(value).expect_err("no event").to_string();
            assert!(fault.contains(told), "{fault}");
        }
    }
}
