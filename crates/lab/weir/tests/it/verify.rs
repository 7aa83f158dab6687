//! The contract check must find a broken target, in each protocol.

use std::convert::Infallible;

use api::event::event_service_server::{EventService, EventServiceServer};
use api::event::{EventOutcome, EventRequest, EventResponse, HealthRequest, HealthResponse};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lab_contract::application_db::ApplicationDb;
use lab_contract::verify::{Finding, verify};
use lab_model::endpoint::Endpoint;
use lab_model::targets::{Target, Targets};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, Streaming};

use crate::checkout::repository;

/// How a target is broken.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Says yes to everything, good or bad.
    AcceptsAll,
    /// Refuses what is bad, and stores nothing of what is good.
    StoresNothing,
    /// Answers what is bad with an internal error.
    WrongStatus,
}

fn target(name: &str) -> Target {
    Targets::load(&repository())
        .unwrap()
        .get(name)
        .unwrap()
        .clone()
}

fn failed(findings: &[Finding]) -> Vec<&'static str> {
    findings
        .iter()
        .filter(|f| !f.passed)
        .map(|f| f.case)
        .collect()
}

/// An application database with an empty table.
async fn empty() -> (testkit::Database, ApplicationDb) {
    let database = testkit::Database::fresh().await;
    let table = "CREATE TABLE car_entities (id varchar(255), entity_type varchar(255), created_at timestamptz, \
                 updated_at timestamptz, data jsonb NOT NULL, PRIMARY KEY (entity_type, id))";
    database.client().await.batch_execute(table).await.unwrap();
    let connection = ApplicationDb::connect(database.url()).await.unwrap();
    (database, connection)
}

async fn rest(fault: Fault) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = service_fn(
                move |request: hyper::Request<hyper::body::Incoming>| async move {
                    let post = request.method() == "POST";
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
                    let named = body["eventHeader"]["eventName"] != "";
                    let entities = body["eventBody"]["entities"]
                        .as_array()
                        .cloned()
                        .unwrap_or_default();
                    let whole = entities
                        .iter()
                        .all(|e| e["entityId"] != "" && e["entityType"] != "");
                    let status = match fault {
                        _ if !post || (named && whole) => 200,
                        Fault::AcceptsAll => 200,
                        Fault::StoresNothing => 400,
                        Fault::WrongStatus => 500,
                    };
                    let body = Full::new(Bytes::from_static(b"{\"success\":true}"));
                    Ok::<_, Infallible>(
                        hyper::Response::builder()
                            .status(status)
                            .body(body)
                            .unwrap(),
                    )
                },
            );
            tokio::spawn(async move {
                let served = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer);
                served.await.unwrap();
            });
        }
    });
    Endpoint::local(port)
}

struct Broken(Fault);

#[tonic::async_trait]
impl EventService for Broken {
    type ProcessEventsStream = tokio_stream::Empty<Result<EventOutcome, Status>>;

    async fn process_event(
        &self,
        request: Request<EventRequest>,
    ) -> Result<Response<EventResponse>, Status> {
        let event = request.into_inner();
        let named = event.event_header.is_some_and(|h| !h.event_name.is_empty());
        let entities = event.event_body.unwrap_or_default().entities;
        let whole = entities
            .iter()
            .all(|e| !e.entity_id.is_empty() && !e.entity_type.is_empty());
        match self.0 {
            _ if named && whole => {}
            Fault::AcceptsAll => {}
            Fault::StoresNothing => return Err(Status::invalid_argument("bad")),
            Fault::WrongStatus => return Err(Status::internal("bad")),
        }
        Ok(Response::new(EventResponse {
            success: true,
            message: String::new(),
        }))
    }

    async fn process_events(
        &self,
        _: Request<Streaming<EventRequest>>,
    ) -> Result<Response<Self::ProcessEventsStream>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn health_check(
        &self,
        _: Request<HealthRequest>,
    ) -> Result<Response<HealthResponse>, Status> {
        Ok(Response::new(HealthResponse {
            healthy: true,
            message: String::new(),
        }))
    }
}

async fn grpc(fault: Fault) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server =
        tonic::transport::Server::builder().add_service(EventServiceServer::new(Broken(fault)));
    tokio::spawn(server.serve_with_incoming(incoming));
    Endpoint::local(port)
}

async fn findings(name: &str, fault: Fault) -> Vec<Finding> {
    let (_database, connection) = empty().await;
    let endpoint = if name == "producer-rest" {
        rest(fault).await
    } else {
        grpc(fault).await
    };
    verify(&target(name), &endpoint, Some(&connection))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_broken_target_fails_in_each_protocol() {
    for name in ["producer-rest", "producer-grpc"] {
        let accepts = findings(name, Fault::AcceptsAll).await;
        let cases = failed(&accepts);
        assert!(
            cases.contains(&"an event without entity id is refused"),
            "{name}: {accepts:?}"
        );
        assert!(
            cases.contains(&"an event without name is refused"),
            "{name}: {accepts:?}"
        );
        assert!(
            cases.contains(&"an event with one bad entity stores none"),
            "{name}: {accepts:?}"
        );

        let stores = findings(name, Fault::StoresNothing).await;
        let expected = [
            "a new entity is stored and acknowledged",
            "a second event is merged into it",
        ];
        assert_eq!(failed(&stores), expected, "{name}: {stores:?}");

        let status = findings(name, Fault::WrongStatus).await;
        let case = status
            .iter()
            .find(|f| f.case == "an event without name is refused")
            .unwrap();
        let right = if name == "producer-rest" {
            "not with 400"
        } else {
            "not with INVALID_ARGUMENT"
        };
        assert!(
            !case.passed && case.detail.contains(right),
            "{name}: {case:?}"
        );
    }
}

#[tokio::test]
async fn a_target_that_is_away_fails_every_case() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for name in ["producer-rest", "producer-grpc"] {
        let endpoint = Endpoint::local(port);
        let findings = verify(&target(name), &endpoint, None).await.unwrap();
        assert!(findings.iter().all(|f| !f.passed), "{name}: {findings:?}");
    }
}
