//! Gives transactions their numbers: `docs/decisions/0004-stream-numbering.md` says why it is done so.
//!
//! One process numbers at a time, whichever holds an advisory lock; the lock ends with its session. Correctness does not
//! depend on it: numbers and transactions are unique in the table, and a transaction never gets a second number.

use std::time::Duration;

use runtime::postgres::DatabaseError;
use tokio::time::Instant;

use crate::connections::Session;
use crate::metrics::StreamMetrics;
use crate::snapshot::Snapshot;
use crate::store::{self, Look, Most};

/// Pause between two tries to become the numberer.
const TRY_EVERY: Duration = Duration::from_millis(500);
/// How much a new numberer has to look at again, at most.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// A look that finds at least this many transactions writes a log line.
const MANY: u64 = 10_000;

/// The numberer, or one who waits to become it, on one session.
#[derive(Debug)]
pub(crate) struct Numberer {
    metrics: StreamMetrics,
    leading: bool,
    /// Whether a look has succeeded since then.
    told: bool,
    try_at: Instant,
    /// The snapshot of the last look of this session: while a session lives, its cluster has not crashed, and ids of
    /// transactions are not given again.
    before: Option<Snapshot>,
    unsaved: bool,
    save_at: Instant,
}

impl Numberer {
    pub(crate) fn new(metrics: StreamMetrics) -> Self {
        let now = Instant::now();
        metrics.leading.set(0);
        Self {
            metrics,
            leading: false,
            told: false,
            try_at: now,
            before: None,
            unsaved: false,
            save_at: now,
        }
    }

    /// Numbers what has become visible since the last look, and gives back the first `most` of it; `None` where another
    /// process numbers.
    pub(crate) async fn look(
        &mut self,
        session: &Session,
        most: Most,
    ) -> Result<Option<Look>, DatabaseError> {
        if !self.leading && !self.lead(session).await? {
            return Ok(None);
        }
        let begun = Instant::now();
        let look = store::number(session, self.before.as_ref(), most).await?;
        let took = begun.elapsed();
        if !std::mem::replace(&mut self.told, true) {
            match &self.before {
                Some(before) => {
                    tracing::info!(since = %before, "this process numbers transactions")
                }
                None => tracing::info!("this process numbers transactions, from the first"),
            }
        }
        self.metrics.looked(look.numbered, took);
        if look.numbered >= MANY {
            tracing::info!(
                transactions = look.numbered,
                took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                "numbered many transactions"
            );
        }
        self.unsaved |= look.numbered > 0;
        self.before = Some(look.snapshot.clone());
        if self.unsaved && begun >= self.save_at {
            store::save_look(session, &look.snapshot).await?;
            self.unsaved = false;
            self.save_at = Instant::now() + SAVE_EVERY;
        }
        Ok(Some(look))
    }

    async fn lead(&mut self, session: &Session) -> Result<bool, DatabaseError> {
        let now = Instant::now();
        if now < self.try_at {
            return Ok(false);
        }
        self.try_at = now + TRY_EVERY;
        self.leading = store::try_lead(session).await?;
        if self.leading {
            self.metrics.leading.set(1);
            self.before = store::saved_look(session).await?;
            self.unsaved = true;
        }
        Ok(self.leading)
    }
}
