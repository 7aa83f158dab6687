//! Clocks that jump: a library that is loaded before the C library moves the time of day of a process.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab_verdict::random::SplitMix64;

use super::done::{Done, pause};
use crate::client::Client;
use crate::world::{EVENT_LOG, World};

/// How long a clock stays wrong, at most.
const LASTS: Duration = Duration::from_millis(800);
const HOUR: i64 = 3600;
/// Years to come, and years ago; a leap second; a time zone that was taken for UTC.
const JUMPS: [i64; 8] = [
    10 * 365 * 24 * HOUR,
    -3 * 365 * 24 * HOUR,
    24 * HOUR,
    -24 * HOUR,
    2 * HOUR,
    -HOUR,
    1,
    -1,
];

pub(super) async fn jump(
    world: &mut World,
    random: &mut SplitMix64,
    done: &mut Done,
) -> Result<()> {
    let Some(clock) = &world.clock else {
        done.left_out = Some("no C compiler (cc) for the library that moves the clock".to_owned());
        return Ok(());
    };
    let by = JUMPS[random.below(JUMPS.len())];
    clock.set(by)?;
    pause(random, LASTS).await;
    if by.abs() > HOUR {
        // A trial that moves nothing would show nothing.
        let now = now_of(world).await;
        let off = now.map(|now| now - real_now());
        ensure!(
            off.is_none_or(|off| (off - by).abs() < HOUR),
            "the event log's clock was to be {by} s off and is {off:?}"
        );
    }
    clock.set(0)?;
    done.recovered(world).await
}

/// What the event log takes for the time, in seconds since 1970: the date that it answers with.
async fn now_of(world: &World) -> Option<i64> {
    let body = r#"{"records":[{"value":"x","partition":0}]}"#;
    let mut client = Client::new(world.http(EVENT_LOG), Duration::from_secs(5));
    let create = r#"{"name":"clock","numPartitions":1}"#;
    // There already, the second time.
    drop(
        client
            .send(http::Method::POST, "/api/v1/topics", create.into())
            .await,
    );
    let sent = client
        .send(
            http::Method::POST,
            "/api/v1/topics/clock/records",
            body.into(),
        )
        .await;
    let crate::client::Sent::Answer(200, answer) = sent else {
        return None;
    };
    let answer: serde_json::Value = serde_json::from_slice(&answer).ok()?;
    Some(answer["records"][0]["timestamp"].as_i64()? / 1000)
}

fn real_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}
