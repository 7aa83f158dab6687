//! The statements of this command.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use database_link::Link;

use load_engine::events::ledger::{Findings, Ledger, SLOTS};
use load_engine::events::template::{key_id, slot_name};

/// Connects. The connection ends with the client.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Link> {
    Link::connect(&url.parse()?).await
}

/// An empty table on a clean slate: nothing of the side before is left to be written or cleaned up.
pub(crate) async fn reset(client: &Link) -> anyhow::Result<()> {
    for statement in [
        "/* ratios::store::reset */ TRUNCATE car_entities",
        "/* ratios::store::reset */ ANALYZE car_entities",
        "/* ratios::store::reset */ CHECKPOINT",
    ] {
        client
            .batch_execute(statement)
            .await
            .context("cannot empty the table")?;
    }
    Ok(())
}

/// The accounts and transactions of `weir seed`.
const ACCOUNTS: &str = include_str!("../../../../postgres/seed/accounts.sql");
const TRANSACTIONS: &str = include_str!("../../../../postgres/seed/transactions.sql");

/// Fills `accounts`, which balance made.
pub(crate) async fn seed_accounts(client: &Link) -> anyhow::Result<()> {
    run(client, ACCOUNTS, "the accounts cannot be made").await?;
    let settle = "/* ratios::store::seed_accounts */ VACUUM (ANALYZE) accounts";
    run(client, settle, "the accounts cannot be analysed").await
}

/// Fills `transactions`, which stream made, up to `count` in all, and waits until stream has numbered them.
pub(crate) async fn seed_transactions(client: &Link, count: u32) -> anyhow::Result<()> {
    run(client, TRANSACTIONS, "the transactions cannot be made").await?;
    let more = format!(
        "/* ratios::store::seed_transactions */
         INSERT INTO transactions (tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp)
         SELECT 'replay-' || n, '0.0.' || 100000 + n % 10000, '0.0.' || 100000 + (n + 1) % 10000, n, 'transfer',
                timestamptz '2025-01-02 00:00:00+00' + n * interval '1 millisecond'
           FROM generate_series((SELECT count(*) FROM transactions) + 1, {count}) AS n"
    );
    run(client, &more, "the transactions cannot be made").await?;
    let deadline = Instant::now() + NUMBERING_LIMIT;
    while numbered(client).await? < count.into() {
        anyhow::ensure!(
            Instant::now() < deadline,
            "stream did not number {count} transactions in {} s",
            NUMBERING_LIMIT.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let settle = "/* ratios::store::seed_transactions */ VACUUM (ANALYZE)";
    run(client, settle, "the transactions cannot be analysed").await
}

/// Transactions that have their number.
pub(crate) async fn numbered(client: &Link) -> anyhow::Result<i64> {
    let sql =
        "/* ratios::store::numbered */ SELECT coalesce(max(sequence), 0) FROM transaction_log";
    let row = client.query_one(sql, &[]).await;
    let row = row.context("stream's log of transactions cannot be read")?;
    Ok(row.try_get(0)?)
}

/// Leaves nothing of what was before to be written.
pub(crate) async fn checkpoint(client: &Link) -> anyhow::Result<()> {
    let sql = "/* ratios::store::checkpoint */ CHECKPOINT";
    run(client, sql, "no checkpoint").await
}

async fn run(client: &Link, sql: &str, failure: &'static str) -> anyhow::Result<()> {
    client.batch_execute(sql).await.context(failure)
}

/// The longest wait for stream to number what was inserted at once.
const NUMBERING_LIMIT: Duration = Duration::from_secs(300);

/// Rows in the table.
pub(crate) async fn rows(client: &Link) -> anyhow::Result<i64> {
    let row = client
        .query_one(
            "/* ratios::store::rows */ SELECT count(*) FROM car_entities",
            &[],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// Compares what the ledger says was acknowledged with what is stored.
pub(crate) async fn audit(client: &Link, run_id: &str, ledger: Ledger) -> anyhow::Result<Findings> {
    let slots = (0..SLOTS).map(|slot| format!("data->>'{}'", slot_name(slot)));
    let sql = format!(
        "/* ratios::store::audit */ SELECT id, ARRAY[{}] FROM car_entities",
        slots.collect::<Vec<_>>().join(", ")
    );
    let mut stored = HashMap::new();
    for row in client
        .query(&sql, &[])
        .await
        .context("cannot read the table")?
    {
        let id: String = row.try_get(0)?;
        let texts: Vec<Option<String>> = row.try_get(1)?;
        let mut slots = [None; SLOTS as usize];
        for (slot, text) in slots.iter_mut().zip(texts) {
            *slot = text
                .map(|text| text.parse())
                .transpose()
                .context("an unreadable slot")?;
        }
        stored.insert(id, slots);
    }
    Ok(ledger.audit(|key| {
        stored
            .get(&key_id(run_id, key))
            .copied()
            .unwrap_or([None; SLOTS as usize])
    }))
}

/// The settings that decide what a commit means and costs, with the server's version.
pub(crate) async fn settings(client: &Link) -> anyhow::Result<Vec<(String, String)>> {
    let names = [
        "server_version",
        "fsync",
        "synchronous_commit",
        "full_page_writes",
        "wal_sync_method",
        "shared_buffers",
        "max_wal_size",
        "wal_level",
        "checkpoint_timeout",
        "max_connections",
    ];
    let mut settings = Vec::new();
    for name in names {
        let row = client
            .query_one(
                "/* ratios::store::settings */ SELECT current_setting($1)",
                &[&name],
            )
            .await?;
        settings.push((name.to_owned(), row.try_get(0)?));
    }
    Ok(settings)
}
