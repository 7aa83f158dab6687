//! Bulk requests: the good events are stored, the bad ones are named.

use serde_json::{Value, json};
use testkit::http;

use crate::support::{BULK, Fixture, event};

async fn post(fixture: &Fixture, body: &str) -> (u16, Value) {
    let answer = http::post_json(fixture.service.http(), BULK, body).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn good_events_are_stored_beside_bad_ones() {
    let fixture = Fixture::start_with(&[("MAX_EVENT_BYTES", "2000")]).await;
    let events = json!([
        event("Car", "a", &json!({"n": 1})),
        event("", "b", &json!({})),
        "no event",
        event("Car", "c", &json!({"padding": "x".repeat(3000)})),
        event("Car", "d", &json!({"n": 2})),
    ]);
    let (status, answer) = post(&fixture, &events.to_string()).await;
    assert_eq!(status, 200);
    assert_eq!(answer["success"], json!(false));
    assert_eq!(
        (&answer["processedCount"], &answer["failedCount"]),
        (&json!(2), &json!(3))
    );
    let failures: Vec<(u64, &str)> = answer["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| {
            (
                failure["index"].as_u64().unwrap(),
                failure["error"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        failures,
        [
            (1, "eventBody.entities[0].entityType must not be empty"),
            (2, "the event must be a JSON object"),
            (3, "the event is larger than 2000 bytes (MAX_EVENT_BYTES)"),
        ]
    );
    assert!(answer["batchId"].as_str().is_some_and(|id| !id.is_empty()));
    assert!(answer["processingTimeMs"].is_u64());
    assert_eq!(fixture.stored("Car", "a").await, Some(json!({"n": 1})));
    assert_eq!(fixture.stored("Car", "c").await, None);
    assert_eq!(fixture.stored("Car", "d").await, Some(json!({"n": 2})));
}

#[tokio::test]
async fn events_for_one_entity_are_applied_in_list_order() {
    let fixture = Fixture::start().await;
    // more than one batch, and every event touches both entities in turn as its first key
    let events: Vec<Value> = (0..1000)
        .map(|n| {
            let (first, second) = if n % 2 == 0 { ("a", "b") } else { ("b", "a") };
            json!({
                "eventHeader": {"eventName": "CarServiceDone"},
                "eventBody": {"entities": [
                    {"entityType": "Car", "entityId": first, "updatedAttributes": {"last": n}},
                    {"entityType": "Car", "entityId": second, "updatedAttributes": {"last": n}},
                ]},
            })
        })
        .collect();
    let (status, answer) = post(&fixture, &json!(events).to_string()).await;
    assert_eq!((status, &answer["processedCount"]), (200, &json!(1000)));
    assert_eq!(answer["success"], json!(true));
    assert_eq!(answer.get("failures"), None);
    for id in ["a", "b"] {
        assert_eq!(fixture.stored("Car", id).await, Some(json!({"last": 999})));
    }
}

#[tokio::test]
async fn a_bulk_larger_than_the_queue_waits_for_room() {
    let fixture = Fixture::start_with(&[("QUEUE_CAPACITY", "10")]).await;
    let events: Vec<Value> = (0..500)
        .map(|n| event("Car", &format!("car-{n}"), &json!({})))
        .collect();
    let (status, answer) = post(&fixture, &json!(events).to_string()).await;
    assert_eq!((status, &answer["processedCount"]), (200, &json!(500)));
}

#[tokio::test]
async fn a_body_that_is_no_list_is_refused_as_a_whole() {
    let fixture = Fixture::start_with(&[("MAX_BULK_BYTES", "5000")]).await;
    for body in ["", "{", "{}", "[]", "[1,]", "5"] {
        let (status, answer) = post(&fixture, body).await;
        assert_eq!(
            (status, &answer["error"]),
            (400, &json!("invalid_argument")),
            "{body}"
        );
    }
    let long = format!("[\"{}\"]", "x".repeat(5000));
    assert_eq!(post(&fixture, &long).await.0, 413);
}

#[tokio::test]
async fn a_bulk_larger_than_the_queue_is_stored_whole_and_in_order() {
    let settings = [("QUEUE_CAPACITY", "64"), ("WRITERS", "3")];
    let fixture = Fixture::start_with(&settings).await;
    // Over many entities, so that all writers work on it; each entity several times, so that its order shows.
    let events: Vec<Value> = (0..3000)
        .map(|n| {
            event(
                "Car",
                &format!("many-{}", n % 500),
                &json!({"n": n, "first": n < 500}),
            )
        })
        .collect();
    let (status, answer) = post(&fixture, &json!(events).to_string()).await;
    assert_eq!(
        (status, &answer["success"]),
        (200, &json!(true)),
        "{answer}"
    );
    assert_eq!(answer["processedCount"], json!(3000));
    for key in [0, 1, 250, 499] {
        let stored = fixture.stored("Car", &format!("many-{key}")).await;
        assert_eq!(stored, Some(json!({"n": 2500 + key, "first": false})));
    }
}
