//! The log as it is served: counted while it works for a client, with a time limit, until the service stops.

use std::sync::Arc;
use std::time::Duration;

use domain::Kind;
use hash_chain::{Appended, ChainError, Chunk, Entries, Entry, Log, Verification};
use runtime::shutdown::{Guard, InFlight, ShuttingDown};
use runtime::status::Failure;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use topics::TopicsError;

use crate::anchors::{AnchorError, Anchors};

/// Chains that are verified at a time, which bounds their memory. They share turns at the cores
/// ([`hash_chain::Checks`]), so that a short chain does not wait for a long one.
const VERIFICATIONS: usize = 16;

/// Why something was not done. `Display` is what the client may see.
#[derive(Debug, thiserror::Error)]
pub enum ServedError {
    /// The log refused.
    #[error(transparent)]
    Log(#[from] ChainError),
    /// The anchors cannot be read.
    #[error("the anchors cannot be read: {0}")]
    Anchors(TopicsError),
    /// `REQUEST_TIMEOUT` passed.
    #[error("not written in time; the entry may be stored all the same")]
    Timeout,
    /// The service stops.
    #[error("shutting down")]
    ShuttingDown,
}

impl ServedError {
    /// Whether the caller sent what the log does not take.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Log(error) if error.is_refusal())
    }
}

impl From<ShuttingDown> for ServedError {
    fn from(_: ShuttingDown) -> Self {
        Self::ShuttingDown
    }
}

impl From<AnchorError> for ServedError {
    fn from(error: AnchorError) -> Self {
        match error {
            AnchorError::Topic(error) => Self::Anchors(error),
            AnchorError::Chain(error) => Self::Log(error),
        }
    }
}

impl From<ServedError> for Failure {
    /// Logs what the client is not told.
    fn from(error: ServedError) -> Self {
        let kind = match &error {
            ServedError::Log(error) => error.kind(),
            ServedError::Anchors(error) => error.kind(),
            ServedError::Timeout | ServedError::ShuttingDown => Kind::Unavailable,
        };
        if let ServedError::Log(ChainError::Io(source)) = &error {
            tracing::error!(error = %source, "a file of the log cannot be used");
        }
        Failure::new(kind, error.to_string())
    }
}

/// What both faces call. Clones share everything.
#[derive(Clone, Debug)]
pub struct Served {
    log: Log,
    in_flight: InFlight,
    timeout: Duration,
    verifications: Arc<Semaphore>,
    anchors: Option<Anchors>,
}

impl Served {
    /// Serves `log`; an append takes `timeout` at most. A check of a chain compares it with its `anchors`.
    #[must_use]
    pub fn new(log: Log, in_flight: InFlight, timeout: Duration, anchors: Option<Anchors>) -> Self {
        Self {
            log,
            in_flight,
            timeout,
            verifications: Arc::new(Semaphore::new(VERIFICATIONS)),
            anchors,
        }
    }

    /// Appends JSON text.
    ///
    /// # Errors
    /// As [`Log::append`]; not done in time, when it may be stored all the same; the service stops.
    pub async fn append(&self, partition: &str, data: &[u8]) -> Result<Appended, ServedError> {
        let append = tokio::time::timeout(self.timeout, self.log.append(partition, data));
        let appended = self.in_flight.run(append).await?;
        Ok(appended.map_err(|_| ServedError::Timeout)??)
    }

    /// Entries that are there now.
    ///
    /// # Errors
    /// As [`Log::read`]; the service stops.
    pub async fn read(
        &self,
        partition: &str,
        start: Option<u64>,
        limit: Option<u64>,
    ) -> Result<ServedEntries, ServedError> {
        let guard = self.in_flight.enter()?;
        let entries = self.log.read(partition, start, limit).await?;
        Ok(self.served(entries, Some(guard)))
    }

    /// Entries, and with `follow` those to come.
    ///
    /// # Errors
    /// As [`Log::tail`]; the service stops.
    pub async fn tail(
        &self,
        partition: &str,
        start: Option<u64>,
        follow: bool,
    ) -> Result<ServedEntries, ServedError> {
        let guard = self.in_flight.enter()?;
        let entries = self.log.tail(partition, start, follow).await?;
        Ok(self.served(entries, Some(guard).filter(|_| !follow)))
    }

    /// Checks a whole chain, against its anchors too where there are any.
    ///
    /// # Errors
    /// The file or the anchors cannot be read; the service stops.
    pub async fn verify(&self, partition: &str) -> Result<Verification, ServedError> {
        let verify = async {
            // The semaphore is never closed.
            let _turn = self.verifications.acquire().await.ok();
            let verify = self.log.verify(partition);
            match &self.anchors {
                Some(anchors) => Ok(anchors.verify(&self.log, partition, verify).await?),
                None => Ok::<_, ServedError>(verify.await?),
            }
        };
        self.in_flight.run(verify).await?
    }

    /// The last entry, if there is the partition and an entry.
    ///
    /// # Errors
    /// A bad name; damage; the file cannot be read; the service stops.
    pub async fn last(&self, partition: &str) -> Result<Option<Entry>, ServedError> {
        match self.in_flight.run(self.log.last(partition)).await? {
            Err(ChainError::NotFound(_)) => Ok(None),
            last => Ok(last?),
        }
    }

    /// The names of all partitions.
    ///
    /// # Errors
    /// The directory cannot be read; the service stops.
    pub async fn list(&self) -> Result<Vec<String>, ServedError> {
        Ok(self.in_flight.run(self.log.list()).await??)
    }

    fn served(&self, entries: Entries, guard: Option<Guard>) -> ServedEntries {
        let end = if guard.is_some() {
            self.in_flight.refused()
        } else {
            // With nothing unanswered it is no work that the stop waits for.
            self.in_flight.stop()
        };
        ServedEntries {
            entries,
            end: end.clone(),
            _guard: guard,
        }
    }
}

/// Entries on their way to a client.
#[derive(Debug)]
pub struct ServedEntries {
    entries: Entries,
    end: CancellationToken,
    /// A reading that has an end is finished before the service stops.
    _guard: Option<Guard>,
}

impl ServedEntries {
    /// The next entries; `None` at the end.
    ///
    /// # Errors
    /// Damage; the file cannot be read; the service stops. Nothing follows.
    pub async fn next(&mut self) -> Result<Option<Chunk>, ServedError> {
        tokio::select! {
            biased;
            () = self.end.cancelled() => Err(ServedError::ShuttingDown),
            chunk = self.entries.next() => Ok(chunk?),
        }
    }
}
