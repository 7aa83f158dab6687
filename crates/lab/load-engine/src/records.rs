//! The records of scenario `log`: one at the end of a topic or of a hash-chained partition, over gRPC or REST. They are those
//! of the k6 scripts (`load-test/k6/lib/records.js`), so that one audit reads both back.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context, ensure};
use api::immutable_log::{AppendRequest, AppendResponse};
use api::takhin::{
    CreateTopicRequest, CreateTopicResponse, ProduceMessageRequest, ProduceMessageResponse, Record,
};
use bytes::BytesMut;
use prost::Message;
use serde::Deserialize;

use crate::protocol::grpc::{GrpcCaller, GrpcConnection, WINDOWS, framed};
use crate::protocol::http1::HttpCaller;
use crate::protocol::{Caller, Endpoint, Protocol, Wording};
use crate::stop::Stop;
use crate::tally::{RequestOutcome, Wire};

/// Partitions of a run's topic. A worker writes to one of them, so that its records are in order there.
const PARTITIONS: usize = 4;
/// About the size of an event, bytes.
const BYTES: usize = 400;
/// Every record is on the disk before it is answered.
const ACKS: i32 = -1;
/// How long a server may wait for its disk, milliseconds.
const DISK_MS: i32 = 5000;

/// Where a REST path has the run's topic, or its partition.
const TOPIC: &str = "{topic}";
const PARTITION: &str = "{partition}";

/// What is appended.
#[derive(Clone, Debug)]
pub struct RecordPlan {
    /// The label of the run: the name of its topic or partition.
    pub run_id: String,
}

/// What a target keeps records in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Topic,
    Chain,
}

impl Kind {
    /// What the calls at this path append to.
    fn of(wording: Wording<'_>) -> anyhow::Result<Self> {
        let path = wording.path;
        let (topic, chain) = match wording.protocol {
            Protocol::Rest => (path.contains(TOPIC), path.contains(PARTITION)),
            Protocol::Grpc => (path.ends_with("/ProduceMessage"), path.ends_with("/Append")),
        };
        match (topic, chain) {
            (true, _) => Ok(Self::Topic),
            (_, true) => Ok(Self::Chain),
            _ => anyhow::bail!(
                "the path {path} takes no records: over REST it holds {TOPIC} or {PARTITION}, over gRPC it ends with \
                 /ProduceMessage or /Append"
            ),
        }
    }
}

/// The prepared requests of a run.
#[derive(Debug)]
pub struct RecordSet {
    run_id: String,
    protocol: Protocol,
    kind: Kind,
    /// REST: the head, up to the length of the body.
    head: String,
}

impl RecordSet {
    /// Prepares them.
    ///
    /// # Errors
    /// For a path that takes no records.
    pub fn prepare(plan: RecordPlan, wording: Wording<'_>) -> anyhow::Result<Self> {
        let kind = Kind::of(wording)?;
        let run_id = plan.run_id;
        let path = wording
            .path
            .replace(TOPIC, &run_id)
            .replace(PARTITION, &run_id);
        Ok(Self {
            head: post(&path, wording.endpoint),
            protocol: wording.protocol,
            kind,
            run_id,
        })
    }
}

/// The head of a request with JSON, up to the length of its body.
fn post(path: &str, endpoint: &Endpoint) -> String {
    let lines = endpoint.head_lines();
    format!("POST {path} HTTP/1.1\r\n{lines}content-type: application/json\r\ncontent-length: ")
}

/// Makes the topic of a run; a chain is made by its first entry.
///
/// # Errors
/// When the target cannot be reached, or makes no topic.
pub(crate) async fn make_topic(
    plan: &RecordPlan,
    wording: Wording<'_>,
    timeout: std::time::Duration,
    stop: &Stop,
) -> anyhow::Result<()> {
    if Kind::of(wording)? != Kind::Topic {
        return Ok(());
    }
    let (endpoint, wire) = (wording.endpoint.clone(), Arc::<Wire>::default());
    let cannot = || format!("cannot connect to {}", wording.endpoint.authority);
    let mut request = BytesMut::new();
    let fate = match wording.protocol {
        Protocol::Rest => {
            let body = format!(
                "{{\"name\":\"{}\",\"numPartitions\":{PARTITIONS}}}",
                plan.run_id
            );
            let (topics, _) = wording
                .path
                .split_once(&format!("/{TOPIC}"))
                .context("a path without a topic")?;
            let head = post(topics, wording.endpoint);
            write!(request, "{head}{}\r\n\r\n{body}", body.len())?;
            let caller = HttpCaller::connect(endpoint, wire, timeout, stop.halted()).await;
            caller
                .with_context(cannot)?
                .call(&mut request, |_| Ok(()))
                .await
        }
        Protocol::Grpc => {
            let topic = CreateTopicRequest {
                name: plan.run_id.clone(),
                num_partitions: PARTITIONS as i32,
                ..CreateTopicRequest::default()
            };
            request.extend_from_slice(&framed(&topic.encode_to_vec()));
            let (service, _) = wording
                .path
                .rsplit_once('/')
                .context("a path without a method")?;
            let connecting =
                GrpcConnection::connect(endpoint, wire, timeout, WINDOWS, stop.halted()).await;
            let connection = connecting.with_context(cannot)?;
            let mut caller = GrpcCaller::new(connection, &format!("{service}/CreateTopic")).await?;
            let made = |answer: &[u8]| match CreateTopicResponse::decode(answer) {
                Ok(answer) if answer.success => Ok(()),
                Ok(_) => Err("success=false"),
                Err(_) => Err("unreadable answer"),
            };
            caller.call(&mut request, made).await
        }
    };
    ensure!(
        fate == RequestOutcome::Acknowledged,
        "the topic {} was not made: {fate:?}",
        plan.run_id
    );
    Ok(())
}

/// One worker's sequence of records.
#[derive(Debug)]
pub struct RecordSource {
    set: Arc<RecordSet>,
    partition: usize,
    /// The record that was sent last.
    record: String,
    /// Bytes of it that never change.
    prefix: usize,
    suffix: String,
    /// Number of the last record, from 1.
    number: u64,
    /// One more than the place of the last record that was acknowledged.
    after: u64,
    body: String,
}

impl RecordSource {
    /// The sequence of `worker`.
    pub fn new(set: Arc<RecordSet>, worker: usize) -> Self {
        let writer = worker + 1;
        let record = format!("{{\"run\":\"{}\",\"vu\":{writer},\"n\":", set.run_id);
        let pad = BYTES.saturating_sub(record.len() + 16);
        Self {
            set,
            partition: writer % PARTITIONS,
            prefix: record.len(),
            record,
            suffix: format!(",\"pad\":\"{}\"}}", "x".repeat(pad)),
            number: 0,
            after: 0,
            body: String::new(),
        }
    }

    /// Appends the next request.
    pub fn next(&mut self, buffer: &mut BytesMut) {
        self.number += 1;
        self.record.truncate(self.prefix);
        // Writing to memory cannot fail.
        write!(self.record, "{}{}", self.number, self.suffix).ok();
        match (self.set.protocol, self.set.kind) {
            (Protocol::Rest, Kind::Chain) => self.rest(buffer, None),
            (Protocol::Rest, Kind::Topic) => {
                let value = serde_json::Value::from(self.record.as_str());
                let body = format!(
                    "{{\"records\":[{{\"partition\":{},\"value\":{value}}}],\"acks\":{ACKS}}}",
                    self.partition
                );
                self.rest(buffer, Some(body));
            }
            (Protocol::Grpc, Kind::Chain) => {
                let request = AppendRequest {
                    partition: self.set.run_id.clone(),
                    data: self.record.clone(),
                };
                buffer.extend_from_slice(&framed(&request.encode_to_vec()));
            }
            (Protocol::Grpc, Kind::Topic) => {
                let request = ProduceMessageRequest {
                    topic: self.set.run_id.clone(),
                    partition: self.partition as i32,
                    record: Some(Record {
                        value: self.record.clone().into_bytes().into(),
                        ..Record::default()
                    }),
                    required_acks: ACKS,
                    timeout_ms: DISK_MS,
                };
                buffer.extend_from_slice(&framed(&request.encode_to_vec()));
            }
        }
    }

    /// Appends a request with this body, or with the record itself.
    fn rest(&mut self, buffer: &mut BytesMut, body: Option<String>) {
        if let Some(body) = body {
            self.body = body;
        } else {
            self.body.clone_from(&self.record);
        }
        write!(buffer, "{}{}\r\n\r\n", self.set.head, self.body.len()).ok();
        buffer.extend_from_slice(self.body.as_bytes());
    }

    /// Whether the answer says that the last record stands after this worker's earlier ones.
    ///
    /// # Errors
    /// What it says instead.
    pub fn check(&mut self, answer: &[u8]) -> Result<(), &'static str> {
        let place = place_in(self.set.protocol, self.set.kind, answer)?;
        // A record that begins after another's end stands after it.
        if place < self.after {
            return Err("stored before an earlier record");
        }
        self.after = place + 1;
        Ok(())
    }
}

/// The place that an answer gives a record.
fn place_in(protocol: Protocol, kind: Kind, answer: &[u8]) -> Result<u64, &'static str> {
    const UNREADABLE: &str = "unreadable answer";
    #[derive(Deserialize)]
    struct Appended {
        seq: u64,
    }
    #[derive(Deserialize)]
    struct Produced {
        records: [Offset; 1],
    }
    #[derive(Deserialize)]
    struct Offset {
        offset: u64,
    }
    match (protocol, kind) {
        (Protocol::Rest, Kind::Chain) => serde_json::from_slice::<Appended>(answer)
            .map(|answer| answer.seq)
            .map_err(|_| UNREADABLE),
        (Protocol::Rest, Kind::Topic) => serde_json::from_slice::<Produced>(answer)
            .map(|answer| answer.records[0].offset)
            .map_err(|_| UNREADABLE),
        (Protocol::Grpc, Kind::Chain) => match AppendResponse::decode(answer) {
            Ok(answer) if answer.success => Ok(answer.seq),
            Ok(_) => Err("success=false"),
            Err(_) => Err(UNREADABLE),
        },
        (Protocol::Grpc, Kind::Topic) => match ProduceMessageResponse::decode(answer) {
            Ok(answer) if answer.error.is_empty() => {
                u64::try_from(answer.offset).map_err(|_| "a negative offset")
            }
            Ok(_) => Err("an error for the record"),
            Err(_) => Err(UNREADABLE),
        },
    }
}

#[cfg(test)]
mod tests;
