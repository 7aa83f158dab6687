//! The contenders keep the contract, and lose nothing under concurrent merges, in every write mode.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use api::event::event_service_client::EventServiceClient;
use api::event::{EntityUpdate, EventBody, EventHeader, EventRequest};
use lab_contract::application_db::ApplicationDb;
use lab_contract::verify::verify;
use lab_model::endpoint::Endpoint;
use lab_model::targets::{Protocol, Target, Targets};

use crate::checkout::repository;

/// Events that change the same entity at the same time, each by a key of its own.
const MERGES: usize = 64;
const ROUNDS: usize = 10;
/// A virtual machine that starts while others compile takes its time.
const START_LIMIT: Duration = Duration::from_secs(180);

/// The contender, built by its own command; none where its toolchain is missing.
fn built(target: &Target) -> Option<PathBuf> {
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let native = target.native.as_ref().unwrap();
    let [program, arguments @ ..] = &native.build[..] else {
        panic!("{} has no build command", target.name);
    };
    let mut command = Command::new(program);
    let built = command.args(arguments).current_dir(repository()).output();
    match built {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {said}", target.name);
            Some(repository().join(&native.binary))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            testkit::left_out(&format!("{}: {program} is not installed", target.name));
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

async fn keeps_the_contract(name: &str, mode: &str) {
    let targets = Targets::load(&repository()).unwrap();
    let target = targets.get(name).unwrap();
    let Some(binary) = built(target) else {
        return;
    };
    let database = testkit::Database::fresh().await;
    let settings = [("DATABASE_URL", database.url()), ("WRITE_MODE", mode)];
    let service = testkit::Service::spawn(binary, &[], &settings);
    let ready = service.wait_for_log("ready", START_LIMIT);
    assert!(ready.is_some(), "{name} is not ready:\n{}", service.log());
    let address = match target.protocol {
        Protocol::Rest => service.http(),
        Protocol::Grpc => service.grpc(),
    };
    let stored = ApplicationDb::connect(database.url()).await.unwrap();
    let findings = verify(target, &Endpoint::local(address.port()), Some(&stored))
        .await
        .unwrap();
    let failed: Vec<_> = findings.iter().filter(|finding| !finding.passed).collect();
    assert!(!findings.is_empty() && failed.is_empty(), "{failed:?}");
    for round in 0..ROUNDS {
        merges_lose_nothing(target, address, &stored, round).await;
    }
}

async fn merges_lose_nothing(
    target: &Target,
    address: SocketAddr,
    stored: &ApplicationDb,
    round: usize,
) {
    let id = format!("merged-{round}");
    let sent = (0..MERGES).map(|n| {
        let (id, key) = (id.clone(), format!("k{n}"));
        let protocol = target.protocol;
        tokio::spawn(async move {
            match protocol {
                Protocol::Rest => send_rest(address, &id, &key).await,
                Protocol::Grpc => send_grpc(address, &id, &key).await,
            }
        })
    });
    for sending in sent.collect::<Vec<_>>() {
        sending.await.unwrap();
    }
    let document = stored.attributes("Car", &id).await.unwrap().unwrap();
    assert_eq!(document.as_object().unwrap().len(), MERGES, "{document}");
}

async fn send_rest(address: SocketAddr, id: &str, key: &str) {
    let body = format!(
        r#"{{"eventHeader":{{"eventName":"CarCreated"}},"eventBody":{{"entities":[{{"entityType":"Car","entityId":"{id}","updatedAttributes":{{"{key}":1}}}}]}}}}"#
    );
    let answer = testkit::http::post_json(address, "/api/v1/events", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn send_grpc(address: SocketAddr, id: &str, key: &str) {
    let mut client = EventServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let entity = EntityUpdate {
        entity_type: "Car".into(),
        entity_id: id.into(),
        attributes_json: format!(r#"{{"{key}":1}}"#).into_bytes(),
        ..EntityUpdate::default()
    };
    let header = EventHeader {
        event_name: "CarCreated".into(),
        ..EventHeader::default()
    };
    let request = EventRequest {
        event_header: Some(header),
        event_body: Some(EventBody {
            entities: vec![entity],
        }),
    };
    client.process_event(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_over_rest_a_statement_an_event() {
    keeps_the_contract("producer-go-rest", "single").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_over_rest_in_batches() {
    keeps_the_contract("producer-go-rest", "batch").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_over_grpc_a_statement_an_event() {
    keeps_the_contract("producer-go-grpc", "single").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_over_grpc_in_batches() {
    keeps_the_contract("producer-go-grpc", "batch").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn java_over_rest() {
    keeps_the_contract("producer-java-rest", "single").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn java_over_grpc() {
    keeps_the_contract("producer-java-grpc", "single").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axum_and_sqlx() {
    keeps_the_contract("producer-axum-rest", "single").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tonic_and_sqlx() {
    keeps_the_contract("producer-tonic-sqlx", "single").await;
}
