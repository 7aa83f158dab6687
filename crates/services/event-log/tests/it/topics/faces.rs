//! Producing and consuming, as the contract has it.

use std::time::{Duration, Instant};

use api::takhin::{
    ConsumeMessagesRequest, CreateTopicRequest, DeleteTopicRequest, DescribeTopicsRequest,
    GetTopicRequest, HealthCheckRequest, ListTopicsRequest, ProduceMessageRequest, Record,
    RecordHeader,
};
use serde_json::json;
use testkit::http;
use tonic::Code;

use super::support::{Backend, Fixture, from, message, next, values};

const MEBIBYTE: usize = 1024 * 1024;

pub(super) async fn records_come_back_as_they_were_sent_also_after_a_restart(backend: &Backend) {
    let mut fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 3).await;
    let record = Record {
        key: "key".into(),
        value: vec![0, 255, 1].into(),
        headers: vec![
            RecordHeader {
                key: "h".into(),
                value: "1".into(),
            },
            RecordHeader {
                key: "h".into(),
                value: vec![0xff].into(),
            },
        ],
        timestamp: 1_700_000_000_000,
        // What a client says of these does not count.
        offset: 99,
        partition: 2,
    };
    for (offset, acks) in [0, 1, -1].into_iter().enumerate() {
        let request = ProduceMessageRequest {
            topic: "t".into(),
            partition: 1,
            record: Some(record.clone()),
            required_acks: acks,
            timeout_ms: 30_000,
        };
        let produced = client.produce(request).await.unwrap();
        assert_eq!((&*produced.topic, &*produced.error), ("t", ""));
        let answered = backend.answered(acks, offset as i64);
        assert_eq!((produced.partition, produced.offset), (1, answered));
        assert_eq!(produced.timestamp, record.timestamp);
    }
    client.put("t", 1, "later").await;
    for restarted in [false, true] {
        let client = fixture.client().await;
        let records = client.read("t", 1, 0, 4).await;
        assert_eq!(
            records[2],
            Record {
                offset: 2,
                partition: 1,
                ..record.clone()
            }
        );
        let now = time::OffsetDateTime::now_utc().unix_timestamp() * 1000;
        assert!(
            (now - records[3].timestamp).abs() < 60_000,
            "the server's time"
        );
        assert_eq!(client.offsets("t", 1).await, (0, 4));
        assert_eq!(client.offsets("t", 0).await, (0, 0));
        if !restarted {
            assert_eq!(
                fixture.service.terminate().code(),
                Some(0),
                "{}",
                fixture.service.log()
            );
            fixture.serve_again(backend);
        }
    }
}

pub(super) async fn keys_choose_the_partition_and_records_without_one_go_round(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 8).await;
    // As Kafka's default partitioner places them: toPositive(murmur2(key)) % 8.
    for (key, partition) in [("foobar", 6), ("21", 4), ("abc", 3), ("foobar", 6)] {
        let mut request = message("t", -1, "v");
        request.record.as_mut().unwrap().key = key.into();
        assert_eq!(
            client.produce(request).await.unwrap().partition,
            partition,
            "{key}"
        );
    }
    let mut seen = Vec::new();
    for _ in 0..16 {
        seen.push(
            client
                .produce(message("t", -1, "v"))
                .await
                .unwrap()
                .partition,
        );
    }
    seen.sort_unstable();
    assert_eq!(
        seen,
        (0..8)
            .flat_map(|partition| [partition; 2])
            .collect::<Vec<_>>()
    );
}

pub(super) async fn consuming_goes_on_with_what_comes(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 1).await;
    for value in ["a", "b", "c"] {
        client.put("t", 0, value).await;
    }
    let mut earliest = client.consume(from("t", 0, -1)).await.unwrap();
    let mut latest = client.consume(from("t", 0, -2)).await.unwrap();
    let mut second = client.consume(from("t", 0, 1)).await.unwrap();
    let mut end = client.consume(from("t", 0, 3)).await.unwrap();
    assert_eq!(values(&next(&mut earliest, 3).await), ["a", "b", "c"]);
    assert_eq!(values(&next(&mut second, 2).await), ["b", "c"]);
    for (offset, value) in [(3, "d"), (4, "e")] {
        assert_eq!(client.put("t", 0, value).await, offset);
        for stream in [&mut earliest, &mut latest, &mut second, &mut end] {
            let response = stream.message().await.unwrap().unwrap();
            assert_eq!((&*response.topic, response.partition), ("t", 0));
            assert_eq!(response.high_watermark, offset + 1);
            assert_eq!(values(&response.records), [value]);
        }
    }
}

pub(super) async fn bytes_and_waits_are_kept(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 1).await;
    for _ in 0..10 {
        client.put("t", 0, &"x".repeat(100)).await;
    }
    let limited = ConsumeMessagesRequest {
        max_bytes: 250,
        ..from("t", 0, 0)
    };
    let mut stream = client.consume(limited).await.unwrap();
    for _ in 0..5 {
        assert_eq!(stream.message().await.unwrap().unwrap().records.len(), 2);
    }
    // One record comes whatever its size.
    let limited = ConsumeMessagesRequest {
        max_bytes: 1,
        ..from("t", 0, 8)
    };
    let mut stream = client.consume(limited).await.unwrap();
    for _ in 0..2 {
        assert_eq!(stream.message().await.unwrap().unwrap().records.len(), 1);
    }
    // Held back until there is enough, or for so long.
    let held = ConsumeMessagesRequest {
        min_bytes: 250,
        max_wait_ms: 60_000,
        ..from("t", 0, 10)
    };
    let mut stream = client.consume(held).await.unwrap();
    for _ in 0..3 {
        client.put("t", 0, &"y".repeat(100)).await;
    }
    assert_eq!(stream.message().await.unwrap().unwrap().records.len(), 3);
    let held = ConsumeMessagesRequest {
        min_bytes: 1_000_000,
        max_wait_ms: 300,
        ..from("t", 0, 10)
    };
    let begun = Instant::now();
    let mut stream = client.consume(held).await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap().records.len(), 3);
    assert!(
        begun.elapsed() >= Duration::from_millis(290),
        "{:?}",
        begun.elapsed()
    );
}

pub(super) async fn a_consumer_that_asks_for_what_is_not_there_is_told(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 1).await;
    client.put("t", 0, "a").await;
    for (request, code) in [
        (from("u", 0, 0), Code::NotFound),
        (from("t", 1, 0), Code::NotFound),
        (from("t", 0, 2), Code::OutOfRange),
        (from("t", 0, -3), Code::InvalidArgument),
        (from("t", -1, 0), Code::InvalidArgument),
        (from("t", -2, 0), Code::InvalidArgument),
        (
            ConsumeMessagesRequest {
                max_bytes: -1,
                ..from("t", 0, 0)
            },
            Code::InvalidArgument,
        ),
        (
            ConsumeMessagesRequest {
                max_wait_ms: -1,
                ..from("t", 0, 0)
            },
            Code::InvalidArgument,
        ),
    ] {
        let status = client.consume(request.clone()).await.expect_err("refused");
        assert_eq!(status.code(), code, "{request:?} {status}");
    }
    // The topic goes while it is read.
    let mut stream = client.consume(from("t", 0, 0)).await.unwrap();
    next(&mut stream, 1).await;
    let name = "t".to_owned();
    let deleted = client
        .0
        .clone()
        .delete_topic(DeleteTopicRequest { name })
        .await
        .unwrap();
    assert!(deleted.into_inner().success);
    assert_eq!(
        stream.message().await.expect_err("the end").code(),
        Code::NotFound
    );
}

pub(super) async fn topics_are_described(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("b", 2).await;
    // Existing clients rely on it.
    client.create("a", 0).await;
    client.put("b", 1, "v").await;
    let mut grpc = client.0.clone();
    let names = grpc
        .list_topics(ListTopicsRequest {})
        .await
        .unwrap()
        .into_inner()
        .topics;
    assert_eq!(names, ["a", "b"]);
    let request = GetTopicRequest { name: "b".into() };
    let topic = grpc
        .get_topic(request)
        .await
        .unwrap()
        .into_inner()
        .topic
        .unwrap();
    assert_eq!((topic.num_partitions, topic.replication_factor), (2, 1));
    let partition = &topic.partitions[&1];
    // Ours is node 0; the one broker of the cluster says that it is 1.
    let node = i32::from(backend.is_kafka());
    assert_eq!(
        (partition.leader, &*partition.replicas, &*partition.isr),
        (node, &[node][..], &[node][..])
    );
    assert_eq!(
        (
            partition.partition_id,
            partition.beginning_offset,
            partition.end_offset
        ),
        (1, 0, 1)
    );
    let topics = vec!["b".into(), "none".into(), "a".into()];
    let request = DescribeTopicsRequest { topics };
    let described = grpc
        .describe_topics(request)
        .await
        .unwrap()
        .into_inner()
        .topics;
    let described: Vec<_> = described
        .iter()
        .map(|topic| (&*topic.name, topic.num_partitions))
        .collect();
    assert_eq!(described, [("b", 2), ("a", 1)]);
    let health = grpc
        .health_check(HealthCheckRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(health.status, "healthy");
    assert!(!health.version.is_empty());
    let replicated = CreateTopicRequest {
        name: "r".into(),
        replication_factor: 3,
        ..Default::default()
    };
    let refused = grpc.create_topic(replicated).await.unwrap().into_inner();
    let why = match backend {
        Backend::Files => "one copy",
        Backend::Kafka(_) => "replicationFactor is refused by Kafka",
    };
    assert!(refused.error.contains(why), "{}", refused.error);
}

pub(super) async fn a_record_may_have_ten_mebibytes(backend: &Backend) {
    let fixture = Fixture::on_with(backend, &[("REQUEST_TIMEOUT", "2m")]);
    let client = fixture.client().await;
    client.create("t", 1).await;
    let large = "x".repeat(10 * MEBIBYTE);
    assert_eq!(client.put("t", 0, &large).await, 0);
    assert_eq!(client.put("t", 0, "small").await, 1);
    for bytes in [10 * MEBIBYTE + 1, 11 * MEBIBYTE] {
        let refused = client.produce(message("t", 0, &"x".repeat(bytes))).await;
        assert_eq!(
            refused.expect_err("too large").code(),
            Code::ResourceExhausted,
            "{bytes}"
        );
    }
    let records = client.read("t", 0, 0, 2).await;
    assert!(records[0].value == large && records[1].value == "small");
    let address = fixture.service.http();
    for (bytes, status) in [(10 * MEBIBYTE, 200), (10 * MEBIBYTE + 1, 413)] {
        let body = json!({ "records": [{ "value": "x".repeat(bytes) }] }).to_string();
        let answer = http::post_json(address, "/api/v1/topics/t/records", body).await;
        assert_eq!(answer.status, status, "{bytes}");
    }
    let fetched = http::get(address, "/api/v1/topics/t/partitions/0/records?offset=2")
        .await
        .json();
    assert_eq!(
        fetched["records"][0]["value"].as_str().map(str::len),
        Some(10 * MEBIBYTE)
    );
}

#[tokio::test]
async fn retention_and_deletion_free_the_disk() {
    let fixture = Fixture::start_with(&[("TOPICS_RETENTION_INTERVAL", "100ms")]);
    let client = fixture.client().await;
    let configs = [("segment.bytes", "100000"), ("retention.bytes", "200000")];
    client.create_with("t", 1, &configs).await;
    let kibibyte = "x".repeat(1024);
    for _ in 0..1000 {
        client.put("t", 0, &kibibyte).await;
    }
    let (beginning, end) = client.offsets("t", 0).await;
    assert_eq!(end, 1000);
    assert!((600..900).contains(&beginning), "{beginning}");
    let logs = fixture.folder.path().join("topics/logs");
    let folder = logs.join("t/0");
    let bytes = || -> u64 {
        let entries = std::fs::read_dir(&folder).unwrap();
        entries
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum()
    };
    assert!(bytes() < 400_000, "{}", bytes());
    let status = client
        .consume(from("t", 0, 0))
        .await
        .expect_err("no longer there");
    assert_eq!(status.code(), Code::OutOfRange);
    let name = "t".to_owned();
    let deleted = client
        .0
        .clone()
        .delete_topic(DeleteTopicRequest { name })
        .await
        .unwrap();
    assert!(deleted.into_inner().success);
    assert_eq!(std::fs::read_dir(&logs).unwrap().count(), 0);
}
