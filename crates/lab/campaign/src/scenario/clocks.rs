//! Clocks that jump: a library that is loaded before the C library moves the time of day of a process.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, ensure};
use load_engine::random::Random;
use tokio::process::Command;

use super::{Done, pause};
use crate::load::client::Client;
use crate::world::{EVENT_LOG, World};

const SOURCE: &str = include_str!("clock.c");
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

/// The library, and the file that says how far clocks are off.
#[derive(Debug)]
pub(crate) struct Shim {
    library: PathBuf,
    offset: PathBuf,
}

impl Shim {
    /// Builds it with the machine's C compiler; `None` where there is none, or not Linux with glibc.
    pub(crate) async fn build(folder: &Path) -> Option<Self> {
        let shim = Self {
            library: folder.join("clock.so"),
            offset: folder.join("clock-offset"),
        };
        let source = folder.join("clock.c");
        fs::write(&source, SOURCE).ok()?;
        fs::write(&shim.offset, 0_i64.to_ne_bytes()).ok()?;
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(&shim.library)
            .arg(&source)
            .stderr(Stdio::null())
            .status()
            .await;
        built.is_ok_and(|status| status.success()).then_some(shim)
    }

    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("CAMPAIGN_CLOCK", self.offset.display().to_string()),
        ]
    }

    fn set(&self, offset_s: i64) -> Result<()> {
        // In place: the services have the file mapped.
        let file = fs::File::options().write(true).open(&self.offset)?;
        Ok(file.write_all_at(&offset_s.to_ne_bytes(), 0)?)
    }
}

pub(super) async fn jump(world: &mut World, random: &mut Random, done: &mut Done) -> Result<()> {
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
    let crate::load::client::Sent::Answer(200, answer) = sent else {
        return None;
    };
    let answer: serde_json::Value = serde_json::from_slice(&answer).ok()?;
    Some(answer["records"][0]["timestamp"].as_i64()? / 1000)
}

fn real_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}
