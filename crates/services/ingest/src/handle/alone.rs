//! An event written by itself: the write modes without group commit.

use std::time::Duration;

use domain::Event;
use runtime::postgres::{Cause, DatabaseError};
use tokio::time::{Instant, timeout_at};

use super::Ingest;
use crate::batch;
use crate::config::WriteMode;
use crate::error::{IngestError, Outcome};
use crate::store;
use crate::wait::Wait;

/// How long an event that is written alone waits for a row that another transaction has locked, with a connection that
/// others wait for.
const LOCK_WAIT: Duration = Duration::from_millis(100);
/// Pause before the event is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

impl Ingest {
    /// Writes one event on a pooled connection of its own, or to Kafka: the write modes without group commit.
    #[cfg_attr(
        not(feature = "kafka"),
        expect(unused_variables, reason = "what PostgreSQL has committed is merged")
    )]
    pub(crate) async fn write_alone(
        &self,
        event: &Event,
        wait: Wait,
        deadline: Instant,
    ) -> Outcome {
        #[cfg(feature = "kafka")]
        if let Some(kafka) = &self.shared.kafka {
            return kafka.submit(event, wait, deadline).await;
        }
        let rows = batch::fold(event.entities().iter());
        let write = async {
            loop {
                let error = match self.write_once(&rows).await {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                };
                // Nothing was written. The connection goes back meanwhile: others must not wait for it.
                if !matches!(error.cause(), Cause::Locked | Cause::Conflict) {
                    return Err(IngestError::report(&error));
                }
                tracing::debug!(error = %error.chain(), "an event is tried again");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        };
        tokio::select! {
            biased;
            written = timeout_at(deadline, write) => written.unwrap_or(Err(IngestError::Timeout)),
            () = self.shared.refuse.cancelled() => Err(IngestError::ShuttingDown),
        }
    }

    async fn write_once(&self, rows: &batch::Rows<'_>) -> Result<(), DatabaseError> {
        let connection = self.shared.database.connection().await?;
        let started = Instant::now();
        let written = match self.shared.config.write_mode {
            WriteMode::ReadThenWrite => store::read_then_write(&connection, rows).await,
            // Kafka never comes here.
            _ => store::upsert(&connection, rows, LOCK_WAIT).await,
        };
        connection.give_back_after(&written);
        if written.is_ok() {
            self.shared.metrics.committed(1, started.elapsed());
            self.shared.trouble.is_over();
        }
        written
    }
}
