//! One event to a target, over the protocol that it speaks.

use anyhow::{Context, Result, bail, ensure};
use api::event::{
    EntityUpdate, EventBody, EventHeader, EventRequest, EventResponse, HealthRequest,
    HealthResponse,
};
use bytes::Bytes;
use http::{Method, StatusCode};
use lab_model::endpoint::Endpoint;
use lab_model::targets::{AttributeForm, Grpc, Protocol, Rest, Target};
use serde_json::{Value, json};
use tonic::Code;

use super::wire::{LIMIT, unary as call};
use crate::http::request;

/// An event to send.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) entities: Vec<Entity>,
}

/// One entity update of it.
#[derive(Clone, Debug)]
pub(super) struct Entity {
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) attributes: Value,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Durable.
    Acknowledged,
    /// 400 or INVALID_ARGUMENT, with the message.
    Invalid(String),
    /// Anything else, in words.
    Other(String),
}

/// A client of one target.
pub(super) enum Client {
    Rest(Endpoint, Rest),
    Grpc(Endpoint, Grpc),
}

impl Client {
    pub(super) fn new(target: &Target, endpoint: &Endpoint) -> Result<Self> {
        let endpoint = endpoint.clone();
        Ok(match target.protocol {
            Protocol::Rest => Self::Rest(endpoint, target.rest.clone().context("[target.rest]")?),
            Protocol::Grpc => Self::Grpc(endpoint, target.grpc.clone().context("[target.grpc]")?),
        })
    }

    /// What the database holds of attributes that were sent: over a map of strings, texts.
    pub(super) fn stored(&self, attributes: &Value) -> Value {
        match self {
            Self::Grpc(_, grpc) if grpc.attributes == AttributeForm::Map => {
                let all = texts(attributes).into_iter();
                Value::Object(all.map(|(name, text)| (name, text.into())).collect())
            }
            _ => attributes.clone(),
        }
    }

    /// What a bad event must be answered with.
    pub(super) fn refusal(&self) -> &'static str {
        match self {
            Self::Rest(..) => "400",
            Self::Grpc(..) => "INVALID_ARGUMENT",
        }
    }

    /// An error where the target does not say that it is healthy.
    pub(super) async fn health(&self) -> Result<()> {
        match self {
            Self::Rest(at, rest) => {
                let (status, _) = request(at, Method::GET, &rest.health, None, LIMIT).await?;
                ensure!(
                    status == StatusCode::OK,
                    "GET {} answered {status}",
                    rest.health
                );
            }
            Self::Grpc(at, grpc) => {
                let path = format!("/{}/HealthCheck", grpc.service);
                let answer: std::result::Result<HealthResponse, _> = call(
                    at,
                    &path,
                    HealthRequest {
                        service: String::new(),
                    },
                )
                .await?;
                match answer {
                    Ok(health) => ensure!(health.healthy, "HealthCheck says: {}", health.message),
                    Err(status) => bail!(
                        "HealthCheck answered {:?}: {}",
                        status.code(),
                        status.message()
                    ),
                }
            }
        }
        Ok(())
    }

    pub(super) async fn send(&self, event: &Event) -> Result<Answer> {
        match self {
            Self::Rest(at, rest) => send_rest(at, rest, event).await,
            Self::Grpc(at, grpc) => send_grpc(at, grpc, event).await,
        }
    }
}

async fn send_rest(at: &Endpoint, rest: &Rest, event: &Event) -> Result<Answer> {
    let entities: Vec<Value> = event
        .entities
        .iter()
        .map(|e| json!({ "entityType": e.kind, "entityId": e.id, "updatedAttributes": e.attributes }))
        .collect();
    let body = json!({
        "eventHeader": {
            "uuid": uuid::Uuid::new_v4().to_string(),
            "eventName": event.name,
            "createdDate": "2024-01-15T10:30:00Z",
            "savedDate": "2024-01-15T10:30:05Z",
            "eventType": event.name,
        },
        "eventBody": { "entities": entities },
    });
    let body = Some(Bytes::from(body.to_string()));
    let (status, answer) = request(at, Method::POST, &rest.path, body, LIMIT).await?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    Ok(match status {
        StatusCode::OK => {
            let answer: Value = serde_json::from_str(&text).unwrap_or_default();
            // A target without the field is judged by its status alone.
            match answer.get("success") {
                Some(Value::Bool(false)) => Answer::Other(format!("200 and {text}")),
                _ => Answer::Acknowledged,
            }
        }
        StatusCode::BAD_REQUEST => Answer::Invalid(text),
        other => Answer::Other(format!("{other} {text}")),
    })
}

/// An update with these attributes and nothing else.
fn attributes(form: AttributeForm, attributes: &Value) -> EntityUpdate {
    match form {
        AttributeForm::Json => EntityUpdate {
            attributes_json: attributes.to_string().into_bytes(),
            ..EntityUpdate::default()
        },
        AttributeForm::Map => EntityUpdate {
            updated_attributes: texts(attributes).into_iter().collect(),
            ..EntityUpdate::default()
        },
    }
}

/// Attributes as the texts that a map of strings carries: a text as it is, any other value as its JSON.
fn texts(attributes: &Value) -> Vec<(String, String)> {
    let all = attributes.as_object().into_iter().flatten();
    all.map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (name.clone(), text)
    })
    .collect()
}

async fn send_grpc(at: &Endpoint, grpc: &Grpc, event: &Event) -> Result<Answer> {
    let update = |e: &Entity| EntityUpdate {
        entity_type: e.kind.clone(),
        entity_id: e.id.clone(),
        ..attributes(grpc.attributes, &e.attributes)
    };
    let entities = event.entities.iter().map(update).collect();
    let message = EventRequest {
        event_header: Some(EventHeader {
            uuid: uuid::Uuid::new_v4().to_string(),
            event_name: event.name.clone(),
            created_date: "2024-01-15T10:30:00Z".into(),
            saved_date: "2024-01-15T10:30:05Z".into(),
            event_type: event.name.clone(),
        }),
        event_body: Some(EventBody { entities }),
    };
    let path = format!("/{}/{}", grpc.service, grpc.method);
    let answer: std::result::Result<EventResponse, _> = call(at, &path, message).await?;
    Ok(match answer {
        Ok(response) if response.success => Answer::Acknowledged,
        Ok(response) => Answer::Other(format!("OK and success = false: {}", response.message)),
        Err(status) if status.code() == Code::InvalidArgument => {
            Answer::Invalid(status.message().to_owned())
        }
        Err(status) => Answer::Other(format!("{:?}: {}", status.code(), status.message())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_strings_carries_texts() {
        let sent = json!({ "model": "B\u{e4}r", "year": 2024, "tags": ["a", null] });
        let update = attributes(AttributeForm::Map, &sent);
        assert!(update.attributes_json.is_empty());
        let carried: Vec<_> = update.updated_attributes.into_iter().collect();
        let expected = [
            ("model", "B\u{e4}r"),
            ("tags", r#"["a",null]"#),
            ("year", "2024"),
        ];
        assert_eq!(
            carried,
            expected.map(|(name, text)| (name.into(), text.into()))
        );
        let update = attributes(AttributeForm::Json, &sent);
        assert!(update.updated_attributes.is_empty() && !update.attributes_json.is_empty());
    }
}
