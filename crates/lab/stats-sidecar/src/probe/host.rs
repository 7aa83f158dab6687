//! The machine: busy and stolen CPU time, memory. Linux only.

use std::fs;

use super::{Counters, ProbeError, procfs};

/// Where the cgroup of the sidecar itself tells how long its quota held it back: version 2, then version 1.
/// Natively that is the lab's own group, or the container that all of it runs in.
const OWN_CPU_STAT: [&str; 3] = [
    "/sys/fs/cgroup/cpu.stat",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.stat",
    "/sys/fs/cgroup/cpu/cpu.stat",
];

/// Reads the machine's counters.
///
/// # Errors
/// There is no `/proc`.
pub fn read() -> Result<Counters, ProbeError> {
    let host = procfs::host()?;
    Ok(Counters {
        cpu_seconds: host.busy_seconds,
        steal_seconds: Some(host.steal_seconds),
        memory_used_mb: host.anonymous_mb,
        memory_limit_mb: Some(host.total_mb),
        throttled_seconds: OWN_CPU_STAT
            .iter()
            .find_map(|path| throttled_seconds(&fs::read_to_string(path).ok()?)),
        ..Counters::default()
    })
}

/// `throttled_usec` of version 2, `throttled_time` (nanoseconds) of version 1.
fn throttled_seconds(text: &str) -> Option<f64> {
    let figure = |name| {
        let line = text
            .lines()
            .find_map(|line: &str| line.strip_prefix(name))?;
        line.trim().parse::<f64>().ok()
    };
    match figure("throttled_usec ") {
        Some(microseconds) => Some(microseconds / 1e6),
        None => figure("throttled_time ").map(|nanoseconds| nanoseconds / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_of_both_versions() {
        assert_eq!(
            throttled_seconds("nr_periods 3\nthrottled_usec 1500000\n"),
            Some(1.5)
        );
        assert_eq!(
            throttled_seconds("nr_throttled 3\nthrottled_time 2500000000\n"),
            Some(2.5)
        );
        assert_eq!(throttled_seconds("usage_usec 3\n"), None);
    }

    #[test]
    fn this_machine() {
        if cfg!(target_os = "linux") {
            let host = read().expect("/proc");
            assert!(host.cpu_seconds > 0.0);
            assert!(host.memory_used_mb < host.memory_limit_mb);
        }
    }
}
