//! The machine: busy and stolen CPU time, memory. Linux only.

use std::fs;

use super::procfs::TICKS_PER_SECOND;
use super::{Counters, ProbeError};

/// Where the cgroup of the sidecar itself tells how long its quota held it back: version 2, then version 1.
/// Natively that is the lab's own group, or the container that all of it runs in.
const OWN_CPU_STAT: [&str; 3] = [
    "/sys/fs/cgroup/cpu.stat",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.stat",
    "/sys/fs/cgroup/cpu/cpu.stat",
];

/// Reads the machine's counters. Within a container, too, `/proc/stat` and `/proc/meminfo` are the machine's.
///
/// # Errors
/// There is no `/proc`.
pub fn read() -> Result<Counters, ProbeError> {
    let stat = file("/proc/stat")?;
    let (busy, steal) = parse_stat(&stat)
        .ok_or_else(|| ProbeError::unreadable("/proc/stat", "no line 'cpu' with eight figures"))?;
    let memory = file("/proc/meminfo")?;
    Ok(Counters {
        cpu_seconds: busy,
        steal_seconds: Some(steal),
        memory_used_mb: meminfo_mb(&memory, "AnonPages:"),
        memory_limit_mb: meminfo_mb(&memory, "MemTotal:"),
        throttled_seconds: OWN_CPU_STAT
            .iter()
            .find_map(|path| throttled_seconds(&fs::read_to_string(path).ok()?)),
        ..Counters::default()
    })
}

fn file(path: &str) -> Result<String, ProbeError> {
    fs::read_to_string(path).map_err(|error| ProbeError::unreadable(path, error))
}

/// Seconds busy and stolen, all cores: `cpu user nice system idle iowait irq softirq steal ...`. Guest time is
/// within user time.
fn parse_stat(text: &str) -> Option<(f64, f64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<f64> = line
        .split_ascii_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    let &[user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = &ticks[..] else {
        return None;
    };
    let seconds = |ticks: f64| ticks / *TICKS_PER_SECOND;
    Some((
        seconds(user + nice + system + irq + softirq),
        seconds(steal),
    ))
}

/// A line `Name:   123 kB`.
fn meminfo_mb(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
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
    fn busy_is_neither_idle_nor_waiting_nor_stolen() {
        let text = "cpu  100 20 30 4000 500 6 4 70 8 9\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        let (busy, steal) = parse_stat(text).expect("valid");
        assert_eq!(
            (busy * *TICKS_PER_SECOND, steal * *TICKS_PER_SECOND),
            (160.0, 70.0)
        );
        assert_eq!(parse_stat("cpu0 1 2 3 4 5 6 7 8\n"), None);
    }

    #[test]
    fn memory_and_throttling() {
        let text = "MemTotal:        2048 kB\nAnonPages:   1024 kB\n";
        assert_eq!(meminfo_mb(text, "AnonPages:"), Some(1.0));
        assert_eq!(meminfo_mb(text, "Swap:"), None);
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
