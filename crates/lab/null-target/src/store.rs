//! Events in the database, one statement an entity: plain, and right unless it is told otherwise.

use anyhow::Context;
use database_link::Link;
use domain::Event;
use tokio_postgres::types::Json;

use crate::config::Fault;

/// The table of the contract.
const TABLE: &str = "/* Store::connect */ CREATE TABLE IF NOT EXISTS car_entities (id varchar(255), entity_type varchar(255), \
     created_at timestamptz, updated_at timestamptz, data jsonb NOT NULL, PRIMARY KEY (entity_type, id))";

const MERGE: &str = "/* Store::put */ INSERT INTO car_entities (entity_type, id, created_at, updated_at, data) \
     VALUES ($1, $2, now(), now(), $3) ON CONFLICT (entity_type, id) DO UPDATE \
     SET data = car_entities.data || excluded.data, updated_at = now()";

const REPLACE: &str = "/* Store::put */ INSERT INTO car_entities (entity_type, id, created_at, updated_at, data) \
     VALUES ($1, $2, now(), now(), $3) ON CONFLICT (entity_type, id) DO UPDATE \
     SET data = excluded.data, updated_at = now()";

/// One connection, whose statements follow each other.
pub(crate) struct Store {
    client: Link,
    statement: &'static str,
}

impl Store {
    /// # Errors
    /// The database cannot be reached, or refuses the table.
    pub(crate) async fn connect(url: &str, fault: Fault) -> anyhow::Result<Self> {
        let config = url
            .parse()
            .context("DATABASE_URL: not a URL of PostgreSQL")?;
        let client = Link::connect(&config).await;
        let client = client.context("DATABASE_URL: cannot connect")?;
        client.batch_execute(TABLE).await.context("car_entities")?;
        let statement = match fault {
            Fault::MergesByReplacing => REPLACE,
            _ => MERGE,
        };
        Ok(Self { client, statement })
    }

    /// Stores an event. Its entities are committed one by one, since this is no service but a yardstick.
    pub(crate) async fn put(&self, event: &Event) -> anyhow::Result<()> {
        for entity in event.entities() {
            let data: serde_json::Value = serde_json::from_str(entity.attributes())?;
            self.client
                .execute(
                    self.statement,
                    &[&entity.entity_type(), &entity.entity_id(), &Json(data)],
                )
                .await?;
        }
        Ok(())
    }
}
