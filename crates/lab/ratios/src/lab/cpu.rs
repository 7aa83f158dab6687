//! CPU time of process trees while a load is on.

use std::sync::Arc;
use std::time::Instant;

use crate::process_tree::cpu_seconds;
use load_engine::clock::Clock;

/// CPU-seconds of some process trees between the edges of the measured window.
pub(super) async fn usage_in_window<const N: usize>(
    clock: Arc<Clock>,
    pids: [u32; N],
) -> anyhow::Result<[f64; N]> {
    tokio::time::sleep_until(clock.measured_from().into()).await;
    let before = cpu_of(pids)?;
    while Instant::now() < clock.end() {
        tokio::time::sleep_until(clock.end().into()).await;
    }
    let mut used = cpu_of(pids)?;
    for (used, before) in used.iter_mut().zip(before) {
        *used -= before;
    }
    Ok(used)
}

/// CPU-seconds of some process trees so far.
pub(super) fn cpu_of<const N: usize>(pids: [u32; N]) -> anyhow::Result<[f64; N]> {
    let mut seconds = [0.0; N];
    for (seconds, pid) in seconds.iter_mut().zip(pids) {
        *seconds = cpu_seconds(pid)?;
    }
    Ok(seconds)
}
