//! Waits for what happens elsewhere.

use std::time::{Duration, Instant};

/// Longest wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks again and again until `happened` is true. `what` names it where it does not come true in 30 s.
pub async fn eventually(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !happened().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
