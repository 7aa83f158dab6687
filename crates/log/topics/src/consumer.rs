//! Reads one partition, or those that a group assigns, continuously.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::counters::Counters;
use super::error::TopicsError;
use super::groups::{Groups, Member};
use super::pace::{Pace, Start};
use super::reader::{Batch, Cursor, Limits, read_async};
use super::record::StoredRecord;
use super::topic::Topic;

/// What ends a consumer, and where its records are counted.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    pub(crate) stop: CancellationToken,
    pub(crate) counters: Counters,
}

/// Records of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The partition.
    pub partition: u32,
    /// The next offset of the partition at the time of the read.
    pub high_watermark: u64,
    /// In order, without a gap.
    pub records: Vec<StoredRecord>,
}

/// Reads continuously. A member of a group leaves it when this is dropped.
#[derive(Debug)]
pub struct Consumer {
    topic: Arc<Topic>,
    sources: Vec<Source>,
    /// The source that is read first, so that all get their turn.
    first: usize,
    pace: Pace,
    membership: Option<Membership>,
    ends: Ends,
    /// Records read and not yet delivered.
    ready: VecDeque<Delivery>,
}

#[derive(Debug)]
struct Source {
    partition: u32,
    cursor: Cursor,
}

#[derive(Debug)]
struct Membership {
    member: Member,
    groups: Groups,
    /// Where partitions begin for which nothing is committed.
    start: Start,
    assigned: bool,
}

impl Consumer {
    /// Reads `partition` of `topic`.
    ///
    /// # Errors
    /// There is no such partition, or `start` is not there.
    pub(crate) fn of_partition(
        topic: Arc<Topic>,
        partition: i64,
        start: Start,
        pace: Pace,
        ends: Ends,
    ) -> Result<Self, TopicsError> {
        let number = topic.partition(partition)?.number();
        let source = Source {
            partition: number,
            cursor: cursor(&topic, number, start)?,
        };
        Ok(Self {
            topic,
            sources: vec![source],
            first: 0,
            pace,
            membership: None,
            ends,
            ready: VecDeque::new(),
        })
    }

    /// Reads what `groups` assigns to `member`.
    pub(crate) fn in_group(
        topic: Arc<Topic>,
        (groups, member): (Groups, Member),
        start: Start,
        pace: Pace,
        ends: Ends,
    ) -> Self {
        Self {
            topic,
            sources: Vec::new(),
            first: 0,
            pace,
            membership: Some(Membership {
                member,
                groups,
                start,
                assigned: false,
            }),
            ends,
            ready: VecDeque::new(),
        }
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.topic.name()
    }

    /// Waits for records of one partition; at least one. A member of a group gets none of a partition that went to another
    /// member meanwhile.
    ///
    /// # Errors
    /// The topic is deleted, an offset is not there (any more), the records are damaged, the service stops.
    pub async fn next(&mut self) -> Result<Delivery, TopicsError> {
        loop {
            self.follow_assignment().await?;
            if let Some(delivery) = self.ready.pop_front() {
                return Ok(delivery);
            }
            self.ready = self.collect().await?.into();
        }
    }

    /// What there is now, which may be nothing.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) async fn now(&mut self) -> Result<Vec<Delivery>, TopicsError> {
        let mut found = Found::default();
        self.read(&mut found).await?;
        Ok(self.deliver(found))
    }

    /// Takes over the partitions that the group has assigned. Keeps its place in those that it had.
    async fn follow_assignment(&mut self) -> Result<(), TopicsError> {
        let Some(membership) = &mut self.membership else {
            return Ok(());
        };
        if membership.assigned && !membership.member.is_outdated() {
            return Ok(());
        }
        let stop = self.ends.stop.clone();
        let assigned = tokio::select! {
            assigned = membership.member.assigned() => assigned,
            () = stop.cancelled() => return Err(TopicsError::ShuttingDown),
        };
        membership.assigned = true;
        self.sources
            .retain(|source| assigned.contains(&source.partition));
        self.ready
            .retain(|delivery| assigned.contains(&delivery.partition));
        for partition in assigned {
            if self
                .sources
                .iter()
                .any(|source| source.partition == partition)
            {
                continue;
            }
            let cursor = match membership.cursor(&self.topic, partition) {
                // The others of this member are whole.
                Err(error @ TopicsError::PartitionAside { .. }) => {
                    tracing::error!(group = membership.member.group(), %error, "a member reads without a partition");
                    continue;
                }
                cursor => cursor?,
            };
            self.sources.push(Source { partition, cursor });
        }
        Ok(())
    }

    /// Reads until there is enough, or what there is has waited for long enough. Nothing when the assignment changes.
    async fn collect(&mut self) -> Result<Vec<Delivery>, TopicsError> {
        let topic = Arc::clone(&self.topic);
        let mut found = Found::default();
        let mut held_until = None;
        loop {
            let grown = match (&self.membership, &*self.sources) {
                (None, [only]) => &topic.partition(only.partition.into())?.log.grown,
                _ => &topic.common.grown,
            };
            let mut grown = std::pin::pin!(grown.notified());
            // Before looking: what comes after the look is not missed.
            grown.as_mut().enable();
            self.read(&mut found).await?;
            if self.ends.stop.is_cancelled() {
                return Err(TopicsError::ShuttingDown);
            }
            if found.is_enough(self.pace) {
                return Ok(self.deliver(found));
            }
            if !found.batches.is_empty() && held_until.is_none() {
                held_until = Some(Instant::now() + self.pace.max_wait);
            }
            tokio::select! {
                () = grown => {}
                () = sleep_until(held_until) => return Ok(self.deliver(found)),
                () = outdated(self.membership.as_mut()) => return Ok(self.deliver(found)),
                () = self.ends.stop.cancelled() => return Err(TopicsError::ShuttingDown),
            }
        }
    }

    /// Adds what there is to `found`.
    async fn read(&mut self, found: &mut Found) -> Result<(), TopicsError> {
        if self.topic.common.deleted.load(Ordering::Acquire) {
            return Err(TopicsError::NoSuchTopic(self.topic.name().to_owned()));
        }
        let count = self.sources.len();
        let limits = self.pace.limits();
        self.first = (self.first + 1) % count.max(1);
        for at in (self.first..count).chain(0..self.first) {
            let source = &mut self.sources[at];
            let partition = self.topic.partition(source.partition.into())?;
            if partition.log.end() == source.cursor.offset {
                continue;
            }
            let limits = Limits {
                content: limits.content.saturating_sub(found.content),
                disk: limits.disk.saturating_sub(found.disk),
            };
            let known = found.batches.iter().position(|(known, _)| *known == at);
            if limits.content == 0 || limits.disk == 0 {
                found.full = true;
                return Ok(());
            }
            // Taken out while it is read into; in that time it counts for nothing.
            let mut batch =
                known.map_or_else(Batch::default, |known| found.batches.swap_remove(known).1);
            let before = (batch.content, batch.disk);
            let known_records = batch.records.len();
            let limits = Limits {
                content: limits.content + before.0,
                disk: limits.disk + before.1,
            };
            let log = Arc::clone(&partition.log);
            let read = read_async(log, source.cursor.clone(), limits, batch).await;
            (source.cursor, batch) = match read {
                Ok(read) => read,
                // The error is returned once nothing else is to be delivered first.
                Err(_) if !found.batches.is_empty() => {
                    found.full = true;
                    return Ok(());
                }
                Err(error) => {
                    let topic = self.topic.name();
                    return Err(TopicsError::read(&error, topic, source.partition));
                }
            };
            found.content += batch.content - before.0;
            found.disk += batch.disk - before.1;
            self.ends
                .counters
                .note_consumed((batch.records.len() - known_records) as u64);
            found.full |= batch.full;
            if !batch.records.is_empty() {
                found.batches.push((at, batch));
            }
        }
        Ok(())
    }

    fn deliver(&self, found: Found) -> Vec<Delivery> {
        let batches = found.batches.into_iter();
        let deliveries = batches.filter_map(|(at, batch)| {
            let partition = self.sources.get(at)?.partition;
            let log = &self.topic.partition(partition.into()).ok()?.log;
            Some(Delivery {
                partition,
                high_watermark: log.end(),
                records: batch.records,
            })
        });
        deliveries.collect()
    }
}

impl Membership {
    /// Where this member begins to read a partition.
    fn cursor(&self, topic: &Topic, partition: u32) -> Result<Cursor, TopicsError> {
        let group = self.member.group();
        let Some(offset) = self.groups.committed(group, topic.name(), partition) else {
            return cursor(topic, partition, self.start);
        };
        let log = &topic.partition(partition.into())?.log;
        let there = offset.clamp(log.beginning(), log.end());
        if there != offset {
            tracing::warn!(
                group,
                topic = topic.name(),
                partition,
                committed = offset,
                offset = there,
                "the committed offset is not there: going on at the nearest"
            );
        }
        Ok(Cursor::new(there))
    }
}

fn cursor(topic: &Topic, partition: u32, start: Start) -> Result<Cursor, TopicsError> {
    let log = &topic.partition(partition.into())?.log;
    let (beginning, end) = (log.beginning(), log.end());
    let offset = match start {
        Start::Earliest => beginning,
        Start::Latest => end,
        Start::Offset(offset) if (beginning..=end).contains(&offset) => offset,
        Start::Offset(offset) => {
            return Err(TopicsError::OutOfRange {
                topic: topic.name().to_owned(),
                partition,
                problem: format!("offset {offset} is not from {beginning} to {end}"),
            });
        }
    };
    Ok(Cursor::new(offset))
}

/// What is read and not yet delivered, by the place of the source.
#[derive(Debug, Default)]
struct Found {
    batches: Vec<(usize, Batch)>,
    content: usize,
    disk: usize,
    full: bool,
}

impl Found {
    fn is_enough(&self, pace: Pace) -> bool {
        let waits = !pace.max_wait.is_zero() && self.content < pace.min_bytes;
        !self.batches.is_empty() && (self.full || !waits)
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

async fn outdated(membership: Option<&mut Membership>) {
    match membership {
        Some(membership) => membership.member.outdated().await,
        None => std::future::pending().await,
    }
}
