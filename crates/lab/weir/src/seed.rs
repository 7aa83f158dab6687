//! `weir seed`: the accounts and transactions that balance and stream are measured with.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use runtime::config::{DatabaseConfig, DatabaseUrl};
use runtime::postgres::{Database, Schema};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::output;

/// The schemas of the services whose tables are seeded. Names of the history tables and keys of the locks are those
/// of the services, so that whoever comes second finds the work done.
mod schema {
    pub(super) mod balance {
        refinery::embed_migrations!("../../../postgres/migrations/balance");
        pub(crate) const HISTORY: &str = "balance_schema_history";
        /// "balance" in ASCII.
        pub(crate) const LOCK: i64 = 0x62_616c_616e_6365;
    }
    pub(super) mod stream {
        refinery::embed_migrations!("../../../postgres/migrations/stream");
        pub(crate) const HISTORY: &str = "stream_schema_history";
        /// "stream" in ASCII.
        pub(crate) const LOCK: i64 = 0x7374_7265_616d;
    }
}

const ACCOUNTS_SQL: &str = include_str!("../../../../postgres/seed/accounts.sql");
const TRANSACTIONS_SQL: &str = include_str!("../../../../postgres/seed/transactions.sql");

/// Longest wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Make the 10,000 accounts and 100,000 transactions that balance and stream are measured with
///
/// Creates the tables where they are missing. Every machine gets the same rows; existing rows stay as they
/// are, so a second run changes nothing.
#[derive(Args, Debug)]
pub struct SeedArgs {
    /// The application database
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgresql://postgres:password@localhost:5432/car_entities",
        value_name = "URL"
    )]
    database_url: DatabaseUrl,
}

/// Rows added by one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Added {
    pub(crate) accounts: u64,
    pub(crate) transactions: u64,
}

/// Seeds, and says what was added.
pub async fn run(args: SeedArgs, json: bool) -> Result<ExitCode> {
    let added = seed(args.database_url).await?;
    if json {
        output::json(&serde_json::json!({ "added": added }))?;
    } else {
        let Added {
            accounts,
            transactions,
        } = added;
        output::line(&format!(
            "{accounts} accounts and {transactions} transactions added"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the tables and what is missing in them.
pub(crate) async fn seed(url: DatabaseUrl) -> Result<Added> {
    let config = DatabaseConfig {
        database_url: url,
        database_pool_size: NonZeroUsize::MIN,
        database_acquire_timeout: ACQUIRE_TIMEOUT,
    };
    let database = Database::connect(&config, &CancellationToken::new()).await?;
    for (migrations, history, lock) in [
        (
            schema::balance::migrations::runner(),
            schema::balance::HISTORY,
            schema::balance::LOCK,
        ),
        (
            schema::stream::migrations::runner(),
            schema::stream::HISTORY,
            schema::stream::LOCK,
        ),
    ] {
        database
            .migrate(Schema {
                history,
                migrations,
                lock,
                needs: &[],
            })
            .await?;
    }
    let mut client = database.get().await?;
    // All or nothing: an interrupted run leaves no half of it.
    let transaction = client.transaction().await?;
    let added = Added {
        accounts: transaction
            .execute(ACCOUNTS_SQL, &[])
            .await
            .context("the accounts cannot be made")?,
        transactions: transaction
            .execute(TRANSACTIONS_SQL, &[])
            .await
            .context("the transactions cannot be made")?,
    };
    transaction.commit().await?;
    if added.accounts + added.transactions > 0 {
        // Plans and hint bits as a database in use has them, before anything is measured.
        client
            .batch_execute("/* weir::seed */ VACUUM (ANALYZE) accounts, transactions")
            .await?;
    }
    Ok(added)
}
