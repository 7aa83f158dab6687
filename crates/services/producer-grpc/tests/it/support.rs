//! A service on a database of its own, and events to send to it.

use std::collections::BTreeMap;

use api::event::event_service_client::EventServiceClient;
use api::event::{EntityUpdate, EventBody, EventHeader, EventRequest};
use serde_json::Value;
use testkit::postgres::Database;
use testkit::process::Service;
use tonic::transport::Channel;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_producer-grpc");

pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) service: Service,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_on(Database::fresh().await, settings).await
    }

    pub(crate) async fn start_on(database: Database, settings: &[(&str, &str)]) -> Self {
        let mut environment = vec![
            ("DATABASE_URL", database.url()),
            ("PERSISTED_COUNT_LOG_EVERY", "0"),
        ];
        environment.extend_from_slice(settings);
        let service = Service::start(BINARY, &environment);
        Self { database, service }
    }

    pub(crate) async fn channel(&self) -> Channel {
        let address = format!("http://{}", self.service.grpc());
        Channel::from_shared(address)
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    pub(crate) async fn client(&self) -> EventServiceClient<Channel> {
        EventServiceClient::new(self.channel().await).max_encoding_message_size(64 << 20)
    }

    pub(crate) async fn stored(&self, entity_type: &str, id: &str) -> Option<Value> {
        stored(&self.database, entity_type, id).await
    }
}

pub(crate) async fn stored(database: &Database, entity_type: &str, id: &str) -> Option<Value> {
    let row = database
        .client()
        .await
        .query_opt(
            "SELECT data::text FROM car_entities WHERE entity_type = $1 AND id = $2",
            &[&entity_type, &id],
        )
        .await
        .unwrap()?;
    Some(serde_json::from_str(row.get(0)).unwrap())
}

/// An event with one entity update in typed JSON.
pub(crate) fn event(entity_type: &str, id: &str, attributes_json: &str) -> EventRequest {
    request(vec![EntityUpdate {
        entity_type: entity_type.to_owned(),
        entity_id: id.to_owned(),
        updated_attributes: BTreeMap::new(),
        attributes_json: attributes_json.to_owned().into(),
    }])
}

pub(crate) fn request(entities: Vec<EntityUpdate>) -> EventRequest {
    EventRequest {
        event_header: Some(EventHeader {
            event_name: "CarCreated".to_owned(),
            ..Default::default()
        }),
        event_body: Some(EventBody { entities }),
    }
}
