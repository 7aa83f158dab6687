//! One run of the lab's own generator, `benchmark`.

use std::path::PathBuf;

use lab_host::environment::cores;

/// What to run.
#[derive(Clone, Debug)]
pub struct BenchmarkJob {
    /// Arguments of the program.
    pub arguments: Vec<String>,
    /// Where its output goes.
    pub log: PathBuf,
}

/// Threads that make the load: half the machine's cores, so that what is measured has the others.
#[must_use]
pub fn threads() -> usize {
    (cores() / 2).max(1)
}
