//! What was done in a scenario, and the pauses between the acts.

use std::time::Duration;

use anyhow::Result;
use lab_verdict::random::SplitMix64;

use crate::world::{HEALTH_LIMIT, World};

/// What was done in the rounds of a scenario.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// How often.
    pub(crate) acts: u64,
    /// Longest time until every health check was true again.
    pub(crate) slowest: Duration,
    /// Promises that were broken, in words.
    pub(crate) broken: Vec<String>,
    /// What this machine cannot do.
    pub(crate) left_out: Option<String>,
}

impl Done {
    /// Waits until everything is healthy, and counts an act.
    pub(super) async fn recovered(&mut self, world: &mut World) -> Result<()> {
        let took = world.wait_for_health(HEALTH_LIMIT).await?;
        self.slowest = self.slowest.max(took);
        self.acts += 1;
        Ok(())
    }
}

/// Waits for a time from 0 to `most`.
pub(super) async fn pause(random: &mut SplitMix64, most: Duration) {
    let most_ms = usize::try_from(most.as_millis()).unwrap_or(usize::MAX);
    let ms = random.below(most_ms) as u64;
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
