//! Damaged files: an event log of its own is filled, killed, damaged at random and started again. What it serves then is true, and
//! what was not damaged is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::Method;
use lab_verdict::random::SplitMix64;

use super::done::Done;
use crate::client::{Client, Sent};
use crate::world::health::is_healthy;
use crate::world::port::lasting_port;
use crate::world::service::{Blueprint, Service};
use crate::world::{EVENT_LOG, World};

const LIMIT: Duration = Duration::from_secs(10);
/// Longest start; a start that refuses ends before.
const START_LIMIT: Duration = Duration::from_secs(30);
const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
/// Entries of each chain, and records of each topic.
const COUNT: usize = 60;

pub(super) async fn damage(
    world: &mut World,
    random: &mut SplitMix64,
    done: &mut Done,
) -> Result<()> {
    let parent = world.folder.join("damaged");
    if parent.exists() {
        fs::remove_dir_all(&parent)?;
    }
    let data = parent.join("data");
    fs::create_dir_all(&data)?;
    let blueprint = Blueprint {
        name: "event-log",
        http: lasting_port()?,
        grpc: lasting_port()?,
        environment: vec![("EVENT_LOG_DIR", data.display().to_string())],
        log: world.folder.join("logs").join("damaged.log"),
        folder: parent.clone(),
        ..world.services[EVENT_LOG].blueprint().clone()
    };
    let mut service = Service::start(blueprint)?;
    ensure!(
        starts(&mut service).await,
        "a fresh event log does not start"
    );
    let mut client = Client::new(service.http(), LIMIT);
    fill(&mut client).await?;
    service.kill().await?;

    let victim = pick(&data, random)?;
    let what = spoil(&victim, random)?;
    let place = victim.strip_prefix(&data)?.display().to_string();
    let log_before = fs::read_to_string(service.log())?.len();
    service.start_again()?;
    if starts(&mut service).await {
        let mut client = Client::new(service.http(), LIMIT);
        for name in NAMES {
            for kind in [Store::Chain, Store::Topic] {
                let spared = !place.contains(name) || !kind.has(&place);
                if let Err(error) = look(&mut client, kind, name, spared).await {
                    done.broken.push(format!("{place}, {what}: {error:#}"));
                }
            }
        }
        service.kill().await?;
    } else {
        let text = fs::read_to_string(service.log())?;
        let text = &text[log_before.min(text.len())..];
        let name = victim.file_name().unwrap_or_default().to_string_lossy();
        if !text.contains(&*name) {
            done.broken.push(format!(
                "{place}, {what}: no start, and no word of the file: {text}"
            ));
        }
        // Ended, or hanging: both are told above where they are not told in the log.
        service.stop().await?;
    }
    done.acts += 1;
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Store {
    Chain,
    Topic,
}

impl Store {
    /// Whether a file is one of its kind.
    fn has(self, place: &str) -> bool {
        place.starts_with("topics") == matches!(self, Self::Topic)
    }

    /// The values in an answer; `None` for what is no value.
    fn values(self, body: &[u8]) -> Vec<Option<String>> {
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let parse = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or(serde_json::Value::Null);
        match self {
            Self::Chain => {
                let lines = body
                    .split(|byte| *byte == b'\n')
                    .filter(|line| !line.is_empty());
                lines.map(|line| text(&parse(line)["data"]["id"])).collect()
            }
            Self::Topic => {
                let page = parse(body);
                let records = page["records"].as_array();
                records
                    .map(|all| all.iter().map(|one| text(&one["value"])).collect())
                    .unwrap_or_default()
            }
        }
    }
}

/// Whether it becomes healthy; false where it ended, or did not within the limit.
async fn starts(service: &mut Service) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < START_LIMIT {
        if service.check_alive().is_err() {
            return false;
        }
        if is_healthy(service).await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

fn value(n: usize) -> String {
    format!("value-{n}")
}

async fn fill(client: &mut Client) -> Result<()> {
    for name in NAMES {
        let body = format!(r#"{{"name":"{name}","numPartitions":1}}"#);
        send(client, "/api/v1/topics", &body).await?;
        for n in 0..COUNT {
            let body = format!(r#"{{"id":"{}"}}"#, value(n));
            send(client, &format!("/api/v1/logs/{name}"), &body).await?;
        }
        let records: Vec<String> = (0..COUNT)
            .map(|n| format!(r#"{{"partition":0,"value":"{}"}}"#, value(n)))
            .collect();
        let body = format!(r#"{{"records":[{}],"acks":-1}}"#, records.join(","));
        send(client, &format!("/api/v1/topics/{name}/records"), &body).await?;
        let body = format!(r#"{{"offsets":[{{"topic":"{name}","partition":0,"offset":5}}]}}"#);
        let path = format!("/api/v1/groups/{name}/offsets");
        drop(client.send(Method::PUT, &path, Bytes::from(body)).await);
    }
    Ok(())
}

async fn send(client: &mut Client, path: &str, body: &str) -> Result<()> {
    let sent = client
        .send(Method::POST, path, Bytes::copy_from_slice(body.as_bytes()))
        .await;
    ensure!(
        matches!(sent, Sent::Answer(200..=201, _)),
        "{path}: {sent:?}"
    );
    Ok(())
}

/// Checks that what is served is what was written, and all of it where nothing was damaged. A chain's lines are served as they
/// are in its file: where they are not what was written, `verify` has to say so.
async fn look(client: &mut Client, kind: Store, name: &str, spared: bool) -> Result<()> {
    let path = match kind {
        Store::Chain => format!("/api/v1/logs/{name}"),
        Store::Topic => format!("/api/v1/topics/{name}/partitions/0/records?offset=0"),
    };
    let (status, body) = match client.get(&path).await {
        Some(answer) => answer,
        // An answer that was begun is cut where the damage is met.
        None if !spared => (0, Bytes::new()),
        None => bail!("{path}: no answer"),
    };
    let served = if status == 200 {
        kind.values(&body)
    } else {
        Vec::new()
    };
    let written: Vec<Option<String>> = (0..COUNT).map(|n| Some(value(n))).collect();
    ensure!(
        !spared || served == written,
        "{path}: {status} with {} of {COUNT}, though another file was damaged",
        served.len()
    );
    let is_true = written.starts_with(&served);
    let Store::Chain = kind else {
        ensure!(is_true, "{path} serves what was not written: {served:?}");
        return Ok(());
    };
    let (_, verdict) = client
        .get(&format!("{path}/verify"))
        .await
        .context("no verdict")?;
    let verdict: serde_json::Value = serde_json::from_slice(&verdict)?;
    if spared || verdict["valid"] == true {
        ensure!(verdict["valid"] == true, "{path}/verify: {verdict}");
        ensure!(
            is_true && verdict["entriesVerified"] == served.len(),
            "{path}/verify: {verdict}, and {served:?} is served"
        );
    }
    Ok(())
}

/// A file with something in it.
fn pick(folder: &Path, random: &mut SplitMix64) -> Result<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let found = entry.metadata()?;
            if found.is_dir() {
                folders.push(entry.path());
            } else if found.len() > 0 {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    ensure!(!files.is_empty(), "an event log without files");
    Ok(files[random.below(files.len())].clone())
}

/// Damages a file, and says how.
fn spoil(file: &Path, random: &mut SplitMix64) -> Result<String> {
    let mut bytes = fs::read(file)?;
    let at = random.below(bytes.len());
    let what = match random.below(5) {
        0 => {
            bytes[at] ^= 1 << random.below(8);
            format!("a bit of byte {at} flipped")
        }
        1 => {
            bytes.truncate(at);
            format!("cut after {at} bytes")
        }
        2 => {
            let end = (at + 1 + random.below(4096)).min(bytes.len());
            bytes[at..end].fill(0);
            format!("zeros from {at} to {end}")
        }
        3 => {
            let garbage = 1 + random.below(2000);
            bytes.extend((0..garbage).map(|_| random.next_u64() as u8));
            format!("{garbage} bytes of garbage at the end")
        }
        _ => {
            let end = (at + 1 + random.below(100)).min(bytes.len());
            bytes.drain(at..end);
            format!("{at} to {end} taken out")
        }
    };
    fs::write(file, bytes)?;
    Ok(what)
}
