//! All processes at one moment, as data; [`super::procfs`] or [`super::ps`] reads it.

use std::collections::HashMap;

/// One process as the system shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// Id of its parent.
    pub parent: u32,
    /// When it started, in the system's own unit; tells apart processes that had the same id.
    pub started: u64,
    /// Its own and its reaped children's.
    pub cpu_seconds: f64,
}

/// All processes at one moment.
#[derive(Debug, Default)]
pub struct Table {
    /// By process id.
    pub processes: HashMap<u32, Process>,
    /// Resident memory in MiB by process id, where the table comes with it.
    pub memory_mb: HashMap<u32, f64>,
}

impl Table {
    /// The root and all its descendants.
    pub fn tree(&self, root: u32) -> Vec<u32> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for (&pid, process) in &self.processes {
            children.entry(process.parent).or_default().push(pid);
        }
        let mut tree = vec![root];
        let mut next = 0;
        while let Some(&pid) = tree.get(next) {
            next += 1;
            // Removed, so that a cycle (ids reused while the table was read) ends.
            tree.extend(children.remove(&pid).unwrap_or_default());
        }
        tree
    }
}
