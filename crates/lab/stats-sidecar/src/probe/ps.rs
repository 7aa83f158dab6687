//! Processes from `ps`, for systems without `/proc` (macOS).
//!
//! Coarser than `/proc`: `ps` shows no reaped children and no shared part of the resident memory.

use std::process::Command;

use super::ProbeError;
use super::table::{Process, Table};

/// All processes with their resident memory.
///
/// # Errors
/// `ps` cannot be run.
pub fn table() -> Result<Table, ProbeError> {
    let output = Command::new("ps")
        .args(["-A", "-o", "pid=,ppid=,time=,rss="])
        .output()
        .map_err(|error| ProbeError::unreadable("ps", error))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(ProbeError::unreadable("ps", reason.trim()));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Lines of `pid ppid time rss` (rss in KiB); lines that are none are left out.
fn parse(text: &str) -> Table {
    let mut table = Table::default();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [pid, parent, time, rss] = fields[..] else {
            continue;
        };
        let (Ok(pid), Ok(parent), Some(cpu_seconds), Ok(rss)) = (
            pid.parse::<u32>(),
            parent.parse(),
            cpu_time(time),
            rss.parse::<f64>(),
        ) else {
            continue;
        };
        table.processes.insert(
            pid,
            Process {
                parent,
                started: 0,
                cpu_seconds,
            },
        );
        table.memory_mb.insert(pid, rss / 1024.0);
    }
    table
}

/// `[[days-]hours:]minutes:seconds[.hundredths]`
fn cpu_time(text: &str) -> Option<f64> {
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (days.parse::<f64>().ok()?, clock),
        None => (0.0, text),
    };
    let seconds = clock.split(':').try_fold(0.0, |total, part| {
        Some(total * 60.0 + part.parse::<f64>().ok()?)
    })?;
    Some(days * 86_400.0 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_systems() {
        let cases = [
            ("0:01.25", Some(1.25)),
            ("12:34.50", Some(754.5)),
            ("00:00:07", Some(7.0)),
            ("1-02:00:00", Some(93_600.0)),
            ("-", None),
            ("a:b", None),
        ];
        for (text, expected) in cases {
            assert_eq!(cpu_time(text), expected, "{text}");
        }
    }

    #[test]
    fn lines() {
        let table =
            parse("  501     1   0:02.00  20480\n  nonsense\n  777   501   1:00.10   1024\n");
        assert_eq!(table.processes.len(), 2);
        assert_eq!(table.processes[&777].parent, 501);
        assert_eq!(table.memory_mb[&501], 20.0);
    }

    #[test]
    fn the_real_ps_lists_this_process() {
        match table() {
            Ok(table) => assert!(table.processes.contains_key(&std::process::id())),
            Err(error) => println!("skipped: {error}"),
        }
    }
}
