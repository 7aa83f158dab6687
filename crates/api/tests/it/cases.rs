//! The cases of `domain`, as JSON and, where Protocol Buffers can express them, as requests.

use std::collections::BTreeMap;

use api::event::{EntityUpdate, EventBody, EventHeader, EventRequest};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A case of `crates/domain/tests/cases/events.json`.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// None where the body is no JSON.
    pub(crate) event: Option<Box<RawValue>>,
    /// The message of the refusal over REST.
    pub(crate) error: Option<String>,
}

pub(crate) fn all() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../domain/tests/cases/events.json")).unwrap()
}

impl Case {
    /// The same event as a request, and the message of its refusal over gRPC. None where JSON says what Protocol
    /// Buffers cannot: no JSON, a wrong type, a repeated or an unknown key, a lone surrogate in a text.
    pub(crate) fn request(&self) -> Option<(EventRequest, Option<String>)> {
        let event: JsonEvent = serde_json::from_str(self.event.as_ref()?.get()).ok()?;
        let as_json = event.as_attributes_json();
        let rename = |error: &String| error.replace("updatedAttributes", "attributesJson");
        let error = self
            .error
            .as_ref()
            .map(|e| if as_json { rename(e) } else { e.clone() });
        Some((event.into(), error))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JsonEvent {
    event_header: Option<JsonHeader>,
    event_body: Option<JsonBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JsonHeader {
    uuid: Option<String>,
    event_name: Option<String>,
    created_date: Option<Date>,
    saved_date: Option<Date>,
    event_type: Option<String>,
}

/// A number is sent as its digits; other numbers have no counterpart.
#[derive(Deserialize)]
#[serde(untagged)]
enum Date {
    Text(String),
    Milliseconds(i64),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JsonBody {
    entities: Option<Vec<JsonEntity>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JsonEntity {
    entity_type: Option<String>,
    entity_id: Option<String>,
    #[serde(default, deserialize_with = "even_null")]
    updated_attributes: Option<Box<RawValue>>,
}

fn even_null<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

impl JsonEvent {
    /// Whether any attributes are more than texts.
    fn as_attributes_json(&self) -> bool {
        let entities = self
            .event_body
            .iter()
            .flat_map(|body| body.entities.iter().flatten());
        entities
            .filter_map(|entity| entity.updated_attributes.as_deref())
            .any(|a| texts(a).is_none())
    }
}

fn texts(attributes: &RawValue) -> Option<BTreeMap<String, String>> {
    serde_json::from_str(attributes.get()).ok()
}

impl From<JsonEvent> for EventRequest {
    fn from(event: JsonEvent) -> Self {
        let date = |date: Option<Date>| match date {
            None => String::new(),
            Some(Date::Text(text)) => text,
            Some(Date::Milliseconds(number)) => number.to_string(),
        };
        EventRequest {
            event_header: event.event_header.map(|header| EventHeader {
                uuid: header.uuid.unwrap_or_default(),
                event_name: header.event_name.unwrap_or_default(),
                created_date: date(header.created_date),
                saved_date: date(header.saved_date),
                event_type: header.event_type.unwrap_or_default(),
            }),
            event_body: event.event_body.map(|body| EventBody {
                entities: body
                    .entities
                    .into_iter()
                    .flatten()
                    .map(EntityUpdate::from)
                    .collect(),
            }),
        }
    }
}

impl From<JsonEntity> for EntityUpdate {
    fn from(entity: JsonEntity) -> Self {
        let attributes = entity.updated_attributes;
        let updated_attributes = attributes.as_deref().and_then(texts);
        EntityUpdate {
            entity_type: entity.entity_type.unwrap_or_default(),
            entity_id: entity.entity_id.unwrap_or_default(),
            attributes_json: match (&attributes, &updated_attributes) {
                (Some(json), None) => json.get().into(),
                _ => Vec::new(),
            },
            updated_attributes: updated_attributes.unwrap_or_default(),
        }
    }
}
