//! The heads of chains, anchored in a topic of another machine: who can write to this disk can compute a whole chain anew, but
//! cannot change what the topic says of the old one.
//!
//! - `anchor`: one anchor (pure)
//! - [`Anchors`]: all of them, compared with a chain when it is verified; [`Anchoring`] writes them

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use hash_chain::{ChainError, Log, Verification};
use tokio_util::sync::CancellationToken;
use topics::{Acks, NewRecord, Pace, Start, TopicDraft, TopicLog, TopicsError};

use crate::config::{AnchorConfig, TopicsBackend};

mod anchor;

use anchor::{Anchor, Anchored};

/// All anchors are in one partition: in the order in which they were written.
const PARTITION: i64 = 0;

/// The anchors of one topic. Clones share it.
#[derive(Clone, Debug)]
pub struct Anchors {
    topics: Arc<dyn TopicLog>,
    topic: Arc<str>,
    timeout: Duration,
}

/// Why a chain could not be compared with its anchors.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The topic cannot be read.
    #[error("the anchors cannot be read: {0}")]
    Topic(#[from] TopicsError),
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl Anchors {
    /// The anchors that `config` names, whose topic is made where it is not there.
    ///
    /// # Errors
    /// `backend` would keep them beside the chains; the topic cannot be made.
    pub async fn open(
        config: &AnchorConfig,
        backend: TopicsBackend,
        topics: Arc<dyn TopicLog>,
        timeout: Duration,
    ) -> anyhow::Result<Option<Self>> {
        let Some(topic) = config.anchor_topic.as_deref() else {
            return Ok(None);
        };
        ensure!(
            backend == TopicsBackend::Kafka,
            "ANCHOR_TOPIC needs TOPICS_BACKEND=kafka: anchors on the disk of the chains would protect nothing"
        );
        let anchors = Self::of_topic(topic, topics, timeout);
        let draft = TopicDraft {
            name: topic.to_owned(),
            partitions: 1,
            ..TopicDraft::default()
        };
        match anchors.topics.create(draft).await {
            Ok(_) | Err(TopicsError::TopicExists(_)) => Ok(Some(anchors)),
            Err(error) => Err(error).with_context(|| format!("ANCHOR_TOPIC {topic}")),
        }
    }

    /// The anchors of a topic that is there.
    pub(crate) fn of_topic(topic: &str, topics: Arc<dyn TopicLog>, timeout: Duration) -> Self {
        Self {
            topics,
            topic: topic.into(),
            timeout,
        }
    }

    /// Checks a chain, and compares it with all its anchors.
    ///
    /// # Errors
    /// The anchors or the chain cannot be read.
    pub async fn verify(
        &self,
        log: &Log,
        partition: &str,
        verify: impl Future<Output = Result<Verification, ChainError>>,
    ) -> Result<Verification, AnchorError> {
        // First: an entry that is anchored meanwhile may be one that is not verified.
        let anchored = self.read(|anchor| anchor.partition == partition).await?;
        let found = verify.await?;
        if !found.valid {
            return Ok(found);
        }
        for anchored in anchored {
            let hash = hash_at(log, partition, anchored.anchor.seq).await?;
            if let Some(fault) = anchored.fault(&self.topic, hash.as_deref()) {
                return Ok(Verification {
                    valid: false,
                    error: Some(fault),
                    ..found
                });
            }
        }
        Ok(found)
    }

    /// What anchors the chains of `log`.
    #[must_use]
    pub fn anchoring(&self, log: Log) -> Anchoring {
        Anchoring {
            anchors: self.clone(),
            log,
            last: None,
            rewritten: BTreeSet::new(),
        }
    }

    /// The offset that it has.
    async fn write(&self, anchor: &Anchor) -> Result<u64, TopicsError> {
        let record = NewRecord {
            key: anchor.partition.clone().into(),
            value: serde_json::to_vec(anchor)
                .map_err(|_| TopicsError::Internal)?
                .into(),
            ..NewRecord::default()
        };
        let records = vec![(PARTITION, record)];
        let produced = self
            .topics
            .produce_all(&self.topic, records, Acks::All, self.timeout);
        let produced = produced.await?;
        let first = produced.first().ok_or(TopicsError::Internal)?;
        Ok(first.offset.unwrap_or_default())
    }

    /// Those of the topic that are wanted, in order. What is no anchor is passed over: others may write there.
    async fn read(
        &self,
        is_wanted: impl Fn(&Anchor) -> bool,
    ) -> Result<Vec<Anchored>, TopicsError> {
        let ends = self.topics.offsets(&self.topic, PARTITION).await?;
        let mut next = ends.beginning;
        let mut wanted = Vec::new();
        let pace = Pace::parse(0, 0, 0)?;
        while next < ends.end {
            let start = Start::Offset(next);
            let fetched = self
                .topics
                .fetch(&self.topic, PARTITION, start, pace, self.timeout);
            let records = fetched.await?.records;
            let Some(last) = records.last() else {
                return Err(TopicsError::Timeout);
            };
            next = last.offset + 1;
            for record in &records {
                if let Ok(anchor) = serde_json::from_slice::<Anchor>(&record.value)
                    && is_wanted(&anchor)
                {
                    let offset = record.offset;
                    wanted.push(Anchored { anchor, offset });
                }
            }
        }
        Ok(wanted)
    }
}

/// Anchors the heads of the chains of one log.
#[derive(Debug)]
pub struct Anchoring {
    anchors: Anchors,
    log: Log,
    /// The last anchor of each chain, once the topic was read.
    last: Option<BTreeMap<String, Anchored>>,
    /// Chains that are not as anchored: each is told once.
    rewritten: BTreeSet<String>,
}

impl Anchoring {
    /// Anchors the chains that have grown, every `interval` until the stop.
    pub async fn run(&mut self, interval: Duration, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            self.anchor_all().await;
            stop.run_until_cancelled(tokio::time::sleep(interval)).await;
        }
    }

    /// Anchors the chains that have grown. What fails is tried again the next time.
    pub async fn anchor_all(&mut self) {
        if let Err(error) = self.try_all().await {
            let topic = &*self.anchors.topic;
            tracing::warn!(topic, %error, "chains are not anchored: trying again");
        }
    }

    async fn try_all(&mut self) -> Result<(), AnchorError> {
        let last = match &mut self.last {
            Some(last) => last,
            none => {
                let all = self.anchors.read(|_| true).await?.into_iter();
                let by_name = all.map(|one| (one.anchor.partition.clone(), one));
                none.insert(by_name.collect())
            }
        };
        for partition in self.log.list().await? {
            // A chain that is damaged is for its readers to report.
            let Ok(Some(head)) = self.log.last(&partition).await else {
                continue;
            };
            let anchor = Anchor {
                partition: partition.clone(),
                seq: head.seq(),
                hash: head.hash().to_string(),
            };
            if let Some(before) = last.get(&partition) {
                if before.anchor == anchor {
                    continue;
                }
                let found = hash_at(&self.log, &partition, before.anchor.seq).await?;
                if let Some(fault) = before.fault(&self.anchors.topic, found.as_deref()) {
                    // An anchor of what it is now would hide that.
                    if self.rewritten.insert(partition.clone()) {
                        tracing::error!(partition, "{fault}; it is not anchored any more");
                    }
                    continue;
                }
            }
            let offset = self.anchors.write(&anchor).await?;
            last.insert(partition, Anchored { anchor, offset });
        }
        Ok(())
    }
}

/// The hash of the entry of this number; none where there is no such entry.
async fn hash_at(log: &Log, partition: &str, seq: u64) -> Result<Option<String>, ChainError> {
    let mut entries = log.read(partition, Some(seq), Some(1)).await?;
    let chunk = entries.next().await?;
    let first = chunk.and_then(|chunk| chunk.entries.into_iter().next());
    Ok(first
        .filter(|entry| entry.seq() == seq)
        .map(|entry| entry.hash().to_string()))
}
