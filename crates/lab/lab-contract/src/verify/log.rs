//! The cases of the event log: topics, and hash-chained partitions. Which of the two a target is, its gRPC service says.
//!
//! - this file: the cases
//! - [`client`]: what the cases and the audit ask for

mod client;

use anyhow::{Result, bail, ensure};
use lab_model::endpoint::Endpoint;
use lab_model::targets::Target;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::finding::Finding;
use super::wire::health;

pub(crate) use client::{ChainClient, Entry, LogClient, TopicsClient};

/// What `prev_hash` of a first entry is.
const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Runs every case of the target's interface.
pub(super) async fn cases(target: &Target, at: &Endpoint) -> Result<Vec<Finding>> {
    let mut findings = vec![Finding::of("health answers", health(target, at).await)];
    match LogClient::connect(target, at).await {
        Err(error) => findings[0] = Finding::of("health answers", Err(error)),
        Ok(LogClient::Topics(client)) => findings.extend(topics(&client).await),
        Ok(LogClient::Chain(client)) => findings.extend(chain(&client).await),
    }
    Ok(findings)
}

async fn topics(client: &TopicsClient) -> Vec<Finding> {
    let topic = format!("verify-{}", uuid::Uuid::new_v4());
    let created = client.create(&topic, 2).await;
    vec![
        Finding::of("a topic is created", created),
        Finding::of(
            "records get offsets from 0 without gaps",
            produced(client, &topic).await,
        ),
        Finding::of(
            "what was produced can be read at its offset",
            consumed(client, &topic).await,
        ),
        Finding::of("a record for no topic is an error", no_topic(client).await),
        Finding::of("a topic is deleted", client.delete(&topic).await),
    ]
}

async fn produced(client: &TopicsClient, topic: &str) -> Result<()> {
    for n in 0..3 {
        let offset = client.produce(topic, 1, &value(n)).await?;
        ensure!(offset == i64::from(n), "record {n} got offset {offset}");
    }
    Ok(())
}

async fn consumed(client: &TopicsClient, topic: &str) -> Result<()> {
    let records = client.read(topic, 1).await?;
    ensure!(records.len() == 3, "{} of 3 records came", records.len());
    for (n, record) in (0..).zip(&records) {
        let offset = record.offset;
        ensure!(
            offset == i64::from(n),
            "record {n} came with offset {offset}"
        );
        ensure!(
            record.value[..] == *value(n).as_bytes(),
            "record {n} came with other bytes"
        );
        ensure!(
            record.headers == [client::header()],
            "record {n} came without the header that it was produced with"
        );
    }
    let other = client.read(topic, 0).await?;
    ensure!(
        other.is_empty(),
        "{} records are in the other partition",
        other.len()
    );
    Ok(())
}

async fn no_topic(client: &TopicsClient) -> Result<()> {
    match client.produce("weir-verify-no-such-topic", 0, "x").await {
        Err(_) => Ok(()),
        Ok(offset) => bail!("it was acknowledged with offset {offset}"),
    }
}

fn value(n: i32) -> String {
    json!({ "n": n, "text": "M\u{fc}hle" }).to_string()
}

async fn chain(client: &ChainClient) -> Vec<Finding> {
    let partition = format!("verify-{}", uuid::Uuid::new_v4());
    vec![
        Finding::of(
            "entries get numbers from 0 without gaps",
            appended(client, &partition).await,
        ),
        Finding::of(
            "entries are read as they were appended, chained by their hashes",
            read(client, &partition).await,
        ),
        Finding::of(
            "what is no JSON is refused",
            no_json(client, &partition).await,
        ),
        Finding::of("the chain verifies", verified(client, &partition).await),
        Finding::of(
            "an unknown partition does not verify",
            unknown(client).await,
        ),
    ]
}

async fn appended(client: &ChainClient, partition: &str) -> Result<()> {
    for n in 0..3 {
        let seq = client.append(partition, &data(n)).await?;
        ensure!(seq == n, "entry {n} got seq {seq}");
    }
    Ok(())
}

async fn read(client: &ChainClient, partition: &str) -> Result<()> {
    let entries = client.read(partition).await?;
    ensure!(entries.len() == 3, "{} of 3 entries came", entries.len());
    let mut before = NO_HASH.to_owned();
    for (n, entry) in (0..).zip(&entries) {
        ensure!(entry.seq == n, "entry {n} came with seq {}", entry.seq);
        ensure!(entry.data == data(n), "entry {n} came as {}", entry.data);
        ensure!(
            entry.prev_hash == before,
            "entry {n} does not hold the hash of the one before"
        );
        let expected = hash(partition, entry);
        ensure!(
            entry.hash == expected,
            "entry {n} has hash {}, its content {expected}",
            entry.hash
        );
        before.clone_from(&entry.hash);
    }
    Ok(())
}

/// The rule of the contract, for entries whose keys are sorted and whose text is ASCII.
fn hash(partition: &str, entry: &Entry) -> String {
    let canonical = format!(
        r#"{{"data":{},"partition":"{partition}","prev_hash":"{}","seq":{},"ts":"{}"}}"#,
        entry.data, entry.prev_hash, entry.seq, entry.timestamp
    );
    let digest = Sha256::digest(canonical);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn no_json(client: &ChainClient, partition: &str) -> Result<()> {
    match client.append(partition, "{\"n\":NaN}").await {
        Err(_) => Ok(()),
        Ok(seq) => bail!("it was appended with seq {seq}"),
    }
}

async fn verified(client: &ChainClient, partition: &str) -> Result<()> {
    let count = client.verify(partition).await?;
    ensure!(count == 3, "{count} of 3 entries were verified");
    Ok(())
}

async fn unknown(client: &ChainClient) -> Result<()> {
    match client.verify("weir-verify-no-such-partition").await {
        Err(_) => Ok(()),
        Ok(count) => bail!("it verifies, with {count} entries"),
    }
}

fn data(n: u64) -> String {
    format!(r#"{{"n":{n},"text":"verify"}}"#)
}
