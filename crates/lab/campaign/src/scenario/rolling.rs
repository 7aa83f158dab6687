//! Rolling restarts: one of two producers stops while the other one serves.

use std::time::Duration;

use anyhow::Result;
use lab_verdict::random::SplitMix64;

use super::done::{Done, pause};
use crate::world::{PRODUCER_REST, PRODUCER_REST_2, World};

const BETWEEN: Duration = Duration::from_millis(300);

pub(super) async fn restart(
    world: &mut World,
    random: &mut SplitMix64,
    done: &mut Done,
) -> Result<()> {
    for which in [PRODUCER_REST, PRODUCER_REST_2] {
        pause(random, BETWEEN).await;
        let service = &mut world.services[which];
        // Status 0, or an error.
        service.terminate().await?;
        service.start_again()?;
        done.recovered(world).await?;
    }
    Ok(())
}
