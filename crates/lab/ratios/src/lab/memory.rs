//! Memory of a process while a load is on.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use load_engine::clock::Clock;

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Anonymous memory that a process has in use now, KiB: what the kernel keeps for its sockets is not in it.
pub(super) fn anonymous_kib(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    let status = status.with_context(|| format!("process {pid} is gone"))?;
    let line = status.lines().find_map(|it| it.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.context("/proc says no RssAnon")
}

/// The most of it in the measured window, KiB.
pub(super) async fn most_in_window(clock: Arc<Clock>, pid: u32) -> anyhow::Result<u64> {
    tokio::time::sleep_until(clock.measured_from().into()).await;
    let mut most = anonymous_kib(pid)?;
    while Instant::now() < clock.end() {
        let next = (Instant::now() + LOOK_EVERY).min(clock.end());
        tokio::time::sleep_until(next.into()).await;
        most = most.max(anonymous_kib(pid)?);
    }
    Ok(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_to_counts() {
        let before = anonymous_kib(std::process::id()).unwrap();
        let held = std::hint::black_box(vec![1_u8; 32 << 20]);
        let with = anonymous_kib(std::process::id()).unwrap();
        drop(held);
        assert!(with > before + 24 * 1024, "{before} {with}");
        assert!(anonymous_kib(u32::MAX).is_err());
    }
}
