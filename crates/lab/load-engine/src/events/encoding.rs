//! How an event is encoded on the wire.

use std::collections::BTreeMap;

use api::event::{EntityUpdate, EventBody, EventHeader, EventRequest};
use lab_model::targets::AttributeForm;
use prost::Message;
use serde_json::{json, value::RawValue};

use super::attributes::{DATE, EventType};
use super::plan::EventPlan;
use crate::protocol::{Protocol, Wording};

/// The last twelve digits of the UUID are patched: five of the worker, seven of its sequence.
pub(super) const UUID: &str = "5eed0000-0000-4000-8000-000000000000";

/// How an event is encoded on the wire.
#[derive(Clone, Debug)]
pub enum Encoding {
    /// A whole HTTP/1.1 request with a JSON body.
    Rest {
        /// The lines of the head that belong to the target; see [`crate::protocol::Endpoint::head_lines`].
        lines: String,
        /// Path of the request.
        path: String,
    },
    /// A JSON body, one of several in a request.
    Json,
    /// A gRPC message with its five-byte prefix.
    Grpc(AttributeForm),
}

impl Encoding {
    pub(super) fn new(wording: Wording<'_>, plan: &EventPlan) -> Self {
        match wording.protocol {
            Protocol::Rest if plan.batch.is_some() => Self::Json,
            Protocol::Rest => Self::Rest {
                lines: wording.endpoint.head_lines(),
                path: wording.path.into(),
            },
            Protocol::Grpc => Self::Grpc(plan.attributes),
        }
    }
}

/// A request of one event; of several, the event alone.
///
/// # Errors
/// The attributes are no JSON object.
pub(super) fn encode(
    kind: EventType,
    id: &str,
    attributes: &str,
    encoding: &Encoding,
) -> anyhow::Result<Vec<u8>> {
    match encoding {
        Encoding::Rest { lines, path } => {
            let body = json_event(kind, id, attributes)?;
            let head = format!(
                "POST {path} HTTP/1.1\r\n{lines}content-type: application/json\r\n\
                 content-length: {}\r\n\r\n",
                body.len()
            );
            Ok([head.into_bytes(), body.into_bytes()].concat())
        }
        Encoding::Json => Ok(json_event(kind, id, attributes)?.into_bytes()),
        Encoding::Grpc(form) => {
            let message = proto_event(kind, id, attributes, *form)?.encode_to_vec();
            let mut framed = vec![0]; // not compressed
            framed.extend_from_slice(&u32::try_from(message.len())?.to_be_bytes());
            framed.extend_from_slice(&message);
            Ok(framed)
        }
    }
}

pub(super) fn json_event(kind: EventType, id: &str, attributes: &str) -> anyhow::Result<String> {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Entity<'a> {
        entity_type: &'a str,
        entity_id: &'a str,
        updated_attributes: &'a RawValue,
    }
    let header = json!({
        "uuid": UUID, "eventName": kind.name(), "createdDate": DATE, "savedDate": DATE,
        "eventType": kind.name(),
    });
    let entity = serde_json::to_string(&Entity {
        entity_type: kind.entity_type(),
        entity_id: id,
        updated_attributes: serde_json::from_str(attributes)?,
    })?;
    Ok(format!(
        r#"{{"eventHeader":{header},"eventBody":{{"entities":[{entity}]}}}}"#
    ))
}

fn proto_event(
    kind: EventType,
    id: &str,
    attributes: &str,
    form: AttributeForm,
) -> anyhow::Result<EventRequest> {
    let attributes = match form {
        AttributeForm::Json => EntityUpdate {
            attributes_json: attributes.as_bytes().to_vec(),
            ..EntityUpdate::default()
        },
        AttributeForm::Map => EntityUpdate {
            updated_attributes: texts(attributes)?,
            ..EntityUpdate::default()
        },
    };
    Ok(EventRequest {
        event_header: Some(EventHeader {
            uuid: UUID.into(),
            event_name: kind.name().into(),
            created_date: DATE.into(),
            saved_date: DATE.into(),
            event_type: kind.name().into(),
        }),
        event_body: Some(EventBody {
            entities: vec![EntityUpdate {
                entity_type: kind.entity_type().into(),
                entity_id: id.into(),
                ..attributes
            }],
        }),
    })
}

/// The attributes of a JSON object as texts: a text as it is, any other value as its JSON.
fn texts(attributes: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let all: BTreeMap<String, serde_json::Value> = serde_json::from_str(attributes)?;
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(all
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect())
}
