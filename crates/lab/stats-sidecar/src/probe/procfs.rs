//! Processes and the machine from `/proc`, by the crate of that name. Elsewhere than on Linux there is nothing to read.

#[cfg(target_os = "linux")]
pub use linux::{anonymous_mb, host, is_there, process, table};
#[cfg(not(target_os = "linux"))]
pub use none::{anonymous_mb, host, is_there, process, table};

/// The machine's counters, all cores together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Host {
    /// Neither idle nor waiting nor stolen. Guest time is within user time.
    pub busy_seconds: f64,
    /// Taken by the hypervisor.
    pub steal_seconds: f64,
    /// Anonymous memory in use, MiB.
    pub anonymous_mb: Option<f64>,
    /// All memory, MiB.
    pub total_mb: f64,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::path::Path;
    use std::sync::LazyLock;

    use procfs::process::{Stat, StatM};
    use procfs::{Current, CurrentSI, FromRead, KernelStats, Meminfo};

    use super::Host;
    use crate::probe::table::{Process, Table};
    use crate::probe::{MIB, ProbeError};

    static TICKS_PER_SECOND: LazyLock<f64> = LazyLock::new(|| procfs::ticks_per_second() as f64);
    static PAGE_MB: LazyLock<f64> = LazyLock::new(|| procfs::page_size() as f64 / MIB);

    /// Whether this system has a `/proc`.
    pub fn is_there() -> bool {
        static THERE: LazyLock<bool> = LazyLock::new(|| Path::new("/proc/self/stat").exists());
        *THERE
    }

    /// All processes; memory is read later, for those that matter.
    ///
    /// # Errors
    /// `/proc` cannot be listed.
    pub fn table() -> Result<Table, ProbeError> {
        let entries =
            std::fs::read_dir("/proc").map_err(|error| ProbeError::unreadable("/proc", error))?;
        let processes = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            // A process may end between the listing and the reading.
            .filter_map(|pid: u32| Some((pid, process(pid)?)))
            .collect();
        Ok(Table {
            processes,
            ..Table::default()
        })
    }

    /// One process; none where it has ended.
    pub fn process(pid: u32) -> Option<Process> {
        let stat = Stat::from_file(format!("/proc/{pid}/stat")).ok()?;
        let reaped = u64::try_from(stat.cutime + stat.cstime).ok()?;
        Some(Process {
            parent: u32::try_from(stat.ppid).ok()?,
            started: stat.starttime,
            cpu_seconds: (stat.utime + stat.stime + reaped) as f64 / *TICKS_PER_SECOND,
        })
    }

    /// Anonymous resident memory of one process, MiB; none where it has ended.
    ///
    /// Resident less shared pages: what PostgreSQL's backends share counts for none of them, and neither do
    /// mapped files. `smaps_rollup` would say the same but walks the page tables under the process's own lock.
    pub fn anonymous_mb(pid: u32) -> Option<f64> {
        let pages = StatM::from_file(format!("/proc/{pid}/statm")).ok()?;
        Some(pages.resident.saturating_sub(pages.shared) as f64 * *PAGE_MB)
    }

    /// The machine. Within a container, too, `/proc/stat` and `/proc/meminfo` are the machine's.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn host() -> Result<Host, ProbeError> {
        let cpu = KernelStats::current()
            .map_err(|error| ProbeError::unreadable("/proc/stat", error))?
            .total;
        let memory =
            Meminfo::current().map_err(|error| ProbeError::unreadable("/proc/meminfo", error))?;
        let (irq, softirq) = (cpu.irq.unwrap_or(0), cpu.softirq.unwrap_or(0));
        let busy = cpu.user + cpu.nice + cpu.system + irq + softirq;
        Ok(Host {
            busy_seconds: busy as f64 / *TICKS_PER_SECOND,
            steal_seconds: cpu.steal.unwrap_or(0) as f64 / *TICKS_PER_SECOND,
            anonymous_mb: memory.anon_pages.map(|bytes| bytes as f64 / MIB),
            total_mb: memory.mem_total as f64 / MIB,
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use super::Host;
    use crate::probe::ProbeError;
    use crate::probe::table::{Process, Table};

    /// Never.
    pub fn is_there() -> bool {
        false
    }

    /// # Errors
    /// Always.
    pub fn table() -> Result<Table, ProbeError> {
        Err(ProbeError::unreadable("/proc", "this system has none"))
    }

    /// None.
    pub fn process(_pid: u32) -> Option<Process> {
        None
    }

    /// None.
    pub fn anonymous_mb(_pid: u32) -> Option<f64> {
        None
    }

    /// # Errors
    /// Always.
    pub fn host() -> Result<Host, ProbeError> {
        Err(ProbeError::unreadable("/proc", "this system has none"))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn this_process_is_in_the_table() {
        let table = table().expect("/proc");
        let own = table.processes[&std::process::id()];
        assert_eq!(own.parent, std::os::unix::process::parent_id());
        assert!(anonymous_mb(std::process::id()).expect("own memory") > 0.1);
    }

    #[test]
    fn reaped_children_count_and_an_odd_name_does_no_harm() {
        let folder = tempfile::tempdir().expect("a folder");
        let odd = folder.path().join("a) R 9 (b");
        std::fs::copy("/bin/sh", &odd).expect("a copy");
        // The inner shell uses the CPU; the outer one reaps it, says so, and waits for its input.
        let burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let mut shell = Command::new(&odd)
            .args(["-c", &format!("({burn}); echo reaped; read line")])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut said = String::new();
        let out = shell.stdout.take().expect("piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut said).expect("a line");
        let seen = process(shell.id());
        drop(shell.stdin.take());
        shell.wait().expect("its end");
        let seen = seen.expect("it lives");
        assert_eq!(seen.parent, std::process::id());
        assert!(seen.cpu_seconds > 0.0, "the reaped child's time counts");
    }

    #[test]
    fn the_machine_has_counters() {
        let host = host().expect("/proc");
        assert!(host.busy_seconds > 0.0 && host.steal_seconds >= 0.0);
        assert!(host.anonymous_mb.expect("Linux counts it") < host.total_mb);
    }
}
