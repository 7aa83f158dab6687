//! An event that comes while nobody writes its shard is written by its own request, at once: on a connection of the
//! request's own thread, no other thread has to be woken.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::Event;
use runtime::detach::DetachOnDrop;
use runtime::postgres::Database;
use runtime::wakeups::Forwarded;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::batch::{self, Rows};
use crate::caller::{Answer, Caller, Waiting};
use crate::error::{IngestError, Outcome};
use crate::metrics::IngestMetrics;
use crate::queue::Lead;
use crate::trouble::Trouble;
use crate::writer::{self, Failure};

/// How long a lone event waits for a row that another transaction has locked, before it is left to the writer. What comes
/// meanwhile waits behind it.
const LOCK_WAIT: Duration = Duration::from_millis(20);
/// From one try to open a connection to the next.
const OPEN_AGAIN: Duration = Duration::from_secs(1);

/// What requests write their own events with.
#[derive(Debug)]
pub(crate) struct Lone {
    /// On the runtime that the requests run on.
    pub(crate) database: Database,
    pub(crate) metrics: IngestMetrics,
    pub(crate) trouble: Arc<Trouble>,
    /// Cancelled when what is being written is to be refused.
    pub(crate) refuse: CancellationToken,
    /// Whether a connection is being opened.
    pub(crate) is_opening: AtomicBool,
}

impl Lone {
    /// Whether an event could be written now without waiting for a connection. If not, one is opened for the next event.
    pub(crate) fn is_ready(self: &Arc<Self>) -> bool {
        if self.trouble.is_known() {
            return false;
        }
        let is_ready = self.database.has_idle();
        if !is_ready && !self.is_opening.swap(true, Ordering::AcqRel) {
            let lone = Arc::clone(self);
            let open = async move {
                match lone.database.connection().await {
                    Ok(connection) => connection.give_back(),
                    Err(error) => {
                        tracing::debug!(error = %error.chain(), "no connection for lone events");
                        tokio::time::sleep(OPEN_AGAIN).await;
                    }
                }
                lone.is_opening.store(false, Ordering::Release);
            };
            // It ends by itself: connections are opened within a limit.
            drop(tokio::spawn(open));
        }
        is_ready
    }

    /// Writes an event in its request's turn. Once begun it goes on even if the request is dropped, as it would with a
    /// writer: a client that leaves closes no connection to the database.
    pub(crate) fn write(
        self: &Arc<Self>,
        lead: Lead,
        event: Event,
        deadline: Instant,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        let work = Arc::clone(self).written(lead, event, deadline);
        DetachOnDrop::new(work)
    }

    async fn written(self: Arc<Self>, lead: Lead, event: Event, deadline: Instant) -> Outcome {
        let started = Instant::now();
        let written = {
            let rows = batch::fold(event.entities().iter());
            tokio::select! {
                biased;
                written = self.upsert(&rows) => written,
                () = self.refuse.cancelled() => Err(Failure::Refused),
                () = lead.overdue() => Err(Failure::Abandoned),
            }
        };
        match written {
            Ok(()) => {
                self.metrics.led();
                self.metrics.committed(1, started.elapsed());
                self.trouble.is_over();
                Ok(())
            }
            // Nothing was written, and the writer knows what to do about it.
            Err(Failure::Database { error, sent }) if !(sent && error.is_connection_lost()) => {
                tracing::debug!(error = %error.chain(), "a lone event is left to the writer");
                let (sender, receiver) = oneshot::channel();
                let caller = Caller::new(Answer::One(sender), deadline);
                lead.hand_over(Waiting { event, caller });
                let outcome = Forwarded(receiver).await;
                outcome.unwrap_or(Err(IngestError::Internal))
            }
            Err(failure) => Err(failure.report()),
        }
    }

    async fn upsert(&self, rows: &Rows<'_>) -> Result<(), Failure> {
        let connection = self.database.connection().await;
        let connection = connection.map_err(|error| Failure::Database { error, sent: false })?;
        writer::upsert(connection, rows, LOCK_WAIT).await
    }
}
