//! Each planted fault of the null target is caught, in each protocol, by the contract check or by the audit.

use api::event::event_service_client::EventServiceClient;
use api::event::{EntityUpdate, EventBody, EventHeader, EventRequest};
use bytes::Bytes;
use lab_contract::application_db::ApplicationDb;
use lab_contract::audit::{Audited, Baseline, Claims, Counts, Subject, audit};
use lab_contract::verify::verify;
use lab_model::endpoint::Endpoint;
use lab_model::targets::{Protocol, Target, Targets};
use null_target::{Config, Fault, NullTarget};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::checkout::repository;

/// A running target with a fault; it ends with the value.
struct Planted {
    rest: Endpoint,
    grpc: Endpoint,
    stop: CancellationToken,
}

impl Planted {
    async fn start(fault: Fault, database: Option<&testkit::Database>) -> Self {
        let config = Config {
            host: "127.0.0.1".into(),
            server_port: 0,
            grpc_server_port: 0,
            burn_percent: 0.0,
            store: database.is_some(),
            database_url: database.map(|database| database.url().to_owned()),
            fault,
        };
        let target = NullTarget::bind(&config).await.unwrap();
        let local = |address: std::net::SocketAddr| Endpoint::local(address.port());
        let (rest, grpc) = (
            target.rest_address().unwrap(),
            target.grpc_address().unwrap(),
        );
        let stop = CancellationToken::new();
        tokio::spawn(target.run(stop.clone()));
        Self {
            rest: local(rest),
            grpc: local(grpc),
            stop,
        }
    }

    fn at(&self, target: &Target) -> &Endpoint {
        match target.protocol {
            Protocol::Rest => &self.rest,
            Protocol::Grpc => &self.grpc,
        }
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn target(name: &str) -> Target {
    let targets = Targets::load(&repository()).unwrap();
    targets.get(name).unwrap().clone()
}

/// The cases of the contract that a target with this fault fails, each with what happened.
async fn failed(name: &str, fault: Fault) -> Vec<(&'static str, String)> {
    let database = testkit::Database::fresh().await;
    let planted = Planted::start(fault, Some(&database)).await;
    let target = target(name);
    let connection = ApplicationDb::connect(database.url()).await.unwrap();
    let findings = verify(&target, planted.at(&target), Some(&connection))
        .await
        .unwrap();
    findings
        .into_iter()
        .filter(|finding| !finding.passed)
        .map(|finding| (finding.case, finding.detail))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_ingestion_fail_the_contract_in_each_protocol() {
    for name in ["producer-rest", "producer-grpc"] {
        let none = failed(name, Fault::None).await;
        assert!(none.is_empty(), "{name}: {none:?}");
        for (fault, case, detail) in [
            (
                Fault::AcknowledgesBeforeCommit,
                "a new entity is stored and acknowledged",
                "its entity is not in the database",
            ),
            (
                Fault::MergesByReplacing,
                "a second event is merged into it",
                "the entity holds",
            ),
            (
                Fault::WrongStatus,
                "an event without name is refused",
                "a bad event was answered with",
            ),
        ] {
            let found = failed(name, fault).await;
            let caught = found
                .iter()
                .any(|(of, what)| *of == case && what.contains(detail));
            assert!(caught, "{name} {fault:?}: {found:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_in_a_thousand_that_is_lost_fails_the_audit_in_each_protocol() {
    for name in ["producer-rest", "producer-grpc"] {
        for (fault, passes) in [(Fault::None, true), (Fault::LosesOneInThousand, false)] {
            let audited = after_a_thousand_events(name, fault).await;
            let facts = &audited.facts;
            assert_eq!(audited.passed, passes, "{name} {fault:?}: {facts:?}");
            if !passes {
                assert_eq!(
                    (&facts["fault"], &facts["stored"]),
                    (&"lost".into(), &999.into())
                );
            }
        }
    }
}

/// Sends a thousand events, all of which are acknowledged, and audits them.
async fn after_a_thousand_events(name: &str, fault: Fault) -> Audited {
    const EVENTS: i64 = 1000;
    let database = testkit::Database::fresh().await;
    let planted = Planted::start(fault, Some(&database)).await;
    let target = target(name);
    let at = planted.at(&target).clone();
    match target.protocol {
        Protocol::Rest => {
            for number in 0..EVENTS {
                post(&at, number).await;
            }
        }
        Protocol::Grpc => {
            let mut client = EventServiceClient::connect(format!("http://{at}"))
                .await
                .unwrap();
            for number in 0..EVENTS {
                let answer = client.process_event(message(number)).await.unwrap();
                assert!(answer.into_inner().success);
            }
        }
    }
    let connection = ApplicationDb::connect(database.url()).await.unwrap();
    let subject = Subject {
        target: &target,
        at: &at,
        counters: None,
        database: Some(&connection),
        run_label: "planted",
    };
    let claims = Claims {
        counts: Counts {
            sent: EVENTS,
            acknowledged: EVENTS,
            failed: 0,
        },
        streams: None,
    };
    audit(subject, &Baseline::default(), &claims).await.unwrap()
}

async fn post(at: &Endpoint, number: i64) {
    let body = json!({
        "eventHeader": {"eventName": "CarCreated"},
        "eventBody": {"entities": [{"entityType": "Car", "entityId": format!("car-{number}"),
            "updatedAttributes": {"carCreatedRun": "planted"}}]},
    });
    let limit = std::time::Duration::from_secs(10);
    let (status, _) = lab_contract::http::request(
        at,
        hyper::Method::POST,
        "/api/v1/events",
        Some(Bytes::from(body.to_string())),
        limit,
    )
    .await
    .unwrap();
    assert_eq!(status, 200);
}

fn message(number: i64) -> EventRequest {
    EventRequest {
        event_header: Some(EventHeader {
            event_name: "CarCreated".into(),
            ..EventHeader::default()
        }),
        event_body: Some(EventBody {
            entities: vec![EntityUpdate {
                entity_type: "Car".into(),
                entity_id: format!("car-{number}"),
                attributes_json: br#"{"carCreatedRun":"planted"}"#.to_vec(),
                ..EntityUpdate::default()
            }],
        }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_is_dropped_fails_the_contract_of_topics() {
    let target = target("event-log-topics");
    for (fault, expected) in [
        (Fault::None, &[][..]),
        (
            Fault::DropsHeaders,
            &["what was produced can be read at its offset"],
        ),
    ] {
        let planted = Planted::start(fault, None).await;
        let findings = verify(&target, planted.at(&target), None).await.unwrap();
        let failed: Vec<_> = findings
            .iter()
            .filter(|f| !f.passed)
            .map(|f| f.case)
            .collect();
        assert_eq!(failed, expected, "{fault:?}: {findings:?}");
    }
}
