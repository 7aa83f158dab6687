//! How fast refusals come.

use std::time::{Duration, Instant};

/// What a caller may wait for a refusal at most.
const AT_ONCE: Duration = Duration::from_millis(10);
/// Calls of a round; their 99th percentile counts.
const CALLS: usize = 100;
/// Rounds at most. Other work of the machine makes a round slower and never faster, so that one good round shows what the service
/// does.
const ROUNDS: usize = 30;

/// Checks that the 99th percentile of 100 calls, one after the other, is 10 ms at most. `call` makes one and checks that it is
/// refused. Gives the percentile.
///
/// # Panics
/// No round of 30 was as fast as that.
pub async fn at_once(what: &str, mut call: impl AsyncFnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let mut took = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let begun = Instant::now();
            call().await;
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        best = best.min(took[CALLS * 99 / 100 - 1]);
        if best <= AT_ONCE {
            eprintln!("{what}: refused within {best:?} (99th percentile)");
            return best;
        }
    }
    panic!("{what}: the 99th percentile of the refusals is {best:?} at best, {AT_ONCE:?} allowed");
}
