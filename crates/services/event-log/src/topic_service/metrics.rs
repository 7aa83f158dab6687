//! What Prometheus is told of topics.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge};
use runtime::metrics::Metrics;
use topics::TopicLog;

/// Registers the counters of `topics`, and how many topics and members of groups there are.
///
/// # Errors
/// A name is registered already.
pub fn register(registry: &Metrics, topics: &Arc<dyn TopicLog>) -> anyhow::Result<()> {
    registry.register(Shown {
        produced: IntCounter::new(
            "topics_produced_records_total",
            "Records appended to topics",
        )?,
        consumed: IntCounter::new("topics_consumed_records_total", "Records read by consumers")?,
        count: IntGauge::new("topics", "Topics")?,
        members: IntGauge::new("topics_group_members", "Members of consumer groups")?,
        topics: Arc::clone(topics),
    })
}

/// Looked up when it is asked for.
struct Shown {
    produced: IntCounter,
    consumed: IntCounter,
    count: IntGauge,
    members: IntGauge,
    topics: Arc<dyn TopicLog>,
}

impl Collector for Shown {
    fn desc(&self) -> Vec<&Desc> {
        let counters = [&self.produced, &self.consumed];
        let counters = counters.into_iter().flat_map(Collector::desc);
        let gauges = [&self.count, &self.members];
        counters
            .chain(gauges.into_iter().flat_map(Collector::desc))
            .collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let counters = self.topics.counters();
        let mut families = Vec::new();
        for (shown, now) in [
            (&self.produced, counters.produced()),
            (&self.consumed, counters.consumed()),
        ] {
            shown.inc_by(now.saturating_sub(shown.get()));
            families.extend(shown.collect());
        }
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.count.set(number(self.topics.topic_count()));
        self.members.set(number(self.topics.members()));
        families.extend(self.count.collect());
        families.extend(self.members.collect());
        families
    }
}
