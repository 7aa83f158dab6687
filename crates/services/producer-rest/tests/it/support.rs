//! A service on a database of its own, and events to send to it.

use serde_json::{Value, json};
use testkit::http::{Connection, Response};
use testkit::postgres::Database;
use testkit::process::Service;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_producer-rest");
pub(crate) const EVENTS: &str = "/api/v1/events";
pub(crate) const BULK: &str = "/api/v1/events/bulk";

/// A service that is ready, and its database.
pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) service: Service,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let database = Database::fresh().await;
        let service = serve(database.url(), settings);
        Self { database, service }
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.service.http()).await
    }

    pub(crate) async fn post(&self, event: &Value) -> Response {
        self.connect()
            .await
            .post_json(EVENTS, event.to_string())
            .await
    }

    /// The stored attributes of an entity.
    pub(crate) async fn stored(&self, entity_type: &str, id: &str) -> Option<Value> {
        stored(self.database.url(), entity_type, id).await
    }
}

/// A service on the database at `url`.
pub(crate) fn serve(url: &str, settings: &[(&str, &str)]) -> Service {
    let mut environment = vec![("DATABASE_URL", url), ("PERSISTED_COUNT_LOG_EVERY", "0")];
    environment.extend_from_slice(settings);
    Service::start(BINARY, &environment)
}

pub(crate) async fn stored(url: &str, entity_type: &str, id: &str) -> Option<Value> {
    let client = testkit::postgres::connect(url).await;
    let row = client
        .query_opt(
            "SELECT data::text FROM car_entities WHERE entity_type = $1 AND id = $2",
            &[&entity_type, &id],
        )
        .await
        .unwrap()?;
    Some(serde_json::from_str(row.get(0)).unwrap())
}

/// An event with one entity update.
pub(crate) fn event(entity_type: &str, id: &str, attributes: &Value) -> Value {
    json!({
        "eventHeader": {"eventName": "CarCreated"},
        "eventBody": {"entities": [entity(entity_type, id, attributes)]},
    })
}

pub(crate) fn entity(entity_type: &str, id: &str, attributes: &Value) -> Value {
    json!({"entityType": entity_type, "entityId": id, "updatedAttributes": attributes})
}
