//! Unary calls, health and reflection.

use std::collections::BTreeMap;

use api::event::{EntityUpdate, EventResponse, HealthRequest};
use serde_json::json;
use testkit::http;
use testkit::postgres::{Database, Server, lock_table};
use testkit::process::Service;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::support::{BINARY, Fixture, event, request};

#[tokio::test]
async fn events_are_created_and_merged() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let answer = client
        .process_event(event("Car", "c-1", r#"{"a":1,"b":{"x":1.50}}"#))
        .await
        .unwrap();
    assert!(answer.get_ref().success);
    assert_eq!(answer.get_ref().message, "Event processed successfully");
    client
        .process_event(event("Car", "c-1", r#"{"b":2}"#))
        .await
        .unwrap();
    assert_eq!(
        fixture.stored("Car", "c-1").await,
        Some(json!({"a": 1, "b": 2}))
    );
}

#[tokio::test]
async fn values_of_the_map_are_strings_and_the_json_is_merged_last() {
    let fixture = Fixture::start().await;
    let strings = [
        ("price", "850.00"),
        ("flag", "true"),
        ("quote", "a\"b\\\n"),
        ("both", "map"),
    ];
    let update = EntityUpdate {
        entity_type: "Car".to_owned(),
        entity_id: "c".to_owned(),
        updated_attributes: BTreeMap::from(
            strings.map(|(key, value)| (key.to_owned(), value.to_owned())),
        ),
        attributes_json: r#"{"both":"json","n":1}"#.into(),
    };
    fixture
        .client()
        .await
        .process_event(request(vec![update]))
        .await
        .unwrap();
    assert_eq!(
        fixture.stored("Car", "c").await,
        Some(
            json!({"price": "850.00", "flag": "true", "quote": "a\"b\\\n", "both": "json", "n": 1})
        )
    );
}

#[tokio::test]
async fn an_event_that_is_too_large_is_resource_exhausted() {
    let fixture =
        Fixture::start_with(&[("MAX_EVENT_BYTES", "100000"), ("MAX_BULK_BYTES", "1000000")]).await;
    let mut client = fixture.client().await;
    // beyond the event's limit, and beyond what is decoded at all
    for size in [150_000, 2_000_000] {
        let large = format!("{{\"padding\":\"{}\"}}", "x".repeat(size));
        let status = client
            .process_event(event("Car", "large", &large))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{size}: {status}");
        assert!(status.message().contains("large"), "{}", status.message());
    }
    let fits = format!("{{\"padding\":\"{}\"}}", "x".repeat(90_000));
    client
        .process_event(event("Car", "fits", &fits))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_event_may_be_larger_than_a_bulk() {
    let fixture = Fixture::start_with(&[("MAX_BULK_BYTES", "1000")]).await;
    let large = format!("{{\"padding\":\"{}\"}}", "x".repeat(1_000_000));
    let answer = fixture
        .client()
        .await
        .process_event(event("Car", "large", &large))
        .await
        .unwrap();
    assert!(answer.get_ref().success);
}

#[tokio::test]
async fn what_is_no_event_is_an_invalid_argument() {
    let fixture = Fixture::start().await;
    let mut client = tonic::client::Grpc::new(fixture.channel().await);
    client.ready().await.unwrap();
    let path = "/com.example.grpc.EventService/ProcessEvent".parse();
    // A truth value where an event has its header.
    let message = EventResponse {
        success: true,
        ..EventResponse::default()
    };
    let codec = tonic_prost::ProstCodec::<_, EventResponse>::default();
    let status = client
        .unary(tonic::Request::new(message), path.unwrap(), codec)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
}

#[tokio::test]
async fn a_full_queue_is_resource_exhausted_with_a_hint() {
    let fixture = Fixture::start_with(&[("QUEUE_CAPACITY", "2"), ("WRITERS", "1")]).await;
    let mut database = fixture.database.client().await;
    let lock = lock_table(&mut database, "car_entities", "EXCLUSIVE").await;
    let client = fixture.client().await;
    let calls = (0..20).map(|n| {
        let mut client = client.clone();
        async move {
            client
                .process_event(event("Car", &format!("c-{n}"), "{}"))
                .await
        }
    });
    let release = async {
        let admin = fixture.service.http();
        testkit::eventually("five are refused", async || {
            testkit::http::metric(admin, "ingest_refused_total").await >= 5.0
        })
        .await;
        lock.commit().await.unwrap();
    };
    let (outcomes, ()) = tokio::join!(futures_util::future::join_all(calls), release);
    let refused: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(refused.len() >= 5, "{} refused", refused.len());
    for status in refused {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert_eq!(status.metadata().get("retry-after").unwrap(), "1");
    }
}

#[tokio::test]
async fn health_follows_the_database() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = Database::fresh_on(&server).await;
    let service = Service::start(
        BINARY,
        &[
            ("DATABASE_URL", database.url()),
            ("DATABASE_ACQUIRE_TIMEOUT", "300ms"),
        ],
    );
    let fixture = Fixture { database, service };
    let mut own = fixture.client().await;
    let mut standard = HealthClient::new(fixture.channel().await);
    wait_for(&mut standard, ServingStatus::Serving).await;
    assert!(
        own.health_check(HealthRequest::default())
            .await
            .unwrap()
            .get_ref()
            .healthy
    );
    assert_eq!(
        http::get(fixture.service.http(), "/health").await.status,
        200
    );

    let server = tokio::task::spawn_blocking(move || {
        server.stop();
        server
    });
    let mut server = server.await.unwrap();
    wait_for(&mut standard, ServingStatus::NotServing).await;
    assert!(
        !own.health_check(HealthRequest::default())
            .await
            .unwrap()
            .get_ref()
            .healthy
    );
    assert_eq!(
        http::get(fixture.service.http(), "/health").await.status,
        503
    );
    // While it stops, and until the next probe, it is told as stopping.
    testkit::eventually("an event is told that the database is away", async || {
        let mut own = own.clone();
        let refused = own.process_event(event("Car", "c", "{}")).await;
        refused.is_err_and(|status| {
            (status.code(), status.message())
                == (
                    Code::Unavailable,
                    "the database cannot be reached: retry later",
                )
        })
    })
    .await;

    let server = tokio::task::spawn_blocking(move || {
        server.start_again();
        server
    });
    let _server = server.await.unwrap();
    wait_for(&mut standard, ServingStatus::Serving).await;
    own.process_event(event("Car", "c", "{}")).await.unwrap();
}

async fn wait_for(client: &mut HealthClient<tonic::transport::Channel>, wanted: ServingStatus) {
    testkit::eventually(&format!("both healths are {wanted:?}"), async || {
        let mut last = ServingStatus::Unknown;
        for service in ["", "com.example.grpc.EventService"] {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            last = client.check(request).await.unwrap().get_ref().status();
        }
        last == wanted
    })
    .await;
}

#[tokio::test]
async fn reflection_lists_the_services_and_metrics_count_the_calls() {
    let fixture = Fixture::start().await;
    fixture
        .client()
        .await
        .process_event(event("Car", "c", "{}"))
        .await
        .unwrap();
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(fixture.channel().await);
    let mut answers = reflection
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else {
        panic!("{answer:?}")
    };
    let mut names: Vec<_> = list.service.into_iter().map(|it| it.name).collect();
    names.sort();
    // The descriptors hold the services of all binaries: those of others are not listed.
    assert_eq!(
        names,
        [
            "com.example.grpc.EventService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection"
        ]
    );
    let metrics = http::get(fixture.service.http(), "/metrics").await;
    assert!(
        metrics.text().contains("ingest_events_total 1"),
        "{}",
        metrics.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_database_is_not_healthy_on_any_face() {
    let fixture = Fixture::start_with(&[("DATABASE_ACQUIRE_TIMEOUT", "300ms")]).await;
    let server = testkit::postgres::shared();
    let client = testkit::postgres::connect(&server.url("postgres")).await;
    let name = fixture.database.name();
    let set = |value| format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
    client.batch_execute(&set("on")).await.unwrap();
    client
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
            &[&name],
        )
        .await
        .unwrap();
    standard_health(&fixture, 2).await;
    let mut events = fixture.client().await;
    let own = events
        .health_check(HealthRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (own.healthy, own.message.as_str()),
        (false, "the database is read-only: retry later")
    );
    let admin = testkit::http::get(fixture.service.http(), "/health").await;
    assert_eq!(admin.status, 503);
    let refused = fixture
        .client()
        .await
        .process_event(event("Car", "a", "{}"))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (
            tonic::Code::Unavailable,
            "the database is read-only: retry later"
        )
    );
    client.batch_execute(&set("off")).await.unwrap();
    standard_health(&fixture, 1).await;
    let stored = fixture
        .client()
        .await
        .process_event(event("Car", "a", "{}"))
        .await;
    assert!(stored.is_ok(), "{stored:?}");
}

/// Waits until `grpc.health.v1` says so: 1 SERVING, 2 NOT_SERVING.
async fn standard_health(fixture: &Fixture, wanted: i32) {
    let mut client = HealthClient::new(fixture.channel().await);
    testkit::eventually(&format!("the health is {wanted}"), async || {
        let answer = client.check(HealthCheckRequest::default()).await.unwrap();
        answer.get_ref().status == wanted
    })
    .await;
}
