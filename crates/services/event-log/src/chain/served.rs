//! The log as it is served: counted while it works for a client, with a time limit, until the service stops.

use std::sync::Arc;
use std::time::Duration;

use runtime::shutdown::{Guard, InFlight};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::entries::Entries;
use super::entry::{Appended, Entry};
use super::error::ChainError;
use super::log::Log;
use super::reader::Chunk;
use super::verify::Verification;

/// Chains that are verified at a time: one takes all cores.
const VERIFICATIONS: usize = 2;

/// What both faces call. Clones share everything.
#[derive(Clone, Debug)]
pub struct Served {
    log: Log,
    in_flight: InFlight,
    timeout: Duration,
    verifications: Arc<Semaphore>,
}

impl Served {
    /// Serves `log`; an append takes `timeout` at most.
    #[must_use]
    pub fn new(log: Log, in_flight: InFlight, timeout: Duration) -> Self {
        Self {
            log,
            in_flight,
            timeout,
            verifications: Arc::new(Semaphore::new(VERIFICATIONS)),
        }
    }

    /// Appends JSON text.
    ///
    /// # Errors
    /// As [`Log::append`]; not done in time, when it may be stored all the same; the service stops.
    pub async fn append(&self, partition: &str, data: &[u8]) -> Result<Appended, ChainError> {
        let append = tokio::time::timeout(self.timeout, self.log.append(partition, data));
        let appended = self.in_flight.run(append).await?;
        appended.map_err(|_| ChainError::Timeout)?
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
    ) -> Result<ServedEntries, ChainError> {
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
    ) -> Result<ServedEntries, ChainError> {
        let guard = self.in_flight.enter()?;
        let entries = self.log.tail(partition, start, follow).await?;
        Ok(self.served(entries, Some(guard).filter(|_| !follow)))
    }

    /// Checks a whole chain.
    ///
    /// # Errors
    /// The file cannot be read; the service stops.
    pub async fn verify(&self, partition: &str) -> Result<Verification, ChainError> {
        let verify = async {
            // The semaphore is never closed.
            let _turn = self.verifications.acquire().await.ok();
            self.log.verify(partition).await
        };
        self.in_flight.run(verify).await?
    }

    /// The last entry, if there is the partition and an entry.
    ///
    /// # Errors
    /// A bad name; damage; the file cannot be read; the service stops.
    pub async fn last(&self, partition: &str) -> Result<Option<Entry>, ChainError> {
        match self.in_flight.run(self.log.last(partition)).await? {
            Err(ChainError::NotFound(_)) => Ok(None),
            last => last,
        }
    }

    /// The names of all partitions.
    ///
    /// # Errors
    /// The directory cannot be read; the service stops.
    pub async fn list(&self) -> Result<Vec<String>, ChainError> {
        self.in_flight.run(self.log.list()).await?
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
    pub async fn next(&mut self) -> Result<Option<Chunk>, ChainError> {
        tokio::select! {
            biased;
            () = self.end.cancelled() => Err(ChainError::ShuttingDown),
            chunk = self.entries.next() => chunk,
        }
    }
}
