//! What Prometheus is told of topics.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge};
use runtime::metrics::Metrics;

use super::handle::Topics;

/// Counts since the start of the process. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct TopicsMetrics {
    /// Records taken, not those refused.
    pub(crate) produced: IntCounter,
    /// Records given to consumers.
    pub(crate) consumed: IntCounter,
}

impl TopicsMetrics {
    pub(crate) fn new() -> prometheus::Result<Self> {
        Ok(Self {
            produced: IntCounter::new(
                "topics_produced_records_total",
                "Records appended to topics",
            )?,
            consumed: IntCounter::new(
                "topics_consumed_records_total",
                "Records read by consumers",
            )?,
        })
    }
}

/// Registers the counters of `topics`, and how many topics and members of groups there are.
///
/// # Errors
/// A name is registered already.
pub fn register(registry: &Metrics, topics: &Topics) -> anyhow::Result<()> {
    let metrics = topics.metrics();
    registry.register(metrics.produced.clone())?;
    registry.register(metrics.consumed.clone())?;
    registry.register(Present {
        count: IntGauge::new("topics", "Topics")?,
        members: IntGauge::new("topics_group_members", "Members of consumer groups")?,
        topics: topics.clone(),
    })
}

/// Looked up when it is asked for.
struct Present {
    count: IntGauge,
    members: IntGauge,
    topics: Topics,
}

impl Collector for Present {
    fn desc(&self) -> Vec<&Desc> {
        [&self.count, &self.members]
            .into_iter()
            .flat_map(Collector::desc)
            .collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.count.set(number(self.topics.names().len()));
        self.members.set(number(self.topics.members()));
        [&self.count, &self.members]
            .into_iter()
            .flat_map(Collector::collect)
            .collect()
    }
}
