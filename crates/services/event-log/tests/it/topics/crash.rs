//! SIGKILL under load, and files that are damaged.

use std::collections::HashMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::takhin::{ProduceMessageRequest, Record};
use tempfile::TempDir;
use tonic::Code;

use super::support::{Client, Fixture, from, message, next, serve};

const SENDERS: i32 = 20;
const PARTITIONS: i32 = 3;

/// By partition and offset, the values that were acknowledged.
type Acknowledged = HashMap<(i32, i64), String>;

async fn send_until_it_breaks(
    client: Client,
    sender: i32,
    round: i32,
    count: Arc<AtomicU64>,
) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    for n in 0.. {
        let value = format!("{round}-{sender}-{n}");
        let request = ProduceMessageRequest {
            required_acks: -1,
            ..message("t", sender % PARTITIONS, &value)
        };
        match client.produce(request).await {
            Ok(produced) => {
                assert_eq!(produced.error, "");
                acknowledged.insert((produced.partition, produced.offset), value);
                count.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => break,
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_kill_9() {
    let folder = TempDir::new().unwrap();
    let configs = [("segment.bytes", "20000")];
    let mut acknowledged = Acknowledged::new();
    for round in 0..4 {
        let mut service = serve(folder.path(), &[]);
        let client = Client::connect(&service).await;
        if round == 0 {
            client.create_with("t", PARTITIONS, &configs).await;
        }
        for partition in 0..PARTITIONS {
            let (_, end) = client.offsets("t", partition).await;
            if end == 0 {
                continue;
            }
            let records = client
                .read("t", partition, 0, usize::try_from(end).unwrap())
                .await;
            let mut seen: HashMap<&[u8], i64> = HashMap::new();
            for (record, offset) in records.iter().zip(0..) {
                assert_eq!(record.offset, offset);
                assert_eq!(seen.insert(&record.value, offset), None, "there twice");
            }
            let here = acknowledged.iter().filter(|((of, _), _)| *of == partition);
            for ((_, offset), value) in here {
                assert_eq!(seen.get(value.as_bytes()), Some(offset), "{value}");
            }
        }
        let count = Arc::new(AtomicU64::new(0));
        let senders = (0..SENDERS).map(|sender| {
            let count = Arc::clone(&count);
            tokio::spawn(send_until_it_breaks(client.clone(), sender, round, count))
        });
        let senders: Vec<_> = senders.collect();
        testkit::eventually("300 records are acknowledged", async || {
            count.load(Ordering::Relaxed) >= 300
        })
        .await;
        service.kill();
        let before = acknowledged.len();
        for sender in senders {
            acknowledged.extend(sender.await.unwrap());
        }
        assert!(acknowledged.len() > before, "{}", service.log());
    }
}

fn only_segment(folder: &Path) -> PathBuf {
    folder.join("topics/logs/t/0/00000000000000000000.log")
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_reported() {
    let mut fixture = Fixture::start();
    let client = fixture.client().await;
    client.create("t", 1).await;
    for n in 0..10 {
        client.put("t", 0, &n.to_string()).await;
    }
    fixture.service.kill();
    let path = only_segment(fixture.folder.path());
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let whole = file.metadata().unwrap().len();
    file.set_len(whole - 20).unwrap();
    fixture.service = serve(fixture.folder.path(), &[]);
    let log = fixture.service.log();
    let line = log.lines().find(|line| line.contains("a torn tail is cut"));
    let line: serde_json::Value = serde_json::from_str(line.expect("a line of the log")).unwrap();
    let text = line.to_string();
    assert!(text.contains("00000000000000000000.log"), "{text}");
    // 45 bytes a record, of which 20 are gone.
    assert!(
        text.contains(r#""offset":9"#) && text.contains(r#""bytes":25"#),
        "{text}"
    );
    let client = fixture.client().await;
    assert_eq!(client.offsets("t", 0).await, (0, 9));
    assert_eq!(client.put("t", 0, "new").await, 9);
    assert_eq!(client.read("t", 0, 8, 2).await[1].value, "new");
}

#[tokio::test]
async fn damage_is_told_to_those_who_read_it_and_others_go_on() {
    for crash in [true, false] {
        let mut fixture = Fixture::start();
        let client = fixture.client().await;
        client.create("t", 2).await;
        for n in 0..10 {
            client.put("t", 0, &n.to_string()).await;
            client.put("t", 1, &n.to_string()).await;
        }
        if crash {
            fixture.service.kill();
        } else {
            fixture.service.terminate();
        }
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(only_segment(fixture.folder.path()))
            .unwrap();
        // The value of record 4.
        file.write_all_at(b"x", 5 * 45 - 1).unwrap();
        fixture.service = serve(fixture.folder.path(), &[]);
        let client = fixture.client().await;
        let mut stream = client.consume(from("t", 0, 0)).await.unwrap();
        assert_eq!(next(&mut stream, 4).await.len(), 4);
        let status = stream.message().await.expect_err("damage");
        assert_eq!(status.code(), Code::DataLoss);
        assert!(status.message().contains("offset 4"), "{status}");
        let line = fixture.service.told("damaged");
        assert!(
            line.contains("00000000000000000000.log") && line.contains(r#""offset":4"#),
            "{line}"
        );
        // Over REST too; other records and partitions are read on.
        let path = "/api/v1/topics/t/partitions/0/records?offset=4";
        assert_eq!(
            testkit::http::get(fixture.service.http(), path)
                .await
                .status,
            500
        );
        assert_eq!(client.read("t", 0, 5, 5).await[0].value, "5");
        assert_eq!(client.read("t", 1, 0, 10).await.len(), 10);
        assert_eq!(client.put("t", 0, "new").await, 10);
    }
}

#[tokio::test]
async fn ten_thousand_partitions_cost_neither_files_nor_threads() {
    // Files that were synced take some file systems long to remove.
    let mut fixture = Fixture::start_with(&[("TOPICS_SYNC_INTERVAL", "1h")]);
    let client = fixture.client().await;
    client.create("t", 10_000).await;
    // Each is two files and a folder: enough of them.
    let messages = (0..10_000)
        .step_by(4)
        .map(|partition| ProduceMessageRequest {
            topic: "t".into(),
            partition,
            record: Some(Record {
                value: "v".into(),
                ..Record::default()
            }),
            ..ProduceMessageRequest::default()
        });
    let stream = tokio_stream::iter(messages.collect::<Vec<_>>());
    let mut answers = client
        .0
        .clone()
        .produce_message_stream(stream)
        .await
        .unwrap()
        .into_inner();
    let mut count = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(
            (answer.partition, answer.offset, &*answer.error),
            (4 * count, 0, "")
        );
        count += 1;
    }
    assert_eq!(count, 2_500);
    let process = PathBuf::from(format!("/proc/{}", fixture.service.pid()));
    let entries = |name: &str| std::fs::read_dir(process.join(name)).unwrap().count();
    assert!(entries("fd") < 1000, "{}", entries("fd"));
    assert!(entries("task") < 600, "{}", entries("task"));
    fixture.service.kill();
    fixture.service = serve(fixture.folder.path(), &[]);
    let client = fixture.client().await;
    assert_eq!(client.offsets("t", 9_996).await, (0, 1));
}
