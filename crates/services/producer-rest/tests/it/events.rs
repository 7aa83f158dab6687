//! One event at a time: what is stored, what is answered.

use serde_json::{Value, json};
use testkit::http;

use crate::support::{EVENTS, Fixture, entity, event};

#[tokio::test]
async fn a_new_entity_is_created() {
    let fixture = Fixture::start().await;
    let attributes = json!({"model": "T", "year": 1908, "price": 850.00, "owner": {"name": "Ada"}});
    let answer = fixture.post(&event("Car", "car-1", &attributes)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({"success": true, "message": "Event processed successfully"})
    );
    assert_eq!(fixture.stored("Car", "car-1").await, Some(attributes));
}

#[tokio::test]
async fn an_existing_entity_is_merged_at_the_top_level() {
    let fixture = Fixture::start().await;
    let first = json!({"keep": 1, "replace": {"a": 1}, "null": 1});
    let second = json!({"replace": {"b": 2}, "new": [1, 2], "null": null});
    for attributes in [first, second] {
        assert_eq!(
            fixture
                .post(&event("Loan", "l-1", &attributes))
                .await
                .status,
            200
        );
    }
    assert_eq!(
        fixture.stored("Loan", "l-1").await,
        Some(json!({"keep": 1, "replace": {"b": 2}, "new": [1, 2], "null": null}))
    );
    let client = fixture.database.client().await;
    let row = client
        .query_one("SELECT updated_at > created_at, created_at > now() - interval '1 minute' FROM car_entities", &[])
        .await
        .unwrap();
    assert!(
        row.get::<_, bool>(0),
        "updated_at moves on, created_at stays"
    );
    assert!(row.get::<_, bool>(1));
}

#[tokio::test]
async fn several_entities_of_one_event_are_stored_together() {
    let fixture = Fixture::start().await;
    let both = json!({
        "eventHeader": {"eventName": "LoanCreated"},
        "eventBody": {"entities": [
            entity("Loan", "l-1", &json!({"balance": 1})),
            entity("Car", "c-1", &json!({"loan": "l-1"})),
            entity("Loan", "l-1", &json!({"balance": 2})),
        ]},
    });
    assert_eq!(fixture.post(&both).await.status, 200);
    assert_eq!(
        fixture.stored("Loan", "l-1").await,
        Some(json!({"balance": 2}))
    );
    assert_eq!(
        fixture.stored("Car", "c-1").await,
        Some(json!({"loan": "l-1"}))
    );
}

#[tokio::test]
async fn entities_of_one_event_are_stored_not_at_all_when_one_is_refused() {
    let fixture = Fixture::start().await;
    refuse_id(&fixture, "poison").await;
    let both = json!({
        "eventHeader": {"eventName": "LoanCreated"},
        "eventBody": {"entities": [entity("Car", "good", &json!({})), entity("Car", "poison", &json!({}))]},
    });
    assert!(fixture.post(&both).await.status >= 400);
    assert_eq!(fixture.stored("Car", "good").await, None);
}

/// Makes PostgreSQL refuse an id that passes validation.
pub(crate) async fn refuse_id(fixture: &Fixture, id: &str) {
    let constraint = format!("ALTER TABLE car_entities ADD CHECK (id <> '{id}')");
    fixture
        .database
        .client()
        .await
        .batch_execute(&constraint)
        .await
        .unwrap();
}

#[tokio::test]
async fn numbers_keep_their_exact_value() {
    let fixture = Fixture::start().await;
    let body = r#"{"eventHeader":{"eventName":"X"},"eventBody":{"entities":[{"entityType":"Car","entityId":"n",
        "updatedAttributes":{"big":123456789012345678901234567890.123456789,"small":1e-20,"trailing":1.10,"n":1,"n":2}}]}}"#;
    assert_eq!(
        http::post_json(fixture.service.http(), EVENTS, body)
            .await
            .status,
        200
    );
    let client = fixture.database.client().await;
    let row = client
        .query_one(
            "SELECT data->>'big', data->>'small', data->>'trailing', data->>'n' FROM car_entities",
            &[],
        )
        .await
        .unwrap();
    let texts: Vec<&str> = (0..4).map(|column| row.get(column)).collect();
    assert_eq!(
        texts,
        [
            "123456789012345678901234567890.123456789",
            "0.00000000000000000001",
            "1.10",
            "2"
        ]
    );
}

#[tokio::test]
async fn every_case_of_the_contract_is_answered_and_stored_or_refused() {
    let fixture = Fixture::start().await;
    let cases = include_str!("../../../../domain/tests/cases/events.json");
    // RawValue keeps repeated keys and numbers as they stand
    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        event: Option<Box<serde_json::value::RawValue>>,
        text: Option<String>,
        error: Option<String>,
    }
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    assert!(cases.len() > 50, "{} cases", cases.len());
    let mut connection = fixture.connect().await;
    for case in cases {
        let body = case
            .event
            .as_ref()
            .map(|event| event.get())
            .or(case.text.as_deref());
        let answer = connection
            .post_json(EVENTS, body.expect("an event or a text"))
            .await;
        match case.error {
            None => assert_eq!(answer.status, 200, "{}: {}", case.name, answer.text()),
            Some(message) => {
                let expected =
                    json!({"success": false, "error": "invalid_argument", "message": message});
                assert_eq!(
                    (answer.status, answer.json()),
                    (400, expected),
                    "{}",
                    case.name
                );
            }
        }
    }
}

#[tokio::test]
async fn requests_that_are_no_events_are_told_what_is_wrong() {
    let fixture = Fixture::start_with(&[("MAX_EVENT_BYTES", "1000")]).await;
    let mut connection = fixture.connect().await;
    let json = [("content-type", "application/json")];
    let long = format!("{{\"padding\":\"{}\"}}", "x".repeat(1000));
    type Request<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8]);
    let requests: [(Request<'_>, u16, &str); 9] = [
        (("POST", EVENTS, &json, b"{"), 400, "invalid_argument"),
        (("POST", EVENTS, &json, b""), 400, "invalid_argument"),
        (("POST", EVENTS, &json, b"[1]"), 400, "invalid_argument"),
        (
            ("POST", EVENTS, &json, b"\xff\xfe"),
            400,
            "invalid_argument",
        ),
        (("POST", EVENTS, &[], b"{}"), 415, "unsupported_media_type"),
        (
            ("POST", EVENTS, &[("content-type", "text/plain")], b"{}"),
            415,
            "unsupported_media_type",
        ),
        (("POST", EVENTS, &json, long.as_bytes()), 413, "too_large"),
        (("GET", EVENTS, &[], b""), 405, "method_not_allowed"),
        (("GET", "/api/v2/events", &[], b""), 404, "not_found"),
    ];
    for ((method, path, headers, body), status, error) in requests {
        let answer = connection.request(method, path, headers, body).await;
        let said: Value = answer.json();
        assert_eq!(
            (answer.status, &said["error"]),
            (status, &json!(error)),
            "{method} {path}: {said}"
        );
        assert_eq!(said["success"], json!(false));
        assert!(
            said["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
        );
        if answer.header("connection") == Some("close") || status == 413 {
            connection = fixture.connect().await;
        }
    }
    let parameters = [("content-type", "Application/JSON; charset=utf-8; x=y")];
    let good = event("Car", "c", &json!({})).to_string();
    let answer = connection
        .request("POST", EVENTS, &parameters, good.as_bytes())
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn health_metrics_and_cors_answer() {
    let fixture = Fixture::start().await;
    fixture.post(&event("Car", "c", &json!({}))).await;
    let health = http::get(fixture.service.http(), "/api/v1/events/health").await;
    assert_eq!(
        (health.status, &health.json()["success"]),
        (200, &json!(true))
    );
    let metrics = http::get(fixture.service.http(), "/metrics").await;
    for name in [
        "ingest_events_total 1",
        "ingest_batches_total 1",
        "ingest_batch_events_mean 1",
        "ingest_queue_depth 0",
        "ingest_refused_total{reason=\"queue_full\"} 0",
        "ingest_database_seconds_total",
        "process_cpu_seconds_total",
        "http_requests_total{route=\"/api/v1/events\",status=\"200\"} 1",
    ] {
        assert!(
            metrics.text().contains(name),
            "{name} in\n{}",
            metrics.text()
        );
    }
    let preflight = [
        ("origin", "http://example.com"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let answer = fixture
        .connect()
        .await
        .request("OPTIONS", EVENTS, &preflight, b"")
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn what_is_waited_for_is_taken_where_postgresql_stores_events_too() {
    let fixture = Fixture::start().await;
    let car = event("Car", "waited", &json!({"n": 1})).to_string();
    let mut connection = fixture.connect().await;
    for query in ["wait=applied", "wait=stored", "trace=1"] {
        let path = format!("{EVENTS}?{query}");
        let answer = connection.post_json(&path, &car).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    }
    let refused = connection
        .post_json(&format!("{EVENTS}?wait=soon"), &car)
        .await;
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .text()
            .contains("wait must be 'applied' or 'stored'"),
        "{}",
        refused.text()
    );
    let bulk = connection
        .post_json("/api/v1/events/bulk?wait=soon", &format!("[{car}]"))
        .await;
    assert_eq!(bulk.status, 400, "{}", bulk.text());
}
