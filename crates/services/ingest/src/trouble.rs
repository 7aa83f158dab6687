//! What the writers know about a database that takes no writes for now.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use runtime::postgres::Cause;
use tokio::time::Instant;

/// How long a failed write makes the service unhealthy if nothing was written since: a probe that writes nothing
/// cannot detect that the disk is full. After that time the service reports healthy, so that it gets traffic again.
const SPEAKS_FOR: Duration = Duration::from_secs(5);

/// Shared by the writers of a process.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// How long events are held back, counted from the first write that failed.
    patience: Duration,
    is_known: AtomicBool,
    known: Mutex<Option<Known>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    since: Instant,
    last: Instant,
    cause: Cause,
}

impl Trouble {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            patience,
            is_known: AtomicBool::new(false),
            known: Mutex::default(),
        }
    }

    /// Records a write that failed although its events are valid. Returns whether another try is worthwhile.
    pub(crate) fn may_pass(&self, cause: Cause) -> bool {
        self.may_pass_at(cause, Instant::now())
    }

    fn may_pass_at(&self, cause: Cause, now: Instant) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match *known {
            Some(known) if now - known.last <= self.patience + SPEAKS_FOR => known.since,
            _ => now,
        };
        *known = Some(Known {
            since,
            last: now,
            cause,
        });
        self.is_known.store(true, Ordering::Relaxed);
        now - since < self.patience
    }

    /// Whether the last write failed.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    /// Records a write that succeeded.
    pub(crate) fn is_over(&self) {
        if self.is_known() {
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.is_known.store(false, Ordering::Relaxed);
        }
    }

    /// Why writes fail, if a probe of the database cannot detect it.
    pub(crate) fn hidden_from_probes(&self) -> Option<Cause> {
        self.hidden_from_probes_at(Instant::now())
    }

    fn hidden_from_probes_at(&self, now: Instant) -> Option<Cause> {
        let known = (*self.known.lock().unwrap_or_else(PoisonError::into_inner))?;
        let hidden = matches!(known.cause, Cause::DiskFull | Cause::OutOfResources);
        (hidden && now - known.last < SPEAKS_FOR).then_some(known.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_held_back_for_a_while_and_then_answered_at_once() {
        let trouble = Trouble::new(Duration::from_secs(2));
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(trouble.may_pass_at(Cause::ReadOnly, at(0)));
        assert!(trouble.may_pass_at(Cause::ReadOnly, at(1)));
        assert!(!trouble.may_pass_at(Cause::ReadOnly, at(2)));
        assert!(!trouble.may_pass_at(Cause::ReadOnly, at(8)));
        // Nobody has written for so long that it is another trouble.
        assert!(trouble.may_pass_at(Cause::ReadOnly, at(60)));
        trouble.is_over();
        assert!(trouble.may_pass_at(Cause::ReadOnly, at(63)));
    }

    #[test]
    fn a_full_disk_speaks_against_the_health_until_something_is_written() {
        let trouble = Trouble::new(Duration::ZERO);
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(!trouble.may_pass_at(Cause::DiskFull, begun));
        assert_eq!(trouble.hidden_from_probes_at(at(4)), Some(Cause::DiskFull));
        assert_eq!(trouble.hidden_from_probes_at(at(5)), None);
        trouble.is_over();
        assert_eq!(trouble.hidden_from_probes_at(at(1)), None);
        // A probe detects this itself.
        assert!(!trouble.may_pass_at(Cause::ReadOnly, begun));
        assert_eq!(trouble.hidden_from_probes_at(at(1)), None);
    }
}
