//! One subscriber's book: it notes each event as it comes, with its order and its delays.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::behind::Behind;
use crate::commits::Commits;
use crate::event::Event;
use crate::order::{Arrival, Order};
use crate::tally::{StreamLane, StreamTally};
use load_engine::clock::{Clock, Part};
use load_engine::tally::record;

/// A moment on both clocks: events carry wall-clock time, commits are noted in monotonic time. One read of a socket
/// is one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) at: Instant,
    wall_us: i64,
}

impl Moment {
    pub(super) fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let micros = since.unwrap_or_default().as_micros();
        Self {
            at: Instant::now(),
            wall_us: i64::try_from(micros).unwrap_or(i64::MAX),
        }
    }
}

/// The book of one subscriber.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) lane: Arc<StreamLane>,
    pub(super) order: Order,
    /// None in a run without live transactions of its own.
    pub(super) commits: Option<Arc<Commits>>,
    /// Different transactions of the feed that came.
    pub(super) fed: u64,
    pub(super) clock: Option<Arc<Clock>>,
    /// When the stream was asked for; none once the first event has come.
    pub(super) asked: Option<Instant>,
}

impl Receiver {
    pub(super) fn new(lane: Arc<StreamLane>, commits: Option<Arc<Commits>>) -> Self {
        Self {
            lane,
            order: Order::default(),
            commits,
            fed: 0,
            clock: None,
            asked: None,
        }
    }

    /// Notes what a read brought, at the moment `now`.
    pub(super) fn take(
        &mut self,
        tally: &mut StreamTally,
        now: Moment,
        event: Result<Event<'_>, &'static str>,
    ) {
        let event = match event {
            Ok(event) if event.sequence > 0 => event,
            Ok(_) => return tally.error("event without a sequence"),
            Err(wrong) => return tally.error(wrong),
        };
        if let Some(asked) = self.asked.take() {
            record(&mut tally.first_event, now.at - asked);
        }
        tally.delivered += 1;
        tally.last_event = Some(now.at);
        let arrival = self.order.note(event.sequence);
        let sent = self.commit(tally, now, &event, arrival);
        if self.part(sent.unwrap_or(now.at)) == Part::Measured {
            tally.measured += 1;
            if event.emitted_at_us > 0 {
                // Where the clocks disagree the delay may be negative: it counts as the shortest.
                let delay = now.wall_us.saturating_sub(event.emitted_at_us);
                let delay = Duration::from_micros(u64::try_from(delay).unwrap_or(0));
                record(&mut tally.from_emitted, delay);
            }
        }
    }

    /// Notes the delays since the commit; gives when that was sent, for an event of the feed.
    fn commit(
        &mut self,
        tally: &mut StreamTally,
        now: Moment,
        event: &Event<'_>,
        arrival: Arrival,
    ) -> Option<Instant> {
        let commits = self.commits.as_ref()?;
        let number = commits.number(event.tx_id)?;
        let sent = commits.sent(number)?;
        if arrival != Arrival::Again {
            self.fed += 1;
        }
        if self.part(sent) == Part::Measured {
            record(
                &mut tally.from_commit_sent,
                now.at.saturating_duration_since(sent),
            );
            let answered = commits.answered(number);
            let after_answer =
                answered.and_then(|answered| now.at.checked_duration_since(answered));
            tally.before_answer += u64::from(after_answer.is_none());
            record(
                &mut tally.from_commit_answered,
                after_answer.unwrap_or_default(),
            );
        }
        Some(sent)
    }

    /// How far it is behind so many commits.
    pub(super) fn behind(&self, committed: u64) -> Behind {
        // Transactions come in about the order of their numbers: the first that has not come is the one after as many as came.
        let next = (self.fed < committed).then_some(self.fed);
        let sent = next.and_then(|next| self.commits.as_ref()?.sent(next));
        Behind {
            events: committed.saturating_sub(self.fed),
            time: sent.map_or(Duration::ZERO, |sent| sent.elapsed()),
        }
    }

    fn part(&self, at: Instant) -> Part {
        self.clock
            .as_ref()
            .map_or(Part::WarmUp, |clock| clock.part(at))
    }
}
