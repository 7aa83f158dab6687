//! The event log over REST.

use anyhow::{Context, Result, bail, ensure};
use api::takhin::{Record, RecordHeader};
use bytes::Bytes;
use http::{Method, StatusCode};
use lab_model::endpoint::Endpoint;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::records::{Entry, READ_BYTES, header};
use crate::http::request;
use crate::verify::wire::LIMIT;

/// Entries that are asked for at a time.
const ENTRIES: u64 = 10_000;

/// Topics: `/api/v1/topics`.
pub(crate) struct RestTopics {
    at: Endpoint,
    topics: String,
}

/// Chains: `/api/v1/logs`.
pub(crate) struct RestChain {
    at: Endpoint,
    logs: String,
}

/// What is before `mark` in a path.
fn before(path: &str, mark: &str) -> Result<String> {
    let (before, _) = path
        .split_once(&format!("/{mark}"))
        .with_context(|| format!("rest.path {path}: write .../{mark}"))?;
    Ok(before.to_owned())
}

/// Sends one request; an error where it is answered with another status than these.
async fn ask(
    at: &Endpoint,
    method: Method,
    path: &str,
    body: Option<Value>,
    expected: &[StatusCode],
) -> Result<Bytes> {
    let body = body.map(|body| Bytes::from(body.to_string()));
    let (status, answer) = request(at, method.clone(), path, body, LIMIT).await?;
    ensure!(
        expected.contains(&status),
        "{method} {path} answered {status}: {}",
        String::from_utf8_lossy(&answer[..answer.len().min(200)])
    );
    Ok(answer)
}

fn read<T: DeserializeOwned>(what: &str, answer: &[u8]) -> Result<T> {
    serde_json::from_slice(answer).with_context(|| format!("the answer to {what}"))
}

#[derive(Deserialize)]
struct Produced {
    records: Vec<Offset>,
}

#[derive(Deserialize)]
struct Offset {
    offset: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fetched {
    high_watermark: i64,
    records: Vec<Stored>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    offset: i64,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    headers: Vec<Header>,
}

#[derive(Deserialize)]
struct Header {
    key: String,
    #[serde(default)]
    value: Option<String>,
}

#[derive(Deserialize)]
struct Topic {
    partitions: Vec<Ends>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ends {
    partition_id: i32,
    beginning_offset: i64,
}

impl RestTopics {
    pub(super) fn of(path: &str, at: &Endpoint) -> Result<Self> {
        Ok(Self {
            at: at.clone(),
            topics: before(path, "{topic}")?,
        })
    }

    pub(super) async fn create(&self, name: &str, partitions: i32) -> Result<()> {
        let body = json!({ "name": name, "numPartitions": partitions });
        let created = [StatusCode::CREATED];
        ask(&self.at, Method::POST, &self.topics, Some(body), &created).await?;
        Ok(())
    }

    pub(super) async fn delete(&self, name: &str) -> Result<()> {
        let path = format!("{}/{name}", self.topics);
        let done = [StatusCode::OK, StatusCode::NO_CONTENT];
        ask(&self.at, Method::DELETE, &path, None, &done).await?;
        Ok(())
    }

    pub(super) async fn produce(&self, topic: &str, partition: i32, value: &str) -> Result<i64> {
        let path = format!("{}/{topic}/records", self.topics);
        let header = header();
        let header = json!({
            "key": header.key,
            "value": String::from_utf8_lossy(&header.value),
        });
        let record = json!({ "partition": partition, "value": value, "headers": [header] });
        let body = json!({ "records": [record], "acks": -1 });
        let done = [StatusCode::OK, StatusCode::CREATED];
        let answer = ask(&self.at, Method::POST, &path, Some(body), &done).await?;
        let Produced { records } = read("records that were produced", &answer)?;
        match records[..] {
            [Offset { offset }] => Ok(offset),
            _ => bail!("{} offsets for one record", records.len()),
        }
    }

    /// All records that a partition holds now. An error where offsets have gaps.
    pub(super) async fn read(&self, topic: &str, partition: i32) -> Result<Vec<Record>> {
        let path = format!("{}/{topic}", self.topics);
        let answer = ask(&self.at, Method::GET, &path, None, &[StatusCode::OK]).await?;
        let Topic { partitions } = read("a topic", &answer)?;
        let ends = partitions.iter().find(|one| one.partition_id == partition);
        let mut next = ends
            .with_context(|| format!("topic {topic} has no partition {partition}"))?
            .beginning_offset;
        let mut all = Vec::new();
        loop {
            let path = format!(
                "{}/{topic}/partitions/{partition}/records?offset={next}&maxBytes={READ_BYTES}&maxWaitMs=0",
                self.topics
            );
            let answer = ask(&self.at, Method::GET, &path, None, &[StatusCode::OK]).await?;
            let found: Fetched = read("records", &answer)?;
            let before = next;
            for stored in found.records {
                ensure!(
                    stored.offset == next,
                    "partition {partition}: offset {} came, not {next}",
                    stored.offset
                );
                next += 1;
                all.push(stored.record());
            }
            if next >= found.high_watermark {
                return Ok(all);
            }
            ensure!(
                next > before,
                "partition {partition}: nothing came at offset {next}"
            );
        }
    }
}

impl Stored {
    fn record(self) -> Record {
        let headers = self.headers.into_iter().map(|header| RecordHeader {
            key: header.key,
            value: header.value.unwrap_or_default().into_bytes().into(),
        });
        Record {
            offset: self.offset,
            value: self.value.unwrap_or_default().into_bytes().into(),
            headers: headers.collect(),
            ..Record::default()
        }
    }
}

#[derive(Deserialize)]
struct Appended {
    seq: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    valid: bool,
    entries_verified: u64,
    error: Option<String>,
}

/// A line of a partition.
#[derive(Deserialize)]
struct Line {
    seq: u64,
    ts: String,
    prev_hash: String,
    data: Box<RawValue>,
    hash: String,
}

impl RestChain {
    pub(super) fn of(path: &str, at: &Endpoint) -> Result<Self> {
        Ok(Self {
            at: at.clone(),
            logs: before(path, "{partition}")?,
        })
    }

    pub(super) async fn append(&self, partition: &str, data: &str) -> Result<u64> {
        let path = format!("{}/{partition}", self.logs);
        // As it is: it may be no JSON on purpose.
        let body = Some(Bytes::from(data.to_owned()));
        let (status, answer) = request(&self.at, Method::POST, &path, body, LIMIT).await?;
        ensure!(
            status == StatusCode::CREATED,
            "POST {path} answered {status}"
        );
        let Appended { seq } = read("an append", &answer)?;
        Ok(seq)
    }

    /// How many entries the service has verified; an error where it found a fault.
    pub(super) async fn verify(&self, partition: &str) -> Result<u64> {
        let path = format!("{}/{partition}/verify", self.logs);
        let answer = ask(&self.at, Method::GET, &path, None, &[StatusCode::OK]).await?;
        let found: Verified = read("a verification", &answer)?;
        ensure!(found.valid, "verify: {}", found.error.unwrap_or_default());
        Ok(found.entries_verified)
    }

    /// All entries of a partition.
    pub(super) async fn read(&self, partition: &str) -> Result<Vec<Entry>> {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let start = all.last().map_or(0, |entry| entry.seq + 1);
            let path = format!("{}/{partition}?start={start}&limit={ENTRIES}", self.logs);
            let answer = ask(&self.at, Method::GET, &path, None, &[StatusCode::OK]).await?;
            let before = all.len();
            for line in answer
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
            {
                let line: Line = read("a read of entries", line)?;
                all.push(Entry {
                    seq: line.seq,
                    timestamp: line.ts,
                    prev_hash: line.prev_hash,
                    data: line.data.get().to_owned(),
                    hash: line.hash,
                });
            }
            if all.len() - before < ENTRIES as usize {
                return Ok(all);
            }
        }
    }
}
