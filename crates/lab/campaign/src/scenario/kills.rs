//! Processes that end without a word, and PostgreSQL that is restarted.

use std::time::Duration;

use anyhow::Result;
use lab_verdict::random::SplitMix64;

use super::done::{Done, pause};
use crate::world::World;

/// Between two kills, at most.
const BETWEEN: Duration = Duration::from_millis(400);
/// How long PostgreSQL stays away, at most.
const AWAY: Duration = Duration::from_millis(1500);

pub(super) async fn service(
    world: &mut World,
    random: &mut SplitMix64,
    done: &mut Done,
) -> Result<()> {
    pause(random, BETWEEN).await;
    let which = random.below(world.services.len());
    let service = &mut world.services[which];
    service.kill().await?;
    service.start_again()?;
    done.recovered(world).await
}

pub(super) async fn postgres(
    world: &mut World,
    random: &mut SplitMix64,
    done: &mut Done,
) -> Result<()> {
    pause(random, BETWEEN).await;
    world.postgres.kill().await?;
    pause(random, AWAY).await;
    world.postgres.start_again().await?;
    done.recovered(world).await
}

pub(super) async fn restart_postgres(
    world: &mut World,
    random: &mut SplitMix64,
    done: &mut Done,
) -> Result<()> {
    pause(random, BETWEEN).await;
    world.postgres.shut_down().await?;
    pause(random, AWAY).await;
    world.postgres.start_again().await?;
    done.recovered(world).await
}
