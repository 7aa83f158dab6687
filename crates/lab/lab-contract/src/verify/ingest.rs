//! The cases of ingestion: events are stored and merged, bad ones refused.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use lab_model::endpoint::Endpoint;
use lab_model::targets::Target;
use serde_json::{Value, json};

use super::client::{Answer, Client, Entity, Event};
use super::finding::Finding;
use crate::application_db::ApplicationDb;

/// From one look at the table to the next.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where events are to be found.
struct Table<'a> {
    /// None: nobody looks.
    database: Option<&'a ApplicationDb>,
    /// How long they may take to be there once they are acknowledged.
    patience: Duration,
}

/// How long an acknowledged event may take to be in the table: no time, unless the target says that it does its work later.
pub(super) fn patience(target: &Target) -> Duration {
    Duration::from_secs(if target.is_done_later() { 30 } else { 0 })
}

/// Runs every case. Without `database` what is stored is not looked at.
pub(super) async fn cases(
    target: &Target,
    endpoint: &Endpoint,
    database: Option<&ApplicationDb>,
) -> Result<Vec<Finding>> {
    let client = Client::new(target, endpoint)?;
    let id = format!("verify-{}", uuid::Uuid::new_v4());
    let database = &Table {
        database,
        patience: patience(target),
    };
    Ok(vec![
        Finding::of("health answers", client.health().await),
        Finding::of(
            "a new entity is stored and acknowledged",
            created(&client, database, &id).await,
        ),
        Finding::of(
            "a second event is merged into it",
            merged(&client, database, &id).await,
        ),
        Finding::of(
            "an event without entity id is refused",
            refused_without_id(&client).await,
        ),
        Finding::of(
            "an event without name is refused",
            refused_without_name(&client, &id).await,
        ),
        Finding::of(
            "an event with one bad entity stores none",
            all_or_nothing(&client, database, &id).await,
        ),
    ])
}

fn first_attributes() -> Value {
    json!({ "model": "Verify", "year": 2024, "price": 24439.75, "owner": { "tags": ["a", null, true] } })
}

fn second_attributes() -> Value {
    json!({ "year": 2025, "owner": { "name": "B" }, "note": "M\u{fc}hle \"quoted\"" })
}

async fn created(client: &Client, database: &Table<'_>, id: &str) -> Result<()> {
    acknowledged(client, &car("CarCreated", id, first_attributes())).await?;
    stored(database, id, &client.stored(&first_attributes())).await
}

async fn merged(client: &Client, database: &Table<'_>, id: &str) -> Result<()> {
    acknowledged(client, &car("ServiceDone", id, second_attributes())).await?;
    let mut expected = first_attributes();
    if let (Value::Object(all), Value::Object(new)) = (&mut expected, second_attributes()) {
        all.extend(new);
    }
    stored(database, id, &client.stored(&expected)).await
}

async fn refused_without_id(client: &Client) -> Result<()> {
    refused(client, &car("CarCreated", "", first_attributes())).await
}

async fn refused_without_name(client: &Client, id: &str) -> Result<()> {
    refused(
        client,
        &car("", &format!("{id}-nameless"), first_attributes()),
    )
    .await
}

async fn all_or_nothing(client: &Client, database: &Table<'_>, id: &str) -> Result<()> {
    let good = format!("{id}-partial");
    let mut event = car("CarCreated", &good, first_attributes());
    event.entities.push(Entity {
        kind: String::new(),
        id: good.clone(),
        attributes: json!({}),
    });
    refused(client, &event).await?;
    let Some(database) = database.database else {
        return Ok(());
    };
    match database.attributes("Car", &good).await? {
        None => Ok(()),
        Some(_) => bail!("the good entity of the refused event was stored"),
    }
}

fn car(name: &str, id: &str, attributes: Value) -> Event {
    let entity = Entity {
        kind: "Car".into(),
        id: id.into(),
        attributes,
    };
    Event {
        name: name.into(),
        entities: vec![entity],
    }
}

async fn acknowledged(client: &Client, event: &Event) -> Result<()> {
    match client.send(event).await? {
        Answer::Acknowledged => Ok(()),
        Answer::Invalid(message) => bail!("a good event was refused: {message}"),
        Answer::Other(what) => bail!("a good event was answered with {what}"),
    }
}

async fn refused(client: &Client, event: &Event) -> Result<()> {
    match client.send(event).await? {
        Answer::Invalid(_) => Ok(()),
        Answer::Acknowledged => bail!("a bad event was acknowledged"),
        Answer::Other(what) => bail!(
            "a bad event was answered with {what}, not with {}",
            client.refusal()
        ),
    }
}

/// Waits for what the target does after it has acknowledged it.
async fn stored(table: &Table<'_>, id: &str, expected: &Value) -> Result<()> {
    let Some(database) = table.database else {
        return Ok(());
    };
    let begun = Instant::now();
    loop {
        let found = database.attributes("Car", id).await?;
        match found {
            Some(found) if found == *expected => return Ok(()),
            _ if begun.elapsed() < table.patience => tokio::time::sleep(LOOK_EVERY).await,
            Some(found) => bail!("the entity holds {found}, expected {expected}"),
            None => bail!("the event was acknowledged, and its entity is not in the database"),
        }
    }
}
