//! A reader that follows a chain to its end and on, on a connection of its own.

use anyhow::Context;
use api::immutable_log::immutable_log_service_client::ImmutableLogServiceClient;
use api::immutable_log::{TailRequest, TailResponse};
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use super::shared::Shared;
use super::writer::number_of_data;
use crate::grpc::GrpcStore;
use crate::plan::LogPlan;

/// The entry that made the partition; it belongs to no load.
const FIRST: u64 = 0;

pub(super) struct Follower {
    entries: Streaming<TailResponse>,
    /// Place and hash of the last entry.
    last: Option<(u64, String)>,
}

impl Follower {
    pub(super) async fn open(plan: &LogPlan, store: &GrpcStore) -> anyhow::Result<Self> {
        let request = TailRequest {
            partition: plan.name(),
            start_seq: Some(FIRST),
            follow: true,
        };
        let entries = ImmutableLogServiceClient::new(store.channel()?)
            .tail(request)
            .await
            .context("cannot follow the chain")?
            .into_inner();
        Ok(Self {
            entries,
            last: None,
        })
    }

    /// Receives entries, each linked to the one before, until `ending` is cancelled.
    pub(super) async fn run(
        mut self,
        shared: &Shared,
        ending: &CancellationToken,
    ) -> Result<(), String> {
        loop {
            let entry = tokio::select! {
                biased;
                () = ending.cancelled() => return Ok(()),
                entry = self.entries.message() => entry,
            };
            let entry = entry.map_err(|status| format!("follow: grpc {:?}", status.code()))?;
            let entry = entry.ok_or("the stream of a follower ended")?;
            self.take(entry, shared)?;
        }
    }

    fn take(&mut self, entry: TailResponse, shared: &Shared) -> Result<(), String> {
        let next = match &self.last {
            Some((seq, hash)) => entry.seq == seq + 1 && entry.prev_hash == *hash,
            None => entry.seq == FIRST,
        };
        if !next {
            return Err("not the next entry of the chain".into());
        }
        if entry.seq != FIRST {
            let number = number_of_data(&entry.data).ok_or("an entry that nobody wrote")?;
            if let Some(receipt) = shared.ledger.received(number, 0, 0) {
                shared.received(receipt);
            }
        }
        self.last = Some((entry.seq, entry.hash));
        Ok(())
    }
}
