//! The store on a real PostgreSQL: that of TEST_DATABASE_URL, which scripts/test.sh starts.

use std::time::{SystemTime, UNIX_EPOCH};

use ingest::event::Event;
use ingest::store::{Store, StoreError};
use serde_json::{Value, json};

/// The database's URL. Without one the test is left out; in CI it fails.
fn url() -> Option<String> {
    let url = std::env::var("TEST_DATABASE_URL").ok();
    let ci = std::env::var("CI").unwrap_or_default();
    assert!(
        url.is_some() || matches!(ci.as_str(), "" | "0" | "false"),
        "TEST_DATABASE_URL is not set, and CI leaves no test out"
    );
    if url.is_none() {
        eprintln!("left out: TEST_DATABASE_URL is not set");
    }
    url
}

/// An entity type that no other test has.
fn own_type(name: &str) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("{name}-{}", since.as_nanos())
}

fn event(kind: &str, entities: &[(&str, Value)]) -> String {
    let entities = entities.iter().map(
        |(id, attributes)| json!({"entityType": kind, "entityId": id, "updatedAttributes": attributes}),
    );
    let body = json!({"entities": entities.collect::<Vec<_>>()});
    json!({"eventHeader": {"eventName": "CarCreated"}, "eventBody": body}).to_string()
}

async fn write(store: &Store, text: &str) -> Result<(), StoreError> {
    store.write(&Event::parse(text.as_bytes()).unwrap()).await
}

/// What is stored of an entity.
async fn stored(url: &str, kind: &str, id: &str) -> Option<Value> {
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    let text: Option<(String,)> =
        sqlx::query_as("SELECT data::text FROM car_entities WHERE entity_type = $1 AND id = $2")
            .bind(kind)
            .bind(id)
            .fetch_optional(&pool)
            .await
            .unwrap();
    text.map(|(text,)| serde_json::from_str(&text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_merges_into_one_entity_lose_nothing() {
    let Some(url) = url() else { return };
    let store = Store::open(&url, 10).await.unwrap();
    let kind = own_type("merge");
    let mut senders = Vec::new();
    for number in 0..64 {
        let attributes = json!({ format!("k{number}"): number });
        let (store, text) = (store.clone(), event(&kind, &[("one", attributes)]));
        senders.push(tokio::spawn(async move { write(&store, &text).await }));
    }
    for sender in senders {
        sender.await.unwrap().unwrap();
    }
    let found = stored(&url, &kind, "one").await.unwrap();
    assert_eq!(found.as_object().unwrap().len(), 64);
}

#[tokio::test]
async fn an_event_of_several_entities_is_stored_whole_or_not_at_all() {
    let Some(url) = url() else { return };
    let store = Store::open(&url, 10).await.unwrap();
    let kind = own_type("whole");
    // PostgreSQL's text has no NUL.
    let text = event(&kind, &[("a", json!({"n": 1})), ("b", json!({"n": "\0"}))]);
    let refused = write(&store, &text).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    assert_eq!(stored(&url, &kind, "a").await, None);
    let text = event(&kind, &[("b", json!({"n": 1})), ("b", json!({"n": 2}))]);
    write(&store, &text).await.unwrap();
    assert_eq!(stored(&url, &kind, "b").await, Some(json!({"n": 2})));
}
