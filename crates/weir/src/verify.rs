//! The contract check: what a target must do before it is worth measuring, seen from outside over the wire.
//!
//! - this file: the cases, the same for both protocols
//! - `client`: how an event is sent over REST and over gRPC

mod client;
mod command;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};

use crate::application_db::ApplicationDb;
use crate::targets::Target;

pub use client::Endpoint;
use client::{Answer, Client, Entity, Event};
pub use command::{VerifyArgs, run};

/// One case and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What is asked of the target.
    pub case: &'static str,
    /// Whether it does it.
    pub passed: bool,
    /// What it did instead; empty where it passed.
    pub detail: String,
}

/// Asks for the target's health until it answers or `limit` is over. `alive` may end the wait early.
pub async fn wait_healthy(
    target: &Target,
    endpoint: &Endpoint,
    limit: Duration,
    mut alive: impl FnMut() -> Result<()>,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(25);
    loop {
        alive()?;
        let error = match Client::new(target, endpoint)?.health().await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if Instant::now() > deadline {
            return Err(error).with_context(|| format!("not healthy within {} s", limit.as_secs()));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

/// Runs every case. Without `database` what is stored is not looked at.
pub async fn verify(
    target: &Target,
    endpoint: &Endpoint,
    database: Option<&ApplicationDb>,
) -> Result<Vec<Finding>> {
    if target.scenario != "ingest" {
        bail!(
            "target {}: there is no contract check for the scenario '{}'",
            target.name,
            target.scenario
        );
    }
    let client = Client::new(target, endpoint)?;
    let id = format!("verify-{}", uuid::Uuid::new_v4());
    let case = |case, outcome: Result<()>| match outcome {
        Ok(()) => Finding {
            case,
            passed: true,
            detail: String::new(),
        },
        Err(error) => Finding {
            case,
            passed: false,
            detail: format!("{error:#}"),
        },
    };
    Ok(vec![
        case("health answers", client.health().await),
        case(
            "a new entity is stored and acknowledged",
            created(&client, database, &id).await,
        ),
        case(
            "a second event is merged into it",
            merged(&client, database, &id).await,
        ),
        case(
            "an event without entity id is refused",
            refused_without_id(&client).await,
        ),
        case(
            "an event without name is refused",
            refused_without_name(&client, &id).await,
        ),
        case(
            "an event with one bad entity stores none",
            all_or_nothing(&client, database, &id).await,
        ),
    ])
}

/// The first failed case as an error.
pub fn require_all(findings: &[Finding]) -> Result<()> {
    match findings.iter().find(|f| !f.passed) {
        None => Ok(()),
        Some(failed) => bail!("the contract is broken: {}: {}", failed.case, failed.detail),
    }
}

fn first_attributes() -> Value {
    json!({ "model": "Verify", "year": 2024, "price": 24439.75, "owner": { "tags": ["a", null, true] } })
}

fn second_attributes() -> Value {
    json!({ "year": 2025, "owner": { "name": "B" }, "note": "M\u{fc}hle \"quoted\"" })
}

async fn created(client: &Client, database: Option<&ApplicationDb>, id: &str) -> Result<()> {
    acknowledged(client, &car("CarCreated", id, first_attributes())).await?;
    stored(database, id, &first_attributes()).await
}

async fn merged(client: &Client, database: Option<&ApplicationDb>, id: &str) -> Result<()> {
    acknowledged(client, &car("ServiceDone", id, second_attributes())).await?;
    let mut expected = first_attributes();
    if let (Value::Object(all), Value::Object(new)) = (&mut expected, second_attributes()) {
        all.extend(new);
    }
    stored(database, id, &expected).await
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

async fn all_or_nothing(client: &Client, database: Option<&ApplicationDb>, id: &str) -> Result<()> {
    let good = format!("{id}-partial");
    let mut event = car("CarCreated", &good, first_attributes());
    event.entities.push(Entity {
        kind: String::new(),
        id: good.clone(),
        attributes: json!({}),
    });
    refused(client, &event).await?;
    let Some(database) = database else {
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

async fn stored(database: Option<&ApplicationDb>, id: &str, expected: &Value) -> Result<()> {
    let Some(database) = database else {
        return Ok(());
    };
    match database.attributes("Car", id).await? {
        None => bail!("the event was acknowledged, and its entity is not in the database"),
        Some(found) if found == *expected => Ok(()),
        Some(found) => bail!("the entity holds {found}, expected {expected}"),
    }
}
