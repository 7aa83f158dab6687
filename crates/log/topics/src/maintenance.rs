//! What is done for topics in the background, by one thread: syncing what was written buffered, and retention.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::catalog::Catalog;
use super::log::Log;
use super::options::Options;

/// More partitions than these are synced together.
const ONE_BY_ONE: usize = 16;

/// The thread. It ends when this is stopped or dropped.
#[derive(Debug)]
pub(crate) struct Maintenance(Mutex<Option<Running>>);

#[derive(Debug)]
struct Running {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Maintenance {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system gives none.
    pub(crate) fn start(catalog: Arc<Catalog>, options: &Options) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let (sync, retention) = (options.sync_interval, options.retention_interval);
        let thread = std::thread::Builder::new()
            .name("topics".to_owned())
            .spawn(move || run(&catalog, sync, retention, &stopped))?;
        Ok(Self(Mutex::new(Some(Running { stop, thread }))))
    }

    /// Syncs once more, then waits for the end of the thread.
    pub(crate) fn stop(&self) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { stop, thread }) = running else {
            return;
        };
        drop(stop);
        if thread.join().is_err() {
            tracing::error!("the thread behind topics ended abnormally");
        }
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(catalog: &Catalog, sync: Duration, retention: Duration, stopped: &mpsc::Receiver<()>) {
    let mut retained_at = Instant::now();
    loop {
        let wait = sync.min(retention.saturating_sub(retained_at.elapsed()));
        match stopped.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
        sync_all(catalog);
        if retained_at.elapsed() >= retention {
            for topic in catalog.all() {
                topic
                    .partitions
                    .iter()
                    .for_each(super::topic::Partition::retain);
            }
            retained_at = Instant::now();
        }
    }
    sync_all(catalog);
}

fn sync_all(catalog: &Catalog) {
    let topics = catalog.all();
    let logs = topics
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(|partition| &*partition.log);
    let dirty: Vec<&Log> = logs
        .filter(|log| log.is_dirty() && log.failure().is_none())
        .collect();
    if dirty.len() > ONE_BY_ONE && cfg!(target_os = "linux") {
        return sync_together(&dirty, catalog.folder());
    }
    for log in dirty {
        // A failure is logged there, and stops the partition.
        drop(log.sync());
    }
}

/// Syncs the file system that has `folder`: one wait for the disk rather than several for each of thousands.
fn sync_together(dirty: &[&Log], folder: &Path) {
    let written: Vec<_> = dirty.iter().map(|log| (log, log.written())).collect();
    if let Err(error) = sync_file_system(folder) {
        dirty.iter().for_each(|log| log.fail(&error));
        return;
    }
    for (log, written) in written {
        // A failure is logged there, and stops the partition.
        drop(log.note_all_synced(written));
    }
}

#[cfg(target_os = "linux")]
fn sync_file_system(folder: &Path) -> io::Result<()> {
    Ok(nix::unistd::syncfs(std::fs::File::open(folder)?)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(_: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
