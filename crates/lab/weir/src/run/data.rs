//! What a target finds in the application database: an empty table, or the seeded ones.

use anyhow::{Context, Result};
use lab_contract::application_db::ApplicationDb;
use lab_model::scenario::{Data, Scenario};
use lab_model::targets::Target;

use super::bench::Bench;
use crate::seed;

/// What a target of this scenario finds: an empty table, the seeded ones, or no files. None where it has no database.
pub(super) async fn fresh(bench: &mut Bench, target: &Target) -> Result<Option<ApplicationDb>> {
    bench.backend.clear_files(target).await?;
    let data = target.data();
    if data == Data::None {
        return Ok(None);
    }
    let url = bench.backend.application_url();
    let database = ApplicationDb::connect(&url).await?;
    if data == Data::Seeded {
        if database.clear_unless_seeded().await? {
            tracing::info!("accounts and transactions are made anew: there were others");
        }
        let url = url
            .parse()
            .map_err(|error: String| anyhow::anyhow!(error))?;
        seed::seed(url).await.context("weir seed")?;
    }
    database.reset().await?;
    Ok(Some(database))
}

/// After verification and warm-up: what they have written goes, and no checkpoint is owed.
pub(super) async fn settle(database: &ApplicationDb, scenario: Scenario) -> Result<()> {
    match scenario.data() {
        Data::Empty => database.reset().await,
        Data::Seeded | Data::None => database.checkpoint().await,
    }
}
