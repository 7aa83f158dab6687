//! Chains anchored in a topic of Kafka: whoever has the disk cannot rewrite them unseen.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use testkit::http;
use testkit::kafka::Kafka;
use testkit::process::Service;

use crate::support::{BINARY, Client, serve};

const TOPIC: &str = "chain-anchors";

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

fn append(directory: &Path, partition: &str, entries: u32, what: &str) {
    for n in 0..entries {
        let data = json!({ "n": n, "what": what }).to_string();
        let directory = directory.to_str().unwrap();
        let appended = run(&["append", "--dir", directory, partition, &data]);
        assert!(appended.status.success(), "{appended:?}");
    }
}

/// What the topic of anchors has for a chain: numbers of entries, in order.
async fn anchored(service: &Service, partition: &str) -> Vec<u64> {
    let path = format!("/api/v1/topics/{TOPIC}/partitions/0/records?offset=0");
    let records = http::get(service.http(), &path).await.json();
    let records = records["records"].as_array().unwrap();
    let of_it = records.iter().filter(|record| record["key"] == partition);
    let anchors = of_it.map(|record| {
        let value = record["value"].as_str().unwrap();
        serde_json::from_str::<Value>(value).unwrap()["seq"]
            .as_u64()
            .unwrap()
    });
    anchors.collect()
}

async fn verified(service: &Service, partition: &str) -> Value {
    let path = format!("/api/v1/logs/{partition}/verify");
    http::get(service.http(), &path).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_was_computed_anew_or_cut_is_found_by_its_anchors_in_kafka() {
    let Some(kafka) = Kafka::start(1) else { return };
    let folder = TempDir::new().unwrap();
    let directory = folder.path();
    let settings = [
        ("TOPICS_BACKEND", "kafka"),
        ("KAFKA_BROKERS", kafka.brokers()),
        ("ANCHOR_TOPIC", TOPIC),
        ("ANCHOR_INTERVAL", "100ms"),
    ];
    let mut service = serve(directory, &settings);
    let client = Client::connect(&service).await;
    for partition in ["orders", "bills", "kept"] {
        for n in 0..5 {
            let data = json!({ "n": n }).to_string();
            assert!(client.append(partition, &data).await.unwrap().success);
        }
        eventually("the head is anchored", async || {
            anchored(&service, partition).await.last() == Some(&4)
        })
        .await;
        let found = verified(&service, partition).await;
        assert_eq!(found["valid"], true, "{found}");
    }
    // What was appended just before the stop is anchored at the stop.
    assert!(client.append("kept", "5").await.unwrap().success);
    assert!(service.terminate().success(), "{}", service.log());

    // The thief computes one chain anew, longer than it was, and cuts another.
    let file = |name: &str| directory.join(format!("{name}.jsonl"));
    fs::remove_file(file("orders")).unwrap();
    append(directory, "orders", 7, "forged");
    let text = fs::read_to_string(file("bills")).unwrap();
    let first: String = text.split_inclusive('\n').take(3).collect();
    fs::write(file("bills"), first).unwrap();
    let at = directory.to_str().unwrap();
    for name in ["orders", "bills"] {
        let alone = run(&["verify", "--dir", at, name]);
        assert!(
            alone.status.success(),
            "a chain alone proves nothing: {alone:?}"
        );
    }

    let against = |name: &str| {
        run(&[
            "verify",
            "--dir",
            at,
            "--anchor-topic",
            TOPIC,
            "--kafka-brokers",
            kafka.brokers(),
            name,
        ])
    };
    for (name, told) in [
        ("orders", "the chain was rewritten"),
        ("bills", "the chain was cut"),
    ] {
        let found = against(name);
        let said = String::from_utf8_lossy(&found.stdout).into_owned();
        assert_eq!(found.status.code(), Some(1), "{said}");
        assert!(said.contains(told) && said.contains(TOPIC), "{said}");
    }
    let kept = against("kept");
    assert!(kept.status.success(), "{kept:?}");

    let mut service = serve(directory, &settings);
    assert_eq!(anchored(&service, "kept").await.last(), Some(&5));
    let before = anchored(&service, "orders").await;
    let client = Client::connect(&service).await;
    for (name, told) in [
        ("orders", "the chain was rewritten"),
        ("bills", "the chain was cut"),
    ] {
        let found = verified(&service, name).await;
        assert_eq!(found["valid"], false, "{found}");
        assert!(found["error"].as_str().unwrap().contains(told), "{found}");
        let request = api::immutable_log::VerifyRequest {
            partition: name.to_owned(),
        };
        let same = client.0.clone().verify(request).await.unwrap().into_inner();
        assert!(!same.valid && same.error.contains(told), "{same:?}");
    }
    // A chain that goes on is anchored; the forged one is not, since that would hide what happened.
    assert!(client.append("orders", "7").await.unwrap().success);
    assert!(client.append("kept", "6").await.unwrap().success);
    eventually("the chain that was kept is anchored", async || {
        anchored(&service, "kept").await.last() == Some(&6)
    })
    .await;
    assert_eq!(anchored(&service, "orders").await, before);
    service.told("it is not anchored any more");
    assert!(service.terminate().success(), "{}", service.log());
}

#[test]
fn anchors_beside_the_chains_are_refused_at_the_start_and_kafka_is_named() {
    let folder = TempDir::new().unwrap();
    let environment = [
        ("EVENT_LOG_DIR", folder.path().to_str().unwrap()),
        ("ANCHOR_TOPIC", TOPIC),
    ];
    let mut service = Service::spawn(BINARY, &["serve"], &environment);
    assert_eq!(service.wait().code(), Some(1), "{}", service.log());
    service.told("ANCHOR_TOPIC needs TOPICS_BACKEND=kafka");
}
