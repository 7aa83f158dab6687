//! Records to topics in this process, one after the other on one thread.

use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use group_commit::{Directory, Durability};
use tokio_util::sync::CancellationToken;
use topics::{NewRecord, Options, TopicDraft, Topics};

use crate::plan::{LogPlan, data};
use load_engine::tally::RequestOutcome;

/// Opens the topics of a directory, and makes the one that is produced to.
pub(super) fn open(directory: Arc<Directory>, plan: &LogPlan) -> anyhow::Result<Topics> {
    let stop = CancellationToken::new();
    let topics = Topics::open(directory, &Options::default(), stop);
    let topics = topics.context("cannot open the topics")?;
    topics.create_blocking(TopicDraft {
        name: plan.name(),
        partitions: 1,
        replication_factor: 1,
        configs: std::collections::BTreeMap::new(),
    })?;
    Ok(topics)
}

pub(super) struct DirectProduce {
    topics: Topics,
    topic: String,
    /// A batch, made once: what is measured is the log, not the making of records.
    records: Vec<NewRecord>,
    durability: Durability,
    after: u64,
}

impl DirectProduce {
    pub(super) fn new(topics: &Topics, plan: &LogPlan, worker: usize) -> Self {
        let record = |number| NewRecord {
            key: Bytes::from(format!("{worker}-{number}")),
            value: Bytes::from(data(worker, number)),
            headers: Vec::new(),
            timestamp: 0,
        };
        Self {
            topics: topics.clone(),
            topic: plan.name(),
            records: (0..plan.batch).map(record).collect(),
            durability: match plan.acks {
                -1 => Durability::Synced,
                _ => Durability::Buffered,
            },
            after: 0,
        }
    }

    /// A batch, record by record.
    pub(super) fn run(&mut self) -> RequestOutcome {
        tokio::task::block_in_place(|| {
            for record in &self.records {
                let produced =
                    self.topics
                        .produce_blocking(&self.topic, 0, record.clone(), self.durability);
                match produced.map(|produced| produced.offset) {
                    Ok(Some(offset)) if offset >= self.after => self.after = offset + 1,
                    Ok(_) => {
                        return RequestOutcome::Failed("stored before an earlier record".into());
                    }
                    Err(error) => return RequestOutcome::Failed(error.to_string()),
                }
            }
            RequestOutcome::Acknowledged
        })
    }
}
