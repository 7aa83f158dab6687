//! A network that freezes, breaks and slows down.

use std::time::Duration;

use anyhow::Result;
use lab_verdict::random::SplitMix64;

use super::done::{Done, pause};
use crate::world::World;

const BETWEEN: Duration = Duration::from_millis(300);
/// How long a failure lasts, at most.
const LASTS: Duration = Duration::from_secs(3);

pub(super) async fn fail(
    world: &mut World,
    random: &mut SplitMix64,
    done: &mut Done,
) -> Result<()> {
    pause(random, BETWEEN).await;
    match random.below(5) {
        0 => {
            world.database_proxy.freeze();
            pause(random, LASTS).await;
        }
        1 => {
            world.database_proxy.refuse();
            pause(random, LASTS).await;
        }
        2 => {
            let by = Duration::from_millis(20 + random.below(200) as u64);
            world.database_proxy.delay(by);
            pause(random, LASTS).await;
        }
        3 => world.database_proxy.cut(),
        _ => {
            world.stream_proxy.freeze();
            pause(random, LASTS).await;
        }
    }
    world.database_proxy.open();
    world.stream_proxy.open();
    world.stream_proxy.cut();
    done.recovered(world).await
}
