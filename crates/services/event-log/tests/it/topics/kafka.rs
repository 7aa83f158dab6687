//! Topics on Apache Kafka: the cases of both backends, and what only brokers can do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use api::takhin::{
    DeleteConsumerGroupRequest, DeleteTopicRequest, GetTopicRequest, ListConsumerGroupsRequest,
    ListTopicsRequest, ProduceMessageRequest,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use testkit::kafka::Kafka;
use tonic::Code;

use super::backends;
use super::groups::stable;
use super::support::{Backend, Client, Fixture, eventually, from, message, next, values};

/// Removes what a case before left.
pub(super) async fn clear(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let mut client = fixture.client().await.0;
    let topics = client.list_topics(ListTopicsRequest {}).await.unwrap();
    for name in topics.into_inner().topics {
        let request = DeleteTopicRequest { name };
        client.delete_topic(request).await.unwrap();
    }
    // Members leave a moment after their streams end.
    eventually(async || {
        let mut client = client.clone();
        let listed = client.list_consumer_groups(ListConsumerGroupsRequest {});
        let groups = listed.await.unwrap().into_inner().groups;
        for group in &groups {
            let group_id = group.group_id.clone();
            let request = DeleteConsumerGroupRequest { group_id };
            client.delete_consumer_group(request).await.unwrap();
        }
        groups.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_case_holds_and_groups_are_those_of_kafka() {
    let Some(kafka) = Kafka::start(1) else { return };
    let ended = backends::on_kafka(kafka.brokers()).await;
    let failed: Vec<_> = ended.iter().filter(|(_, is_ok)| !is_ok).collect();
    assert!(failed.is_empty(), "{failed:?}");

    let backend = Backend::Kafka(kafka.brokers().to_owned());
    clear(&backend).await;
    members_share_the_partitions_and_commits_are_read_back(&backend).await;
    clear(&backend).await;
    what_kafka_refuses_is_the_callers_fault(&backend).await;
    a_broker_that_is_gone_is_told_and_heals(&kafka, &backend).await;
}

/// Two replicas of the service, a member at each.
async fn members_share_the_partitions_and_commits_are_read_back(backend: &Backend) {
    let (here, there) = (Fixture::on(backend), Fixture::on(backend));
    let (client, other) = (here.client().await, there.client().await);
    client.create("t", 4).await;
    for partition in 0..4 {
        client.put("t", partition, "a").await;
        client.put("t", partition, "b").await;
    }
    // Nobody reads: anybody may commit, at either replica.
    assert_eq!(client.commit("g", "t", 0, 1).await, "");
    assert_eq!(other.commit("g", "t", 1, 1).await, "");
    let mut one = client.join("g", "one", from("t", -1, -1)).await.unwrap();
    let first = next(&mut one, 6).await;
    let mut read = BTreeMap::new();
    for record in &first {
        read.entry(record.partition)
            .or_insert_with(Vec::new)
            .push(record.offset);
    }
    let expected = [(0, vec![1]), (1, vec![1]), (2, vec![0, 1]), (3, vec![0, 1])];
    assert_eq!(read, BTreeMap::from(expected));
    assert_eq!(stable(&client, "g", 1).await["one"], [0, 1, 2, 3]);
    // Through the process that holds the member's stream; the other is told where.
    for partition in 0..4 {
        assert_eq!(client.commit("g", "t", partition, 2).await, "");
    }
    let refused = other.commit("g", "t", 0, 0).await;
    assert!(
        refused.contains("has members that read elsewhere"),
        "{refused}"
    );

    let mut two = other.join("g", "two", from("t", -1, -1)).await.unwrap();
    // Members take part while their streams are read.
    let reading = tokio::spawn(async move {
        let records = next(&mut two, 2).await;
        (two, records)
    });
    let staying = tokio::spawn(async move {
        let records = next(&mut one, 2).await;
        (one, records)
    });
    let shared = stable(&client, "g", 2).await;
    let mut all = [&*shared["one"], &*shared["two"]].concat();
    all.sort_unstable();
    assert_eq!((all, shared["one"].len()), (vec![0, 1, 2, 3], 2));
    for partition in 0..4 {
        client.put("t", partition, "new").await;
    }
    let (two, at_two) = reading.await.unwrap();
    let (one, at_one) = staying.await.unwrap();
    for (records, member) in [(&at_one, "one"), (&at_two, "two")] {
        assert_eq!(values(records), ["new", "new"], "{member}");
        let mut partitions: Vec<_> = records.iter().map(|record| record.partition).collect();
        partitions.sort_unstable();
        assert_eq!(partitions, shared[member], "{member}");
    }
    // Each replica commits what its member reads; both see it.
    for (client, member) in [(&client, "one"), (&other, "two")] {
        for partition in &shared[member] {
            assert_eq!(client.commit("g", "t", *partition, 3).await, "", "{member}");
        }
    }
    let group = testkit::http::get(there.service.http(), "/api/v1/groups/g")
        .await
        .json();
    for offset in group["offsets"].as_array().unwrap() {
        assert_eq!(offset["offset"], 3, "{group}");
    }
    // One leaves: the other gets its partitions, where they were committed.
    drop(one);
    let mut two = two;
    let reading = tokio::spawn(async move { next(&mut two, 4).await });
    assert_eq!(stable(&other, "g", 1).await["two"], [0, 1, 2, 3]);
    for partition in 0..4 {
        client.put("t", partition, "last").await;
    }
    assert_eq!(values(&reading.await.unwrap()), ["last"; 4]);
}

async fn what_kafka_refuses_is_the_callers_fault(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 1).await;
    // Kafka's own limit is an hour.
    let mut ahead = message("t", 0, "v");
    let now = time::OffsetDateTime::now_utc().unix_timestamp() * 1000;
    ahead.record.as_mut().unwrap().timestamp = now + 2 * 3600 * 1000;
    let refused = client.produce(ahead).await.unwrap().error;
    assert!(
        refused.starts_with("record.timestamp is farther"),
        "{refused}"
    );
    // Kafka's least is 1 MiB.
    let body = r#"{"name":"small","configs":{"segment.bytes":"1000"}}"#.to_owned();
    let refused = testkit::http::post_json(fixture.service.http(), "/api/v1/topics", body).await;
    assert_eq!(refused.status, 400);
    let why = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(why.starts_with("configs is refused by Kafka"), "{why}");
}

async fn a_broker_that_is_gone_is_told_and_heals(kafka: &Kafka, backend: &Backend) {
    clear(backend).await;
    let fixture = Fixture::on_with(backend, &[("REQUEST_TIMEOUT", "2s")]);
    let client = fixture.client().await;
    client.create("t", 1).await;
    client.put("t", 0, "before").await;
    let mut stream = client.consume(from("t", 0, -1)).await.unwrap();
    assert_eq!(values(&next(&mut stream, 1).await), ["before"]);
    kafka.kill(1);
    let begun = Instant::now();
    let acks_all = ProduceMessageRequest {
        required_acks: -1,
        ..message("t", 0, "lost")
    };
    let refused = client.produce(acks_all).await.expect_err("no broker");
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    let request = GetTopicRequest { name: "t".into() };
    let refused = client
        .0
        .clone()
        .get_topic(request)
        .await
        .expect_err("no broker");
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    // Two calls, each within its timeout, on a busy machine.
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    let healthy = async |status: u16| {
        eventually(async || {
            let answer = testkit::http::get(fixture.service.http(), "/health").await;
            (answer.status == status).then_some(())
        })
        .await;
    };
    healthy(503).await;
    kafka.start_again(1);
    healthy(200).await;
    let after = ProduceMessageRequest {
        required_acks: -1,
        ..message("t", 0, "after")
    };
    eventually(async || client.produce(after.clone()).await.ok()).await;
    // The stream was open all the while.
    loop {
        if values(&next(&mut stream, 1).await).contains(&"after") {
            break;
        }
    }
}

/// A token that nobody signed, as the brokers of tests take it.
fn token(subject: &str) -> String {
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = now.as_secs();
    let claims = format!(r#"{{"sub":"{subject}","iat":{now},"exp":{}}}"#, now + 3600);
    format!("{}.{}.", encoded(r#"{"alg":"none"}"#), encoded(&claims))
}

#[tokio::test]
async fn tls_and_each_way_to_say_who_we_are_are_spoken_and_wrong_credentials_end_at_once() {
    let Some(kafka) = Kafka::start_secure(1) else {
        return;
    };
    let folder = tempfile::TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (password, token) = (kafka.setting("KAFKA_PASSWORD"), token("weir"));
    let right = file("password", &format!("{password}\n"));
    let wrong = file("wrong-password", "wrong");
    let (good, bad) = (file("token", &token), file("bad-token", "no.token.x"));
    let user = kafka.setting("KAFKA_USER");
    let tls = || {
        vec![
            ("TOPICS_BACKEND", "kafka"),
            ("KAFKA_BROKERS", kafka.setting("KAFKA_SECURE_BROKERS")),
            ("KAFKA_TLS", "true"),
            ("KAFKA_TLS_CA", kafka.setting("KAFKA_CA")),
        ]
    };
    let by_password = |mechanism, file| {
        let more = [
            ("KAFKA_SASL_MECHANISM", mechanism),
            ("KAFKA_SASL_USERNAME", user),
            ("KAFKA_SASL_PASSWORD_FILE", file),
        ];
        [tls(), more.to_vec()].concat()
    };
    let by_token = |file| {
        let more = [
            ("KAFKA_SASL_MECHANISM", "oauthbearer"),
            ("KAFKA_SASL_TOKEN_FILE", file),
        ];
        [tls(), more.to_vec()].concat()
    };
    for (name, taken, refused) in [
        (
            "plain",
            by_password("plain", &right),
            by_password("plain", &wrong),
        ),
        (
            "scram-sha-256",
            by_password("scram-sha-256", &right),
            by_password("scram-sha-256", &wrong),
        ),
        (
            "scram-sha-512",
            by_password("scram-sha-512", &right),
            by_password("scram-sha-512", &wrong),
        ),
        ("oauthbearer", by_token(&good), by_token(&bad)),
    ] {
        let fixture = Fixture::start_with(&taken);
        let client = fixture.client().await;
        client.create(name, 1).await;
        assert_eq!(client.put(name, 0, "v").await, 0, "{name}");
        // A member has connections of its own.
        let first = from(name, -1, -1);
        let mut member = client.join("g", "c", first).await.unwrap();
        assert_eq!(values(&next(&mut member, 1).await), ["v"], "{name}");
        let log = fixture.service.log();
        for secret in [password, &token] {
            assert!(!log.contains(secret), "{name}: a log has the secret");
        }
        ends_at_once(name, refused).await;
    }
}

/// It is not tried for 30 s, as brokers that do not answer are.
async fn ends_at_once(name: &str, settings: Vec<(&str, &str)>) {
    let folder = tempfile::TempDir::new().unwrap();
    let mut environment = settings;
    environment.push(("EVENT_LOG_DIR", folder.path().to_str().unwrap()));
    let begun = Instant::now();
    let mut service = testkit::Service::spawn(crate::support::BINARY, &["serve"], &environment);
    let ended = tokio::task::spawn_blocking(move || {
        let status = service.wait();
        service.told("KAFKA_BROKERS localhost:");
        (status, service.log())
    });
    let (status, log) = ended.await.unwrap();
    assert_eq!(status.code(), Some(1), "{name}: {log}");
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{name}: {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn with_one_of_three_brokers_killed_under_load_what_is_acknowledged_is_read_once() {
    let Some(kafka) = Kafka::start(3) else { return };
    let backend = Backend::Kafka(kafka.brokers().to_owned());
    let fixture = Fixture::on_with(&backend, &[("REQUEST_TIMEOUT", "20s")]);
    let client = fixture.client().await;
    let request = api::takhin::CreateTopicRequest {
        name: "t".into(),
        num_partitions: 6,
        replication_factor: 3,
        ..Default::default()
    };
    let made = client
        .0
        .clone()
        .create_topic(request)
        .await
        .unwrap()
        .into_inner();
    assert!(made.success, "{}", made.error);
    let isr = async |client: &Client| {
        let request = GetTopicRequest { name: "t".into() };
        let topic = client
            .0
            .clone()
            .get_topic(request)
            .await
            .ok()?
            .into_inner()
            .topic?;
        let partitions = topic.partitions.into_values();
        Some(
            partitions
                .map(|partition| partition.isr.len())
                .collect::<Vec<_>>(),
        )
    };
    eventually(async || (isr(&client).await? == [3; 6]).then_some(())).await;

    let done = Arc::new(AtomicBool::new(false));
    let writers = (0..8).map(|writer| {
        let (client, done) = (client.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                let value = format!("{writer}-{number}");
                number += 1;
                let request = ProduceMessageRequest {
                    required_acks: -1,
                    ..message("t", -1, &value)
                };
                // What is refused may be stored all the same: nothing is said of it.
                if client
                    .produce(request)
                    .await
                    .is_ok_and(|answer| answer.error.is_empty())
                {
                    acknowledged.push(value);
                }
            }
            acknowledged
        })
    });
    let writers: Vec<_> = writers.collect();
    let end = async |client: &Client| {
        let mut records = 0;
        for partition in 0..6 {
            let request = api::takhin::GetPartitionOffsetsRequest {
                topic: "t".into(),
                partition,
            };
            let offsets = client.0.clone().get_partition_offsets(request).await.ok()?;
            records += offsets.into_inner().end_offset;
        }
        Some(records)
    };
    let grown = async |by: i64| {
        let before = eventually(async || end(&client).await).await;
        eventually(async || (end(&client).await? >= before + by).then_some(())).await;
    };
    grown(300).await;
    kafka.kill(2);
    // Leaders move, and writing goes on with two.
    eventually(async || (isr(&client).await? == [2; 6]).then_some(())).await;
    grown(300).await;
    kafka.start_again(2);
    grown(300).await;
    done.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    let mut found = BTreeMap::new();
    for partition in 0..6 {
        let (beginning, end) = client.offsets("t", partition).await;
        let count = usize::try_from(end - beginning).unwrap();
        for value in values(&client.read("t", partition, beginning, count).await) {
            *found.entry(value.to_owned()).or_insert(0) += 1;
        }
    }
    assert!(acknowledged.len() >= 900, "{}", acknowledged.len());
    for value in &acknowledged {
        assert_eq!(found.get(value), Some(&1), "{value}");
    }
    let twice: Vec<_> = found.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
