//! The log in this process, on a folder that is removed afterwards.

use std::sync::Arc;

use anyhow::Context;
use group_commit::Directory;
use hash_chain::{ChainError, Log, WriteOptions};
use tempfile::TempDir;
use topics::Topics;

use crate::direct_produce::{self, DirectProduce};
use crate::plan::{Direct, LogPlan, LogScenario, data};
use load_engine::tally::RequestOutcome;

/// An open log.
pub(super) struct DirectStore {
    log: Log,
    /// Of a run that produces.
    topics: Option<Topics>,
    /// Last: the log closes before its files go.
    _folder: TempDir,
}

impl DirectStore {
    pub(super) fn open(plan: &LogPlan, direct: &Direct) -> anyhow::Result<Self> {
        let prefix = format!("weir-{}-", plan.scenario.name());
        let folder = match &direct.folder {
            Some(parent) => {
                std::fs::create_dir_all(parent)
                    .with_context(|| format!("cannot create {}", parent.display()))?;
                TempDir::with_prefix_in(prefix, parent)
            }
            None => TempDir::with_prefix(prefix),
        };
        let folder = folder.context("cannot make a folder for the log")?;
        let directory = Directory::lock(folder.path())?;
        let options = WriteOptions {
            durability: direct.durability,
            ..WriteOptions::default()
        };
        let topics = match plan.scenario {
            LogScenario::Produce => Some(direct_produce::open(Arc::clone(&directory), plan)?),
            _ => None,
        };
        Ok(Self {
            log: Log::open(directory, options),
            topics,
            _folder: folder,
        })
    }

    pub(super) fn append(&self, plan: &LogPlan, worker: usize) -> DirectAppend {
        DirectAppend {
            log: self.log.clone(),
            partition: plan.name(),
            worker,
            number: 0,
            last: None,
        }
    }

    pub(super) fn tail(&self, plan: &LogPlan) -> DirectTail {
        DirectTail {
            log: self.log.clone(),
            partition: plan.name(),
            entries: plan.entries,
        }
    }

    pub(super) fn verify(&self, plan: &LogPlan) -> DirectVerify {
        DirectVerify {
            log: self.log.clone(),
            partition: plan.name(),
            entries: plan.entries,
        }
    }

    pub(super) fn produce(&self, plan: &LogPlan, worker: usize) -> anyhow::Result<DirectProduce> {
        let topics = self.topics.as_ref().context("a log without topics")?;
        Ok(DirectProduce::new(topics, plan, worker))
    }

    pub(super) async fn count(&self, plan: &LogPlan) -> anyhow::Result<u64> {
        let found = self.log.verify(&plan.name()).await?;
        if let Some(error) = found.error {
            anyhow::bail!("the chain is broken: {error}");
        }
        Ok(found.entries_verified)
    }
}

impl Drop for DirectStore {
    fn drop(&mut self) {
        if let Some(topics) = &self.topics {
            topics.close();
        }
    }
}

pub(super) struct DirectAppend {
    log: Log,
    partition: String,
    worker: usize,
    number: u64,
    last: Option<u64>,
}

impl DirectAppend {
    pub(super) async fn run(&mut self) -> RequestOutcome {
        let data = data(self.worker, self.number);
        self.number += 1;
        match self.log.append(&self.partition, data.as_bytes()).await {
            // An append that begins after another's end stands after it.
            Ok(appended) if self.last.is_none_or(|last| appended.seq > last) => {
                self.last = Some(appended.seq);
                RequestOutcome::Acknowledged
            }
            Ok(_) => RequestOutcome::Failed("appended before an earlier entry".into()),
            Err(error) => RequestOutcome::Failed(error.to_string()),
        }
    }
}

pub(super) struct DirectTail {
    log: Log,
    partition: String,
    entries: u64,
}

impl DirectTail {
    pub(super) async fn run(&mut self) -> RequestOutcome {
        match self.read().await {
            Ok(read) if read == self.entries => RequestOutcome::Acknowledged,
            Ok(read) => RequestOutcome::Failed(format!("{read} entries of {}", self.entries)),
            Err(error) => RequestOutcome::Failed(error.to_string()),
        }
    }

    async fn read(&self) -> Result<u64, ChainError> {
        let mut entries = self.log.tail(&self.partition, None, false).await?;
        let mut read = 0;
        while let Some(chunk) = entries.next().await? {
            read += chunk.entries.len() as u64;
        }
        Ok(read)
    }
}

pub(super) struct DirectVerify {
    log: Log,
    partition: String,
    entries: u64,
}

impl DirectVerify {
    pub(super) async fn run(&mut self) -> RequestOutcome {
        match self.log.verify(&self.partition).await {
            Ok(found) if found.valid && found.entries_verified == self.entries => {
                RequestOutcome::Acknowledged
            }
            Ok(found) => RequestOutcome::Failed(found.error.unwrap_or_else(|| {
                format!("{} entries of {}", found.entries_verified, self.entries)
            })),
            Err(error) => RequestOutcome::Failed(error.to_string()),
        }
    }
}
