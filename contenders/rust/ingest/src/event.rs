//! What an event is, and which one is refused.

use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// One atomic unit of work: its entities are stored together or not at all. The header is checked and not stored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event<'a> {
    #[serde(borrow)]
    pub event_header: Option<Header<'a>>,
    #[serde(borrow)]
    pub event_body: Option<Body<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header<'a> {
    #[serde(default)]
    pub event_name: String,
    /// JSON of any kind; checked by [`Event::check`].
    #[serde(borrow)]
    pub created_date: Option<&'a RawValue>,
    #[serde(borrow)]
    pub saved_date: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub struct Body<'a> {
    #[serde(borrow, default)]
    pub entities: Vec<Entity<'a>>,
}

/// One row: its key, and a JSON object whose top-level keys replace those stored. The text is kept as it came, so that
/// numbers keep their exact value.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entity<'a> {
    #[serde(default)]
    pub entity_type: String,
    #[serde(default)]
    pub entity_id: String,
    #[serde(borrow)]
    pub updated_attributes: Option<&'a RawValue>,
}

impl Entity<'_> {
    pub fn attributes(&self) -> &str {
        self.updated_attributes.map_or("{}", RawValue::get)
    }
}

/// What the sender did wrong, with the path of the field in JSON names.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// The width of the key's columns, in characters.
const MAX_KEY: usize = 255;
/// The end of the year 9999.
const LAST_MILLISECOND: u64 = 253_402_300_799_999;

impl<'a> Event<'a> {
    /// Reads one event and checks it.
    pub fn parse(json: &'a [u8]) -> Result<Self, Invalid> {
        let event: Self = serde_json::from_slice(json)
            .map_err(|error| Invalid(format!("the body is not a valid event: {error}")))?;
        event.check()?;
        Ok(event)
    }

    /// Says what is wrong with the event: the first fault in document order.
    pub fn check(&self) -> Result<(), Invalid> {
        let invalid = |text: &str| Err(Invalid(text.to_owned()));
        let Some(header) = &self.event_header else {
            return invalid("eventHeader is required");
        };
        if header.event_name.is_empty() {
            return invalid("eventHeader.eventName must not be empty");
        }
        for (name, date) in [
            ("createdDate", header.created_date),
            ("savedDate", header.saved_date),
        ] {
            if !date.is_none_or(|date| is_date(date.get())) {
                return Err(Invalid(format!(
                    "eventHeader.{name} must be an RFC 3339 date or milliseconds since 1970"
                )));
            }
        }
        let Some(body) = &self.event_body else {
            return invalid("eventBody is required");
        };
        if body.entities.is_empty() {
            return invalid("eventBody.entities must not be empty");
        }
        for (index, entity) in body.entities.iter().enumerate() {
            let path = |name: &str| format!("eventBody.entities[{index}].{name}");
            check_key(&entity.entity_type, || path("entityType"))?;
            check_key(&entity.entity_id, || path("entityId"))?;
            if !entity.attributes().starts_with('{') {
                let path = path("updatedAttributes");
                return Err(Invalid(format!("{path} must be a JSON object")));
            }
        }
        Ok(())
    }
}

fn check_key(key: &str, path: impl Fn() -> String) -> Result<(), Invalid> {
    if key.is_empty() {
        return Err(Invalid(format!("{} must not be empty", path())));
    }
    if key.chars().count() > MAX_KEY {
        return Err(Invalid(format!(
            "{} must be at most {MAX_KEY} characters",
            path()
        )));
    }
    Ok(())
}

/// RFC 3339, whole milliseconds since 1970 as a number or as text, null and "".
fn is_date(json: &str) -> bool {
    let text = match serde_json::from_str::<String>(json) {
        Ok(text) if text.is_empty() => return true,
        Ok(text) if OffsetDateTime::parse(&text, &Rfc3339).is_ok() => return true,
        Ok(text) => text,
        Err(_) => json.to_owned(),
    };
    json == "null" || text.parse().is_ok_and(|ms: u64| ms <= LAST_MILLISECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(header: &str, entities: &str) -> String {
        let json = format!(r#"{{"eventHeader":{header},"eventBody":{{"entities":{entities}}}}}"#);
        Event::parse(json.as_bytes()).map_or_else(|invalid| invalid.0, |_| String::new())
    }

    const NAMED: &str = r#"{"eventName":"CarCreated"}"#;
    const CAR: &str = r#"[{"entityType":"Car","entityId":"1"}]"#;

    #[test]
    fn dates_come_in_all_forms() {
        let with = |date: &str| fault(&format!(r#"{{"eventName":"n","savedDate":{date}}}"#), CAR);
        for date in [
            "null",
            "\"\"",
            "\"2024-01-15T10:30:00+02:00\"",
            "1705314605000",
            "\"1705314605000\"",
        ] {
            assert_eq!(with(date), "", "{date}");
        }
        for date in ["true", "-1", "1.5", "\"yesterday\"", "253402300800000"] {
            assert!(with(date).starts_with("eventHeader.savedDate"), "{date}");
        }
    }

    #[test]
    fn the_first_fault_is_named_by_its_path() {
        let long = format!(r#"[{{"entityType":"{}","entityId":"1"}}]"#, "x".repeat(256));
        for (header, entities, expected) in [
            (NAMED, CAR, ""),
            ("{}", "[]", "eventHeader.eventName must not be empty"),
            (NAMED, "[]", "eventBody.entities must not be empty"),
            (
                NAMED,
                r#"[{"entityType":"Car"}]"#,
                "eventBody.entities[0].entityId must not be empty",
            ),
            (
                NAMED,
                &long,
                "eventBody.entities[0].entityType must be at most 255 characters",
            ),
            (
                NAMED,
                r#"[{"entityType":"Car","entityId":"1","updatedAttributes":[]}]"#,
                "eventBody.entities[0].updatedAttributes must be a JSON object",
            ),
        ] {
            assert_eq!(fault(header, entities), expected);
        }
    }

    #[test]
    fn numbers_keep_their_text() {
        let json = br#"{"eventHeader":{"eventName":"n"},"eventBody":{"entities":[{"entityType":"Car","entityId":"1",
            "updatedAttributes":{"a":12345678901234567890123,"b":1.10}}]}}"#;
        let event = Event::parse(json).expect("good");
        let entities = event.event_body.expect("a body").entities;
        assert_eq!(
            entities[0].attributes(),
            r#"{"a":12345678901234567890123,"b":1.10}"#
        );
    }
}
