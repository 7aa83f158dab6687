//! The methods of the contract.

use std::collections::HashMap;
use std::pin::Pin;

use ingest::event::{Body, Entity, Event, Header, Invalid};
use ingest::service::{MAX_EVENT, STORED};
use ingest::store::{Store, StoreError};
use prost::Message;
use serde_json::value::{RawValue, to_raw_value};
use tokio_stream::{Stream, StreamExt};
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use proto::event_service_server::EventService;
use proto::{
    EntityUpdate, EventOutcome, EventRequest, EventResponse, HealthRequest, HealthResponse,
};

/// Generated.
pub mod proto {
    tonic::include_proto!("com.example.grpc");
}

/// For reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

#[derive(Clone, Debug)]
pub struct Events {
    store: Store,
}

impl Events {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    async fn take(&self, request: EventRequest) -> Result<(), Status> {
        if request.encoded_len() > MAX_EVENT {
            let problem = format!("the event exceeds {MAX_EVENT} bytes");
            return Err(Status::resource_exhausted(problem));
        }
        let message = Owned::of(request).map_err(|invalid| status(invalid.into()))?;
        let event = message.event();
        let stored = match event.check() {
            Ok(()) => self.store.write(&event).await,
            Err(invalid) => Err(invalid.into()),
        };
        stored.map_err(status)
    }
}

#[tonic::async_trait]
impl EventService for Events {
    type ProcessEventsStream = Pin<Box<dyn Stream<Item = Result<EventOutcome, Status>> + Send>>;

    async fn process_event(
        &self,
        request: Request<EventRequest>,
    ) -> Result<Response<EventResponse>, Status> {
        self.take(request.into_inner()).await?;
        Ok(Response::new(EventResponse {
            success: true,
            message: STORED.to_owned(),
        }))
    }

    /// Stores one event after the other, and answers each.
    async fn process_events(
        &self,
        request: Request<Streaming<EventRequest>>,
    ) -> Result<Response<Self::ProcessEventsStream>, Status> {
        let events = self.clone();
        let mut index = 0;
        let outcomes = request.into_inner().then(move |request| {
            let events = events.clone();
            let at = index;
            index += 1;
            async move {
                let (success, message) = match events.take(request?).await {
                    Ok(()) => (true, STORED.to_owned()),
                    Err(status) => (false, status.message().to_owned()),
                };
                Ok(EventOutcome {
                    index: at,
                    success,
                    message,
                })
            }
        });
        Ok(Response::new(Box::pin(outcomes)))
    }

    async fn health_check(
        &self,
        _: Request<HealthRequest>,
    ) -> Result<Response<HealthResponse>, Status> {
        let (healthy, message) = match self.store.ping().await {
            Ok(()) => (true, "healthy".to_owned()),
            Err(error) => (false, error.to_string()),
        };
        Ok(Response::new(HealthResponse { healthy, message }))
    }
}

/// A message whose attributes are JSON, so that one check serves both faces.
struct Owned {
    header: Option<(String, Box<RawValue>, Box<RawValue>)>,
    entities: Option<Vec<(String, String, Option<Box<RawValue>>)>>,
}

impl Owned {
    fn of(request: EventRequest) -> Result<Self, Invalid> {
        let header = request.event_header.map(|header| {
            let [created, saved] = [header.created_date, header.saved_date].map(|date| text(&date));
            (header.event_name, created, saved)
        });
        let entities = request.event_body.map(|body| {
            let updates = body.entities.into_iter().enumerate();
            updates
                .map(|(index, update)| entity(index, update))
                .collect()
        });
        Ok(Self {
            header,
            entities: entities.transpose()?,
        })
    }

    fn event(&self) -> Event<'_> {
        let header = self.header.as_ref().map(|(name, created, saved)| Header {
            event_name: name.clone(),
            created_date: Some(created),
            saved_date: Some(saved),
        });
        let entities = self.entities.as_ref().map(|entities| {
            let entities = entities.iter().map(|(kind, id, attributes)| Entity {
                entity_type: kind.clone(),
                entity_id: id.clone(),
                updated_attributes: attributes.as_deref(),
            });
            Body {
                entities: entities.collect(),
            }
        });
        Event {
            event_header: header,
            event_body: entities,
        }
    }
}

fn text(value: &str) -> Box<RawValue> {
    // A string is always JSON.
    to_raw_value(value).unwrap_or_default()
}

/// The attributes as one JSON object: texts of field 3 first, then the typed ones of field 4.
fn entity(
    index: usize,
    update: EntityUpdate,
) -> Result<(String, String, Option<Box<RawValue>>), Invalid> {
    let wrong = |_| {
        let path = format!("eventBody.entities[{index}].attributesJson");
        Invalid(format!("{path} must be a JSON object"))
    };
    let texts = update.updated_attributes;
    let typed = update.attributes_json;
    let attributes = match (texts.is_empty(), typed.is_empty()) {
        (true, true) => None,
        (true, false) => {
            let typed: Box<RawValue> = serde_json::from_slice(&typed).map_err(wrong)?;
            if !typed.get().starts_with('{') {
                let path = format!("eventBody.entities[{index}].attributesJson");
                return Err(Invalid(format!("{path} must be a JSON object")));
            }
            Some(typed)
        }
        (false, _) => {
            let mut all: HashMap<String, Box<RawValue>> = HashMap::new();
            all.extend(texts.iter().map(|(key, value)| (key.clone(), text(value))));
            if !typed.is_empty() {
                let typed: HashMap<String, Box<RawValue>> =
                    serde_json::from_slice(&typed).map_err(wrong)?;
                all.extend(typed);
            }
            Some(to_raw_value(&all).map_err(wrong)?)
        }
    };
    Ok((update.entity_type, update.entity_id, attributes))
}

fn status(error: StoreError) -> Status {
    let message = error.to_string();
    match error {
        StoreError::Invalid(_) => Status::invalid_argument(message),
        StoreError::Internal => Status::internal(message),
        StoreError::Unavailable => {
            let mut status = Status::unavailable(message);
            let metadata = status.metadata_mut();
            metadata.insert("retry-after", MetadataValue::from_static("1"));
            status
        }
    }
}
