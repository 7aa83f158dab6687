//! Counters of the stream.

use std::time::Duration;

use prometheus::{Counter, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};
use runtime::metrics::Metrics;

/// The protocol of a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// Server-sent events.
    Sse,
    /// Server streaming.
    Grpc,
}

impl Face {
    const ALL: [Self; 2] = [Self::Sse, Self::Grpc];

    /// The value of the label `face`.
    fn label(self) -> &'static str {
        match self {
            Self::Sse => "sse",
            Self::Grpc => "grpc",
        }
    }
}

/// What the stream counts. Clones count together.
#[derive(Clone, Debug)]
pub struct StreamMetrics {
    subscribers: IntGaugeVec,
    sent: IntCounterVec,
    /// Pages that subscribers read from the database.
    pub(crate) pages: IntCounter,
    /// Pages that the feed read from the database.
    pub(crate) feed_pages: IntCounter,
    numbered: IntCounter,
    looks: IntCounter,
    look_seconds: Counter,
    /// 1 while this process numbers.
    pub(crate) leading: IntGauge,
    /// The last number published.
    pub(crate) head: IntGauge,
}

impl StreamMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Metrics) -> anyhow::Result<Self> {
        let metrics = Self {
            subscribers: IntGaugeVec::new(
                Opts::new("stream_subscribers", "Open streams, by face"),
                &["face"],
            )?,
            sent: IntCounterVec::new(
                Opts::new(
                    "stream_events_sent_total",
                    "Events handed to connections, by face",
                ),
                &["face"],
            )?,
            pages: IntCounter::new(
                "stream_replay_pages_total",
                "Pages that subscribers read from the database: replay, or behind the ring",
            )?,
            feed_pages: IntCounter::new(
                "stream_feed_pages_total",
                "Pages that the feed read from the database: what another process numbered, or more than one look gives back",
            )?,
            numbered: IntCounter::new(
                "stream_numbered_total",
                "Transactions to which this process gave a number",
            )?,
            looks: IntCounter::new(
                "stream_looks_total",
                "Looks of the numberer for what has become visible",
            )?,
            look_seconds: Counter::new(
                "stream_look_seconds_total",
                "Time spent on those looks, seconds",
            )?,
            leading: IntGauge::new(
                "stream_numbering",
                "1 while this process is the one that numbers",
            )?,
            head: IntGauge::new("stream_head_sequence", "The last sequence published")?,
        };
        for face in Face::ALL {
            metrics.subscribers(face).set(0);
            metrics.sent(face).inc_by(0);
        }
        registry.register(metrics.subscribers.clone())?;
        registry.register(metrics.sent.clone())?;
        registry.register(metrics.pages.clone())?;
        registry.register(metrics.feed_pages.clone())?;
        registry.register(metrics.numbered.clone())?;
        registry.register(metrics.looks.clone())?;
        registry.register(metrics.look_seconds.clone())?;
        registry.register(metrics.leading.clone())?;
        registry.register(metrics.head.clone())?;
        Ok(metrics)
    }

    pub(crate) fn subscribers(&self, face: Face) -> IntGauge {
        self.subscribers.with_label_values(&[face.label()])
    }

    pub(crate) fn sent(&self, face: Face) -> IntCounter {
        self.sent.with_label_values(&[face.label()])
    }

    pub(crate) fn looked(&self, numbered: u64, took: Duration) {
        self.looks.inc();
        self.look_seconds.inc_by(took.as_secs_f64());
        self.numbered.inc_by(numbered);
    }
}
