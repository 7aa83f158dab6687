//! Who waits for an event, and until when. Every caller gets one answer, whatever happens.

use std::sync::Arc;

use domain::Event;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::bulk::Bulk;
use crate::error::{IngestError, Outcome};

/// An event that waits, and who waits for it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) event: Event,
    pub(crate) caller: Caller,
}

/// Who waits for an event, and until when. Dropped without an answer, it answers [`IngestError::Internal`].
#[derive(Debug)]
pub(crate) struct Caller {
    /// Taken when it was used: everyone is answered once.
    answer: Option<Answer>,
    deadline: Instant,
}

/// Where an outcome goes.
#[derive(Debug)]
pub(crate) enum Answer {
    One(oneshot::Sender<Outcome>),
    /// One of many, told apart by index. The channel has room for all that can be under way, see [`crate::Lane`].
    OfMany(u64, mpsc::Sender<(u64, Outcome)>),
    /// One of a bulk request, by its place there.
    OfBulk(usize, Arc<Bulk>),
}

impl Caller {
    pub(crate) fn new(answer: Answer, deadline: Instant) -> Self {
        Self {
            answer: Some(answer),
            deadline,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Sends the outcome, unless one was sent. A caller that is gone is no error.
    pub(crate) fn answer(&mut self, outcome: Outcome) {
        match self.answer.take() {
            Some(Answer::One(sender)) => drop(sender.send(outcome)),
            Some(Answer::OfMany(index, sender)) => drop(sender.try_send((index, outcome))),
            Some(Answer::OfBulk(place, bulk)) => bulk.answer(place, outcome),
            None => {}
        }
    }

    /// Answers a caller whose deadline has passed with `reason`. Whether it still waits.
    pub(crate) fn expire(&mut self, now: Instant, reason: &IngestError) -> bool {
        if self.deadline <= now {
            self.answer(Err(reason.clone()));
        }
        self.is_waiting()
    }

    /// Whether an outcome still has somebody to go to.
    pub(crate) fn is_waiting(&self) -> bool {
        match &self.answer {
            Some(Answer::One(sender)) => !sender.is_closed(),
            Some(Answer::OfMany(_, sender)) => !sender.is_closed(),
            Some(Answer::OfBulk(_, bulk)) => bulk.is_waiting(),
            None => false,
        }
    }

    /// Whether the event came on a lane, whose order counts.
    pub(crate) fn is_on_lane(&self) -> bool {
        matches!(self.answer, Some(Answer::OfMany(..) | Answer::OfBulk(..)))
    }

    /// Whether both events came on one lane, whose order counts.
    pub(crate) fn shares_lane(&self, other: &Self) -> bool {
        match (&self.answer, &other.answer) {
            (Some(Answer::OfMany(_, mine)), Some(Answer::OfMany(_, theirs))) => {
                mine.same_channel(theirs)
            }
            (Some(Answer::OfBulk(_, mine)), Some(Answer::OfBulk(_, theirs))) => {
                Arc::ptr_eq(mine, theirs)
            }
            _ => false,
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if self.is_waiting() {
            tracing::error!("an event was dropped without an outcome");
            self.answer(Err(IngestError::Internal));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_is_dropped_without_an_answer_is_told_so() {
        let (sender, mut receiver) = oneshot::channel();
        drop(Caller::new(Answer::One(sender), Instant::now()));
        assert_eq!(receiver.try_recv(), Ok(Err(IngestError::Internal)));
    }

    #[test]
    fn the_first_answer_is_the_only_one() {
        let (sender, mut receiver) = mpsc::channel(2);
        let mut caller = Caller::new(Answer::OfMany(7, sender), Instant::now());
        caller.answer(Ok(()));
        caller.answer(Err(IngestError::Timeout));
        drop(caller);
        assert_eq!(receiver.try_recv(), Ok((7, Ok(()))));
        assert!(receiver.try_recv().is_err());
    }

    #[test]
    fn nobody_expires_before_the_deadline() {
        let now = Instant::now();
        let (sender, mut receiver) = oneshot::channel();
        let mut caller = Caller::new(Answer::One(sender), now + Duration::from_millis(1));
        assert!(caller.expire(now, &IngestError::Timeout));
        assert!(receiver.try_recv().is_err());
        assert!(!caller.expire(caller.deadline(), &IngestError::Timeout));
        assert_eq!(receiver.try_recv(), Ok(Err(IngestError::Timeout)));
    }

    #[test]
    fn events_of_one_channel_share_a_lane() {
        let (one, _kept) = mpsc::channel(2);
        let (two, _kept) = mpsc::channel(2);
        let of = |index, sender: &mpsc::Sender<_>| {
            Caller::new(Answer::OfMany(index, sender.clone()), Instant::now())
        };
        assert!(of(0, &one).shares_lane(&of(1, &one)));
        assert!(!of(0, &one).shares_lane(&of(0, &two)));
        let (single, _kept) = oneshot::channel();
        let single = Caller::new(Answer::One(single), Instant::now());
        assert!(!single.shares_lane(&of(0, &one)));
    }
}
