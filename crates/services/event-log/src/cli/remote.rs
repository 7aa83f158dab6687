//! The same commands over gRPC.

use anyhow::{Context, bail};
use api::immutable_log::immutable_log_service_client::ImmutableLogServiceClient;
use api::immutable_log::{
    AppendRequest, GetLastEntryRequest, ListPartitionsRequest, ReadRequest, ReadResponse,
    TailRequest, TailResponse, VerifyRequest,
};
use futures_util::StreamExt;
use hash_chain::PartitionName;
use hash_chain::entry::MAX_LINE_BYTES;
use protect::ClientArgs;
use runtime::grpc::ClientChannel;
use serde::Serialize;
use serde_json::value::RawValue;
use tonic::Status;

use super::answer::{Appended, Verified, Wanted};
use super::output::Lines;

/// Bytes after which lines that came together are printed.
const BLOCK_BYTES: usize = 64 * 1024;

pub(super) struct Remote(ImmutableLogServiceClient<ClientChannel>);

/// An entry as its line has it.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    ts: &'a str,
    partition: &'a RawValue,
    prev_hash: &'a str,
    data: &'a RawValue,
    hash: &'a str,
}

impl Remote {
    pub(super) async fn connect(addr: &str, client: &ClientArgs) -> anyhow::Result<Self> {
        let channel = runtime::grpc::connect(addr, client).await?;
        let client = ImmutableLogServiceClient::new(channel)
            .max_decoding_message_size(MAX_LINE_BYTES)
            .max_encoding_message_size(usize::MAX);
        Ok(Self(client))
    }

    pub(super) async fn append(&self, partition: String, data: String) -> anyhow::Result<Appended> {
        let request = AppendRequest { partition, data };
        let appended = self.0.clone().append(request).await.map_err(told)?;
        let appended = appended.into_inner();
        if !appended.success {
            bail!(appended.error);
        }
        Ok(Appended {
            seq: appended.seq,
            ts: appended.timestamp,
            hash: appended.hash,
        })
    }

    pub(super) async fn read(
        &self,
        partition: String,
        wanted: Wanted,
        lines: Lines,
    ) -> anyhow::Result<()> {
        let mut client = self.0.clone();
        match wanted {
            Wanted::From { start, limit } => {
                let request = ReadRequest {
                    partition,
                    start_seq: start,
                    limit,
                };
                let entries = client.read(request).await.map_err(told)?.into_inner();
                let entries =
                    entries.map(|entry| entry.map_err(told).and_then(|entry| line(&entry)));
                print(entries, lines).await
            }
            Wanted::Follow { start } => {
                let request = TailRequest {
                    partition,
                    start_seq: start,
                    follow: true,
                };
                let entries = client.tail(request).await.map_err(told)?.into_inner();
                let entries = entries.map(|entry| {
                    let entry = entry.map_err(told)?;
                    line(&same(entry))
                });
                print(entries, lines).await
            }
        }
    }

    pub(super) async fn verify(&self, partition: String) -> anyhow::Result<Verified> {
        let request = VerifyRequest { partition };
        let found = self.0.clone().verify(request).await.map_err(told)?;
        let found = found.into_inner();
        Ok(Verified {
            valid: found.valid,
            entries: found.entries_verified,
            final_hash: found.final_hash,
            error: found.error,
        })
    }

    pub(super) async fn list(&self) -> anyhow::Result<Vec<String>> {
        let mut client = self.0.clone();
        let names = client.list_partitions(ListPartitionsRequest {}).await;
        Ok(names.map_err(told)?.into_inner().partitions)
    }

    /// Number and line of the last entry.
    pub(super) async fn last(&self, partition: String) -> anyhow::Result<Option<(u64, Vec<u8>)>> {
        let unknown = format!("no such partition, or no entry in it: '{partition}'");
        let request = GetLastEntryRequest { partition };
        let last = self.0.clone().get_last_entry(request).await.map_err(told)?;
        let last = last.into_inner();
        if !last.found {
            bail!(unknown);
        }
        let entry = ReadResponse {
            seq: last.seq.unwrap_or_default(),
            timestamp: last.timestamp.unwrap_or_default(),
            partition: last.partition.unwrap_or_default(),
            prev_hash: last.prev_hash.unwrap_or_default(),
            data: last.data.unwrap_or_default(),
            hash: last.hash.unwrap_or_default(),
        };
        Ok(Some((entry.seq, line(&entry)?)))
    }
}

/// Both messages have the same fields.
fn same(entry: TailResponse) -> ReadResponse {
    ReadResponse {
        seq: entry.seq,
        timestamp: entry.timestamp,
        partition: entry.partition,
        prev_hash: entry.prev_hash,
        data: entry.data,
        hash: entry.hash,
    }
}

/// The line that the entry has in its file.
fn line(entry: &ReadResponse) -> anyhow::Result<Vec<u8>> {
    let data: &RawValue =
        serde_json::from_str(&entry.data).context("the server sent data that is no JSON")?;
    let name = PartitionName::new(&entry.partition).context("the server sent a bad name")?;
    let partition = format!("\"{}\"", std::str::from_utf8(name.json())?);
    let line = Line {
        seq: entry.seq,
        ts: &entry.timestamp,
        partition: serde_json::from_str(&partition)?,
        prev_hash: &entry.prev_hash,
        data,
        hash: &entry.hash,
    };
    Ok(serde_json::to_vec(&line)?)
}

/// Passes lines on as soon as no more are there at once, or a block is full.
async fn print(
    entries: impl futures_util::Stream<Item = anyhow::Result<Vec<u8>>>,
    lines: Lines,
) -> anyhow::Result<()> {
    let mut entries = std::pin::pin!(entries.ready_chunks(256));
    while let Some(ready) = entries.next().await {
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        let mut ending = Ok(());
        for entry in ready {
            match entry {
                Ok(line) => {
                    block.extend_from_slice(&line);
                    block.push(b'\n');
                }
                Err(error) => ending = Err(error),
            }
        }
        if !block.is_empty() && lines.send(block).await.is_err() {
            return Ok(());
        }
        ending?;
    }
    Ok(())
}

fn told(status: Status) -> anyhow::Error {
    anyhow::Error::msg(status.message().to_owned())
}
