//! Worker threads: as many as the process may use at once, the same rule for every service.

use std::io;
use std::num::NonZeroUsize;

mod own;
mod workers;

pub use own::of_this_thread;
pub use workers::{Placed, Workers};

/// More threads than a machine has processors.
const MOST: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// How many threads do the work.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct ThreadsConfig {
    /// Worker threads [default: the CPUs that the process may use, by affinity and cgroup quota]
    #[arg(long, env = "WORKER_THREADS", value_name = "N", value_parser = crate::config::count(NonZeroUsize::MIN..=MOST))]
    pub worker_threads: Option<NonZeroUsize>,
}

impl ThreadsConfig {
    /// The number of worker threads. The standard library counts what affinity and the cgroup's quota
    /// (v1 and v2, rounded down, at least 1) allow.
    pub fn count(&self) -> usize {
        self.worker_threads
            .or_else(|| std::thread::available_parallelism().ok())
            .map_or(1, NonZeroUsize::get)
    }
}

/// A multi-threaded tokio runtime with `threads` workers.
///
/// # Errors
/// The operating system gives no threads.
pub fn runtime(threads: usize) -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.max(1))
        .enable_all()
        .build()
}
