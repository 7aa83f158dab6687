//! A share of the process's CPU on top of it: what a service would cost that does a little more for each request.

use std::hint::black_box;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Between two looks at what the requests have cost.
const EVERY: Duration = Duration::from_millis(5);

/// Burns `share` of what the rest of the process uses, on a thread of its own; none where that is nothing.
pub(crate) fn start(share: f64, stop: &CancellationToken) -> Option<JoinHandle<()>> {
    let stop = stop.clone();
    (share > 0.0).then(|| tokio::task::spawn_blocking(move || burn(share, &stop)))
}

fn burn(share: f64, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        loop {
            let own = seconds(ClockId::CLOCK_THREAD_CPUTIME_ID);
            let others = seconds(ClockId::CLOCK_PROCESS_CPUTIME_ID) - own;
            if own >= others * share {
                break;
            }
            black_box((0..2_000_u64).fold(0, |sum, n| black_box(sum ^ n)));
        }
        std::thread::sleep(EVERY);
    }
}

/// CPU-seconds; a clock that cannot be read has not moved.
fn seconds(clock: ClockId) -> f64 {
    clock_gettime(clock).map_or(0.0, |time| Duration::from(time).as_secs_f64())
}
