//! One list of cases through both faces: same verdict, same words, same rows.

use api::event::EventRequest;
use api::event::event_service_client::EventServiceClient;
use clap::Parser;
use serde_json::{Value, json};
use testkit::http::Connection;
use testkit::postgres::Database;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::support::{event, request, stored};

/// Both services in this process, each on a database of its own.
struct Both {
    rest: std::net::SocketAddr,
    rest_database: Database,
    grpc: std::net::SocketAddr,
    grpc_database: Database,
    _stop: tokio_util::sync::DropGuard,
}

impl Both {
    async fn start() -> Self {
        let stop = CancellationToken::new();
        let (rest_database, grpc_database) = (Database::fresh().await, Database::fresh().await);
        let common = |name: &'static str, url: &str| {
            [
                "--host",
                "127.0.0.1",
                "--persisted-count-log-every",
                "0",
                "--database-url",
                url,
            ]
            .map(str::to_owned)
            .into_iter()
            .fold(vec![name.to_owned()], |mut all, one| {
                all.push(one);
                all
            })
        };
        let mut arguments = common("producer-rest", rest_database.url());
        arguments.extend(["--server-port".to_owned(), "0".to_owned()]);
        let config = producer_rest::Config::parse_from(arguments);
        let service = producer_rest::Service::build(&config, stop.clone())
            .await
            .unwrap();
        let rest = service.address().unwrap();
        tokio::spawn(service.run());

        let mut arguments = common("producer-grpc", grpc_database.url());
        arguments.extend(["--grpc-server-port", "0", "--admin-port", "0"].map(str::to_owned));
        let config = producer_grpc::Config::parse_from(arguments);
        let service = producer_grpc::Service::build(&config, stop.clone())
            .await
            .unwrap();
        let grpc = service.address().unwrap();
        tokio::spawn(service.run());
        Self {
            rest,
            rest_database,
            grpc,
            grpc_database,
            _stop: stop.drop_guard(),
        }
    }
}

/// A verdict: None where the event was stored, else the message.
async fn over_rest(both: &Both, event: &str) -> Option<String> {
    let mut connection = Connection::open(both.rest).await;
    let answer = connection.post_json("/api/v1/events", event).await;
    match answer.status {
        200 => None,
        400 => Some(answer.json()["message"].as_str().unwrap().to_owned()),
        other => panic!("{other}: {}", answer.text()),
    }
}

async fn over_grpc(both: &Both, event: EventRequest) -> Option<String> {
    let mut client = EventServiceClient::connect(format!("http://{}", both.grpc))
        .await
        .unwrap();
    match client.process_event(event).await {
        Ok(answer) => {
            assert!(answer.get_ref().success);
            None
        }
        Err(status) => {
            assert_eq!(status.code(), Code::InvalidArgument, "{status}");
            Some(status.message().to_owned())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_fault_is_told_in_the_same_words() {
    let both = Both::start().await;
    let long = "ü".repeat(256);
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(600), "]".repeat(600));
    let entity = |entity_type: &str, id: &str, attributes: &str| {
        format!(
            r#"{{"entityType":{},"entityId":{},"updatedAttributes":{attributes}}}"#,
            json!(entity_type),
            json!(id)
        )
    };
    let bodies = [
        ("", "x", "{}"),
        ("Car", "", "{}"),
        ("", "", "{}"),
        (long.as_str(), "x", "{}"),
        ("Car", long.as_str(), "{}"),
        ("Car", "nul\0", "{}"),
        ("Car", "x", "{\"a\":1e131072}"),
        ("Car", "x", "{\"a\":1e-16384}"),
        ("Car", "x", "{\"a\":\"\\u0000\"}"),
        ("Car", "x", "{\"a\":\"\\ud800\"}"),
        ("Car", "x", deep.as_str()),
        ("Car", "good", "{\"a\":1.0,\"a\":2.50}"),
    ];
    for (entity_type, id, attributes) in bodies {
        let rest = over_rest(
            &both,
            &format!(
                r#"{{"eventHeader":{{"eventName":"X"}},"eventBody":{{"entities":[{}]}}}}"#,
                entity(entity_type, id, attributes)
            ),
        )
        .await;
        let grpc = over_grpc(&both, event(entity_type, id, attributes)).await;
        // the field that carries typed attributes over gRPC has a name of its own
        let grpc = grpc.map(|message| message.replace("attributesJson", "updatedAttributes"));
        assert_eq!(rest, grpc, "{entity_type:.10} {id:.10} {attributes:.30}");
    }
    assert_eq!(
        stored(&both.rest_database, "Car", "good").await,
        stored(&both.grpc_database, "Car", "good").await
    );
    assert!(stored(&both.rest_database, "Car", "good").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn header_faults_are_the_same_on_both_faces() {
    let both = Both::start().await;
    let headers = [
        json!({"eventName": ""}),
        json!({"eventName": "X", "createdDate": "yesterday"}),
        json!({"eventName": "X", "createdDate": "2024-01-15T10:30:00"}),
        json!({"eventName": "X", "savedDate": "-1"}),
        json!({"eventName": "X", "savedDate": "253402300799001"}),
        json!({"eventName": "X", "createdDate": "1705314605000", "savedDate": ""}),
        json!({"eventName": "X", "createdDate": "2024-01-15t10:30:00.123456789+05:30"}),
        json!({"uuid": "any text", "eventName": "X", "eventType": "Y"}),
    ];
    for header in headers {
        let text = |name: &str| header[name].as_str().unwrap_or_default().to_owned();
        let mut over_the_wire = request(vec![]);
        over_the_wire.event_header = Some(api::event::EventHeader {
            uuid: text("uuid"),
            event_name: text("eventName"),
            created_date: text("createdDate"),
            saved_date: text("savedDate"),
            event_type: text("eventType"),
        });
        let entities = event("Car", "c", "{}").event_body;
        over_the_wire.event_body = entities;
        let body: Value = json!({"eventHeader": header,
            "eventBody": {"entities": [{"entityType": "Car", "entityId": "c"}]}});
        let rest = over_rest(&both, &body.to_string()).await;
        assert_eq!(rest, over_grpc(&both, over_the_wire).await, "{header}");
    }
}
