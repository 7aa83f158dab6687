//! What came of a run of subscribers.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::client::ClientOutcome;
use crate::feed::Fed;
use crate::order::Order;
use crate::plan::StreamPlan;
use crate::tally::StreamTally;
use load_engine::load::Window;
use load_engine::outcome::LoadOutcome;

/// The result of a run, complete or interrupted.
#[derive(Debug)]
pub struct StreamOutcome {
    /// What was asked for.
    pub plan: StreamPlan,
    /// When it was measured, and at what cost; to the last event where all streams reached their limit.
    pub window: Window,
    /// Everything that was counted.
    pub tally: StreamTally,
    /// The feed of a live run.
    pub fed: Option<Fed>,
    /// Subscribers that had a stream.
    pub opened: usize,
    /// Different events, all subscribers together.
    pub received: u64,
    /// Events that never came: gaps in the sequence, and live transactions that were committed and not received.
    pub missed: u64,
    /// Events that came again.
    pub repeated: u64,
    /// Events that came after one with a higher number.
    pub out_of_order: u64,
    /// The fewest and the most different events that one subscriber had.
    pub fewest: u64,
    /// See `fewest`.
    pub most: u64,
    /// Connections opened over the whole run.
    pub connections_opened: u64,
    /// What became of those that read slowly.
    pub slow: Option<Slow>,
}

/// Subscribers that read slowly; all figures but theirs are those of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Slow {
    /// How many had a stream.
    pub opened: usize,
    /// Different events, all of them together.
    pub received: u64,
    /// Gaps in what they received.
    pub missed: u64,
    /// Events that came again.
    pub repeated: u64,
    /// Events that came after one with a higher number.
    pub out_of_order: u64,
    /// Streams that the server ended; each was resumed after its last event.
    pub breaks: u64,
    /// The most live transactions that one of them lacked when the feed ended.
    pub behind_events: u64,
    /// The age of the oldest of those.
    pub behind: Duration,
}

/// What was counted of those who read as fast as they can, and of those who read slowly.
pub(super) struct Tallies {
    pub(super) all: StreamTally,
    pub(super) slow: StreamTally,
}

impl Slow {
    fn new(clients: &[&ClientOutcome], breaks: u64) -> Self {
        let orders = || clients.iter().map(|client| &client.receiver.order);
        let behind = || clients.iter().filter_map(|client| client.behind);
        Self {
            opened: clients.iter().filter(|it| it.opened).count(),
            received: orders().map(|order| order.received).sum(),
            missed: orders().map(Order::missed).sum(),
            repeated: orders().map(|order| order.repeated).sum(),
            out_of_order: orders().map(|order| order.out_of_order).sum(),
            breaks,
            behind_events: behind().map(|behind| behind.events).max().unwrap_or(0),
            behind: behind().map(|behind| behind.time).max().unwrap_or_default(),
        }
    }
}

impl StreamOutcome {
    pub(super) fn new(
        plan: StreamPlan,
        window: Window,
        tallies: Tallies,
        clients: &[ClientOutcome],
        fed: Option<Fed>,
        connections_opened: u64,
    ) -> Self {
        let committed = fed.as_ref().map_or(0, |fed| fed.committed);
        let (slow, clients): (Vec<_>, Vec<_>) = clients.iter().partition(|client| client.slow);
        let orders = || clients.iter().map(|client| &client.receiver.order);
        let missed = |client: &&ClientOutcome| {
            let fed = committed.saturating_sub(client.receiver.fed);
            // A live transaction that is missing between two others is a gap as well.
            fed.max(client.receiver.order.missed())
        };
        Self {
            opened: clients.iter().filter(|it| it.opened).count(),
            received: orders().map(|order| order.received).sum(),
            missed: clients.iter().map(missed).sum(),
            repeated: orders().map(|order| order.repeated).sum(),
            out_of_order: orders().map(|order| order.out_of_order).sum(),
            fewest: orders().map(|order| order.received).min().unwrap_or(0),
            most: orders().map(|order| order.received).max().unwrap_or(0),
            slow: plan.slow.map(|_| Slow::new(&slow, tallies.slow.breaks)),
            plan,
            window,
            tally: tallies.all,
            fed,
            connections_opened,
        }
    }
}

impl LoadOutcome for StreamOutcome {
    fn window(&self) -> &Window {
        &self.window
    }

    /// The feed has a thread of its own.
    fn threads(&self) -> usize {
        self.plan.timing.threads + usize::from(self.plan.live.is_some())
    }

    /// Events, all subscribers together.
    fn succeeded(&self) -> u64 {
        self.tally.measured
    }

    /// Of a live run from the sending of the commit, else from the sending of the event.
    fn latencies(&self) -> &Histogram<u64> {
        match self.plan.live {
            Some(_) => &self.tally.from_commit_sent,
            None => &self.tally.from_emitted,
        }
    }
}
