//! Who reads the metrics database of a checkout, so that nobody stops it under them.
//!
//! A reader holds a shared lock on a file of the state directory for as long as it reads. Who starts or stops the server
//! takes the exclusive one, so it waits for the readers, and new readers wait for it.

use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::state::State;

/// Between two attempts to take the lock.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A shared lock: while it lives, nobody stops the server. Dropping it never waits.
#[derive(Debug)]
pub struct Reading {
    _file: File,
}

/// The exclusive lock: nobody reads.
#[derive(Debug)]
pub struct Alone {
    file: File,
}

impl Alone {
    /// Goes on as a reader. Whoever waits for the exclusive lock meanwhile may get it first.
    ///
    /// # Errors
    /// The operating system refuses the lock.
    pub fn share(self) -> Result<Reading> {
        // flock(2) converts the lock of an open file; in between another process may take it.
        self.file.lock_shared()?;
        Ok(Reading { _file: self.file })
    }
}

/// Waits until nobody starts or stops the server, and keeps it running.
///
/// # Errors
/// The lock cannot be had within `limit`.
pub async fn read(state: &State, limit: Duration) -> Result<Reading> {
    let file = open(state)?;
    wait(limit, || file.try_lock_shared()).await.context(
        "the metrics database is being started or stopped: run the command again in a moment",
    )?;
    Ok(Reading { _file: file })
}

/// Waits until nobody reads.
///
/// # Errors
/// Somebody still reads after `limit`.
pub async fn alone(state: &State, limit: Duration) -> Result<Alone> {
    let file = open(state)?;
    wait(limit, || file.try_lock()).await.with_context(|| {
        format!(
            "another command still reads the metrics database after {} s",
            limit.as_secs()
        )
    })?;
    Ok(Alone { file })
}

/// The exclusive lock, where nobody reads at this moment. For a place that cannot wait.
#[must_use]
pub fn try_alone(state: &State) -> Option<Alone> {
    let file = open(state).ok()?;
    file.try_lock().ok()?;
    Some(Alone { file })
}

fn open(state: &State) -> Result<File> {
    let path = state.dir.join("readers");
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    options
        .open(&path)
        .with_context(|| format!("{}", path.display()))
}

async fn wait(
    limit: Duration,
    mut attempt: impl FnMut() -> Result<(), TryLockError>,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                anyhow::bail!("the lock is held")
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(120);
    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn who_stops_the_server_waits_for_its_readers() {
        let directory = tempfile::tempdir().unwrap();
        let state = State {
            dir: directory.path().into(),
            account: None,
        };
        let (first, second) = (
            read(&state, SHORT).await.unwrap(),
            read(&state, SHORT).await.unwrap(),
        );
        let error = alone(&state, SHORT).await.unwrap_err();
        assert!(format!("{error:#}").contains("still reads"), "{error:#}");
        assert!(try_alone(&state).is_none());
        drop(first);
        let waiting = alone(&state, LONG);
        let (stopping, ()) = tokio::join!(waiting, async { drop(second) });
        let stopping = stopping.unwrap();
        // New readers wait for who stops it.
        let error = read(&state, SHORT).await.unwrap_err().to_string();
        assert!(error.contains("run the command again"), "{error}");
        let (reading, ()) = tokio::join!(read(&state, LONG), async { drop(stopping) });
        drop(reading.unwrap());
        assert!(try_alone(&state).is_some());
    }
}
