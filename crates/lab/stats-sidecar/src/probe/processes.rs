//! A process and all its descendants.
//!
//! The CPU time of a tree is the sum, over the processes that live, of their own time and that of the children
//! that they have reaped. A descendant that ends moves from the first to the second, so the sum never loses it
//! (an orphan that init adopts is lost; none of the lab's processes makes any).
//!
//! When the root has ended, its counters are gone with it: the probe keeps those of its last reading. So that
//! little is lost where a generator ends between two samples, [`ProcessTree::touch`] reads on in between.

use super::table::Table;
use super::{Counters, ProbeError, procfs, ps};

/// All processes of this machine, from `/proc`, or from `ps` where there is none.
///
/// # Errors
/// Neither can be read.
pub fn all() -> Result<Table, ProbeError> {
    if procfs::is_there() {
        procfs::table()
    } else {
        ps::table()
    }
}

/// The probe of one process tree.
#[derive(Debug)]
pub struct ProcessTree {
    root: u32,
    seen: Option<Seen>,
}

/// What the last reading found.
#[derive(Debug)]
struct Seen {
    root_started: u64,
    members: Vec<u32>,
    counters: Counters,
    ended: bool,
}

impl ProcessTree {
    /// A probe of the process `root` and its descendants.
    pub fn new(root: u32) -> Self {
        Self { root, seen: None }
    }

    /// Reads the counters; those of the last reading once the root has ended.
    ///
    /// # Errors
    /// The process was never there.
    pub fn read(&mut self, table: &Table) -> Result<Counters, ProbeError> {
        let root = table.processes.get(&self.root).copied();
        let (root, seen) = match (root, &mut self.seen) {
            (None, None) => return Err(ProbeError::NoProcess(self.root)),
            (Some(root), Some(seen)) if root.started != seen.root_started => (None, Some(seen)),
            (root, seen) => (root, seen.as_mut()),
        };
        let Some(root) = root else {
            let Some(seen) = seen else {
                return Err(ProbeError::NoProcess(self.root));
            };
            seen.ended = true;
            return Ok(seen.counters.after_the_end());
        };
        let members = table.tree(self.root);
        let cpu: f64 = members
            .iter()
            .filter_map(|pid| table.processes.get(pid))
            .map(|process| process.cpu_seconds)
            .sum();
        let counters = Counters {
            // Readings of several processes are no snapshot: one that ends meanwhile may be missed once.
            cpu_seconds: seen.map_or(cpu, |seen| seen.counters.cpu_seconds.max(cpu)),
            memory_used_mb: Some(memory_mb(&members, table)),
            ..Counters::default()
        };
        self.seen = Some(Seen {
            root_started: root.started,
            members,
            counters,
            ended: false,
        });
        Ok(counters)
    }

    /// Reads the CPU counter of the known members alone, a few microseconds each, so that the last reading is
    /// recent should the root end now.
    pub fn touch(&mut self) {
        let Some(seen) = self
            .seen
            .as_mut()
            .filter(|seen| !seen.ended && procfs::is_there())
        else {
            return;
        };
        match procfs::process(self.root) {
            Some(root) if root.started == seen.root_started => {}
            _ => {
                seen.ended = true;
                return;
            }
        }
        let cpu: f64 = seen
            .members
            .iter()
            .filter_map(|&pid| procfs::process(pid))
            .map(|process| process.cpu_seconds)
            .sum();
        seen.counters.cpu_seconds = seen.counters.cpu_seconds.max(cpu);
    }
}

fn memory_mb(members: &[u32], table: &Table) -> f64 {
    members
        .iter()
        .filter_map(|pid| {
            table
                .memory_mb
                .get(pid)
                .copied()
                .or_else(|| procfs::anonymous_mb(*pid))
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::table::Process;

    fn table(processes: &[(u32, u32, u64, f64)]) -> Table {
        Table {
            processes: processes
                .iter()
                .map(|&(pid, parent, started, cpu_seconds)| {
                    (
                        pid,
                        Process {
                            parent,
                            started,
                            cpu_seconds,
                        },
                    )
                })
                .collect(),
            memory_mb: processes.iter().map(|&(pid, ..)| (pid, 2.0)).collect(),
        }
    }

    // Ids that no process of the machine has, so that nothing real is read.
    const ROOT: u32 = u32::MAX - 10;
    const CHILD: u32 = u32::MAX - 9;
    const GRANDCHILD: u32 = u32::MAX - 8;
    const OTHER: u32 = u32::MAX - 7;

    #[test]
    fn descendants_count_and_others_do_not() {
        let mut probe = ProcessTree::new(ROOT);
        let counters = probe
            .read(&table(&[
                (GRANDCHILD, CHILD, 3, 0.5),
                (ROOT, 1, 1, 1.0),
                (CHILD, ROOT, 2, 2.0),
                (OTHER, 1, 1, 9.0),
            ]))
            .expect("it is there");
        assert_eq!(counters.cpu_seconds, 3.5);
        assert_eq!(counters.memory_used_mb, Some(6.0));
    }

    #[test]
    fn an_ended_root_keeps_its_last_counters_even_when_its_id_is_used_again() {
        let mut probe = ProcessTree::new(ROOT);
        probe
            .read(&table(&[(ROOT, 1, 1, 4.0)]))
            .expect("it is there");
        for later in [table(&[]), table(&[(ROOT, 1, 77, 0.1)])] {
            let counters = probe.read(&later).expect("known");
            assert_eq!(counters.cpu_seconds, 4.0);
            assert_eq!(counters.memory_used_mb, None);
        }
    }

    #[test]
    fn a_process_that_was_never_there_is_an_error() {
        let error = ProcessTree::new(ROOT)
            .read(&table(&[]))
            .expect_err("not there");
        assert!(error.to_string().contains(&ROOT.to_string()), "{error}");
    }

    #[test]
    fn a_cycle_of_parents_ends() {
        assert_eq!(
            table(&[(ROOT, CHILD, 1, 0.0), (CHILD, ROOT, 1, 0.0)])
                .tree(ROOT)
                .len(),
            3
        );
    }
}
