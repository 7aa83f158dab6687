//! Concurrent merges into one entity: the database must hold what each of them brought.

use std::time::Instant;

use anyhow::Result;
use lab_model::endpoint::Endpoint;
use lab_model::targets::Target;
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use super::client::{Answer, Client, Entity, Event};
use super::ingest::{LOOK_EVERY, patience};
use crate::application_db::ApplicationDb;

/// Events that change the same entity at the same time, each by an attribute of its own.
const MERGES: usize = 64;
/// Entities, one after the other: a flow that loses updates may be lucky once.
const ROUNDS: usize = 3;

/// What became of the merges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Merges {
    /// Acknowledged by the target.
    pub(crate) acknowledged: i64,
    /// Of these, found in the database.
    pub(crate) stored: i64,
}

/// Sends them and looks for them.
pub(crate) async fn merge_concurrently(
    target: &Target,
    at: &Endpoint,
    database: &ApplicationDb,
) -> Result<Merges> {
    let mut merges = Merges::default();
    for _ in 0..ROUNDS {
        let id = format!("merged-{}", uuid::Uuid::new_v4());
        // It is there before: what is looked for is a lost update, not a second insert that fails.
        Client::new(target, at)?.send(&merge(&id, "first")).await?;
        let mut sending = JoinSet::new();
        for number in 0..MERGES {
            let client = Client::new(target, at)?;
            let (id, name) = (id.clone(), format!("k{number}"));
            sending.spawn(async move {
                let answer = client.send(&merge(&id, &name)).await;
                // No answer is no acknowledgement.
                matches!(answer, Ok(Answer::Acknowledged)).then_some(name)
            });
        }
        let acknowledged = sending.join_all().await;
        let acknowledged: Vec<String> = acknowledged.into_iter().flatten().collect();
        let begun = Instant::now();
        let stored = loop {
            let found = database.attributes("Car", &id).await?.unwrap_or_default();
            let stored = acknowledged.iter().filter(|name| found.get(name).is_some());
            let stored = stored.count();
            if stored == acknowledged.len() || begun.elapsed() >= patience(target) {
                break stored;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        merges.acknowledged += i64::try_from(acknowledged.len())?;
        merges.stored += i64::try_from(stored)?;
    }
    Ok(merges)
}

fn merge(id: &str, name: &str) -> Event {
    Event {
        name: "ServiceDone".into(),
        entities: vec![Entity {
            kind: "Car".into(),
            id: id.to_owned(),
            attributes: Value::Object(Map::from_iter([(name.to_owned(), "1".into())])),
        }],
    }
}
