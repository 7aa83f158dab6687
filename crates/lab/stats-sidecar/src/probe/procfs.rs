//! Processes from `/proc` (Linux).

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use nix::unistd::{SysconfVar, sysconf};

use super::processes::{Process, Table};
use super::{MIB, ProbeError};

/// Ticks a second of the times in `/proc`.
pub(super) static TICKS_PER_SECOND: LazyLock<f64> =
    LazyLock::new(|| setting(SysconfVar::CLK_TCK).unwrap_or(100.0));

static PAGE_MB: LazyLock<f64> =
    LazyLock::new(|| setting(SysconfVar::PAGE_SIZE).unwrap_or(4096.0) / MIB);

fn setting(variable: SysconfVar) -> Option<f64> {
    sysconf(variable).ok().flatten().map(|value| value as f64)
}

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
    let entries = fs::read_dir("/proc").map_err(|error| ProbeError::unreadable("/proc", error))?;
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
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Anonymous resident memory of one process, MiB; none where it has ended.
///
/// Resident less shared pages: what PostgreSQL's backends share counts for none of them, and neither do
/// mapped files. `smaps_rollup` would say the same but walks the page tables under the process's own lock.
pub fn anonymous_mb(pid: u32) -> Option<f64> {
    parse_statm(&fs::read_to_string(format!("/proc/{pid}/statm")).ok()?)
}

/// `pid (name) state ppid ...`, proc_pid_stat(5). The name may hold anything, so fields count from the last `)`.
fn parse_stat(text: &str) -> Option<Process> {
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().take(20).collect();
    // Field 3 of the manual page (state) is fields[0].
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = number(14)? + number(15)? + number(16)? + number(17)?;
    Some(Process {
        parent: u32::try_from(number(4)?).ok()?,
        started: number(22)?,
        cpu_seconds: ticks as f64 / *TICKS_PER_SECOND,
    })
}

/// `size resident shared ...` in pages.
fn parse_statm(text: &str) -> Option<f64> {
    let mut fields = text.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let resident = fields.next()?.ok()?;
    let shared = fields.next()?.ok()?;
    Some(resident.saturating_sub(shared) as f64 * *PAGE_MB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines() {
        let stat = |name| {
            format!(
                "42 ({name}) S 7 42 42 0 -1 4194304 100 200 0 0 150 50 30 20 20 0 9 0 12345 1 2"
            )
        };
        for name in ["postgres", "a) R 9 (b", "tokio (main)"] {
            let process = parse_stat(&stat(name)).expect(name);
            assert_eq!((process.parent, process.started), (7, 12345), "{name}");
            assert_eq!(process.cpu_seconds * *TICKS_PER_SECOND, 250.0, "{name}");
        }
        assert_eq!(parse_stat("42 (cut off) S 7 42"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn shared_pages_do_not_count() {
        let mb = parse_statm("1000 600 344 1 0 200 0\n").expect("valid");
        assert_eq!(mb, 256.0 * *PAGE_MB);
        assert_eq!(parse_statm("1000"), None);
    }

    #[test]
    fn this_process_is_in_the_table() {
        if is_there() {
            let table = table().expect("/proc");
            let own = table.processes[&std::process::id()];
            assert_eq!(own.parent, std::os::unix::process::parent_id());
            assert!(anonymous_mb(std::process::id()).expect("own memory") > 0.1);
        }
    }
}
