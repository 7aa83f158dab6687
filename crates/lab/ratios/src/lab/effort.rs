//! What the threads of one process did so far, exactly: the scheduler counts nanoseconds, where the process's own times are
//! counted in ticks of 10 ms.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// CPU time and switches of all threads of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effort {
    pub(super) cpu_seconds: f64,
    /// How often a thread stopped running, by itself or not.
    pub(super) switches: u64,
}

impl Effort {
    /// So far. A thread that has ended no longer counts; services keep theirs.
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let tasks = format!("/proc/{pid}/task");
        let mut effort = Self::default();
        for task in fs::read_dir(&tasks).with_context(|| format!("process {pid} is gone"))? {
            effort.add(&task?.path());
        }
        Ok(effort)
    }

    fn add(&mut self, task: &Path) {
        // A thread may end meanwhile.
        let read = |file| fs::read_to_string(task.join(file)).unwrap_or_default();
        let running = read("schedstat");
        let nanoseconds = running.split_whitespace().next();
        let nanoseconds: u64 = nanoseconds.and_then(|ns| ns.parse().ok()).unwrap_or(0);
        self.cpu_seconds += nanoseconds as f64 / 1e9;
        let status = read("status");
        let counts = status
            .lines()
            .filter(|line| line.contains("ctxt_switches:"));
        let counts = counts.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        self.switches += counts.sum::<u64>();
    }

    /// What was done since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            cpu_seconds: self.cpu_seconds - before.cpu_seconds,
            switches: self.switches.saturating_sub(before.switches),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn work_and_waiting_of_all_threads_are_counted() {
        let before = Effort::of(std::process::id()).unwrap();
        let (stay, stayed) = std::sync::mpsc::channel::<()>();
        let (done, is_done) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(50) {
                std::hint::black_box(begun);
            }
            std::thread::sleep(Duration::from_millis(1));
            done.send(()).unwrap();
            stayed.recv().ok();
        });
        is_done.recv().unwrap();
        let effort = Effort::of(std::process::id()).unwrap().since(before);
        drop(stay);
        thread.join().unwrap();
        assert!(effort.cpu_seconds > 0.005, "{effort:?}");
        assert!(effort.switches > 0, "{effort:?}");
        assert!(Effort::of(u32::MAX).is_err());
    }
}
