//! A failover to a database that takes no writes yet.

use std::time::Duration;

use anyhow::Result;
use lab_verdict::random::SplitMix64;

use super::done::{Done, pause};
use crate::world::World;

const BETWEEN: Duration = Duration::from_millis(300);
const LASTS: Duration = Duration::from_secs(2);

pub(super) async fn spell(
    world: &mut World,
    random: &mut SplitMix64,
    done: &mut Done,
) -> Result<()> {
    pause(random, BETWEEN).await;
    let client = world.postgres.client().await?;
    let set =
        |value| format!("ALTER DATABASE campaign SET default_transaction_read_only = {value}");
    client.batch_execute(&set("on")).await?;
    // A failover ends all sessions.
    client
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND pid <> pg_backend_pid()",
            &[],
        )
        .await?;
    pause(random, LASTS).await;
    client.batch_execute(&set("off")).await?;
    done.recovered(world).await
}
