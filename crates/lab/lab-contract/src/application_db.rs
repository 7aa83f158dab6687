//! The application database as the lab sees it: emptied before a run, counted after it.
//! All SQL of weir on that database is here.

use std::time::Duration;

use anyhow::{Context, Result};
use database_link::Link;
use lab_model::seeded;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio_postgres::Config;

/// A connection to `car_entities`.
pub struct ApplicationDb {
    client: Link,
}

/// A row of `accounts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// E.g. `0.0.100000`.
    pub id: String,
    /// Tinybar.
    pub balance: i64,
    /// When the balance last changed.
    pub updated_at: OffsetDateTime,
}

/// A row of `transactions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRow {
    /// The transaction's id.
    pub id: String,
    /// The account that gave.
    pub from: String,
    /// The account that received.
    pub to: String,
    /// Tinybar.
    pub amount: i64,
    /// E.g. `transfer`.
    pub kind: String,
    /// When it took place.
    pub timestamp: OffsetDateTime,
}

/// Counters of the server at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Counters {
    /// Bytes of write-ahead log since the cluster was made.
    wal_bytes: i64,
    /// Checkpoints, timed and requested.
    checkpoints: i64,
}

impl ApplicationDb {
    /// Connects to `url` (`postgresql://...`).
    pub async fn connect(url: &str) -> Result<Self> {
        let mut config: Config = url
            .parse()
            .context("the application database's address is not valid")?;
        config
            .application_name("weir")
            .connect_timeout(Duration::from_secs(10));
        let client = Link::connect(&config)
            .await
            .context("cannot connect to the application database")?;
        Ok(Self { client })
    }

    /// Empties the table where there is one, then ANALYZE and CHECKPOINT: every run begins alike.
    pub async fn reset(&self) -> Result<()> {
        if self.exists("car_entities").await? {
            // A service left over from before may hold a lock; waiting for it for ever helps nobody.
            self.client
                .batch_execute(
                    "/* ApplicationDb::reset */ SET lock_timeout = '20s'; TRUNCATE car_entities",
                )
                .await
                .context("cannot empty car_entities")?;
            self.client
                .batch_execute("/* ApplicationDb::reset */ ANALYZE car_entities")
                .await?;
        }
        self.checkpoint().await
    }

    /// Writes out what is dirty, so that no measurement pays for what was before it.
    pub async fn checkpoint(&self) -> Result<()> {
        self.client
            .batch_execute("/* ApplicationDb::checkpoint */ CHECKPOINT")
            .await?;
        Ok(())
    }

    /// True where there is such a table.
    async fn exists(&self, table: &str) -> Result<bool> {
        let sql =
            "/* ApplicationDb::exists */ SELECT to_regclass('public.' || $1::text) IS NOT NULL";
        Ok(self.client.query_one(sql, &[&table]).await?.get(0))
    }

    /// How many events of the run are stored. Each event put one key of its type, with the run id as value,
    /// into its entity, so that an event is one (entity, key) pair.
    pub async fn count_events(&self, run_label: &str) -> Result<i64> {
        let row = self
            .client
            .query_one(
                "/* ApplicationDb::count_events */
                 SELECT count(*) FILTER (WHERE data ->> 'carCreatedRun' = $1)
                      + count(*) FILTER (WHERE data ->> 'serviceDoneRun' = $1)
                      + count(*) FILTER (WHERE data ->> 'loanCreatedRun' = $1)
                      + count(*) FILTER (WHERE data ->> 'loanPaymentRun' = $1)
                 FROM car_entities",
                &[&run_label],
            )
            .await
            .context("cannot count the stored events")?;
        Ok(row.get(0))
    }

    /// The stored attributes of one entity.
    pub async fn attributes(&self, entity_type: &str, id: &str) -> Result<Option<Value>> {
        let sql = "/* ApplicationDb::attributes */
                   SELECT data::text FROM car_entities WHERE entity_type = $1 AND id = $2";
        let row = self.client.query_opt(sql, &[&entity_type, &id]).await?;
        row.map(|row| serde_json::from_str(row.get(0)).context("stored data is no JSON"))
            .transpose()
    }

    /// The accounts of these ids that are there, in any order.
    pub async fn accounts<S: AsRef<str> + Sync>(&self, ids: &[S]) -> Result<Vec<Account>> {
        let sql = "/* ApplicationDb::accounts */
                   SELECT account_id, balance_tinybar, updated_at FROM accounts WHERE account_id = ANY ($1)";
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        let rows = self.client.query(sql, &[&ids]).await;
        let rows = rows.context("cannot read the accounts")?;
        Ok(rows
            .iter()
            .map(|row| Account {
                id: row.get(0),
                balance: row.get(1),
                updated_at: row.get(2),
            })
            .collect())
    }

    /// Sets an account's balance, which may be new.
    pub async fn put_account(&self, id: &str, balance: i64) -> Result<()> {
        let sql = "/* ApplicationDb::put_account */
                   INSERT INTO accounts (account_id, balance_tinybar, updated_at) VALUES ($1, $2, now())
                   ON CONFLICT (account_id)
                   DO UPDATE SET balance_tinybar = excluded.balance_tinybar, updated_at = excluded.updated_at";
        self.client.execute(sql, &[&id, &balance]).await?;
        Ok(())
    }

    /// Removes an account.
    pub async fn remove_account(&self, id: &str) -> Result<()> {
        let sql = "/* ApplicationDb::remove_account */ DELETE FROM accounts WHERE account_id = $1";
        self.client.execute(sql, &[&id]).await?;
        Ok(())
    }

    /// The first `limit` transactions since a time, by time; of one account where it is given.
    pub async fn transactions_since(
        &self,
        since: OffsetDateTime,
        account: Option<&str>,
        limit: i64,
    ) -> Result<Vec<TransactionRow>> {
        let sql = "/* ApplicationDb::transactions_since */
                   SELECT tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp FROM transactions
                   WHERE timestamp >= $1 AND ($2::text IS NULL OR from_account = $2 OR to_account = $2)
                   ORDER BY timestamp LIMIT $3";
        let rows = self.client.query(sql, &[&since, &account, &limit]).await;
        let rows = rows.context("cannot read the transactions")?;
        Ok(rows
            .iter()
            .map(|row| TransactionRow {
                id: row.get(0),
                from: row.get(1),
                to: row.get(2),
                amount: row.get(3),
                kind: row.get(4),
                timestamp: row.get(5),
            })
            .collect())
    }

    /// Empties the tables of balance and stream where they hold anything but what `weir seed` makes: numbers given to
    /// other transactions would stand between those that a replay expects. True where they were emptied. The services
    /// must not run.
    pub async fn clear_unless_seeded(&self) -> Result<bool> {
        if !self.exists("transactions").await? || !self.exists("accounts").await? {
            return Ok(false);
        }
        let numbered = self.exists("transaction_log").await?;
        let log = if numbered {
            "(SELECT coalesce(max(sequence), 0) FROM transaction_log)"
        } else {
            "0::bigint"
        };
        let sql = format!(
            "/* ApplicationDb::clear_unless_seeded */
             SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM transactions), {log}"
        );
        let row = self.client.query_one(&sql, &[]).await?;
        let found: (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let transactions = i64::from(seeded::TRANSACTIONS);
        let seeded = found.0 == i64::from(seeded::ACCOUNTS) && found.1 == transactions;
        if seeded && (found.2 == 0 || found.2 == transactions) {
            return Ok(false);
        }
        let mut tables = "accounts, transactions".to_owned();
        if numbered {
            tables += ", transaction_log, transaction_commits, transaction_numbering";
        }
        let sql = format!(
            "/* ApplicationDb::clear_unless_seeded */ SET lock_timeout = '20s'; TRUNCATE {tables}"
        );
        self.client
            .batch_execute(&sql)
            .await
            .context("cannot empty the tables of balance and stream")?;
        Ok(true)
    }

    /// Reads the server's counters.
    pub async fn counters(&self) -> Result<Counters> {
        let version = self.version_number().await?;
        // Before PostgreSQL 17 checkpoints were counted in pg_stat_bgwriter.
        let checkpoints = if version >= 170_000 {
            "SELECT num_timed + num_requested FROM pg_stat_checkpointer"
        } else {
            "SELECT checkpoints_timed + checkpoints_req FROM pg_stat_bgwriter"
        };
        let sql = format!(
            "/* ApplicationDb::counters */
             SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint, ({checkpoints})::bigint"
        );
        let row = self.client.query_one(&sql, &[]).await?;
        Ok(Counters {
            wal_bytes: row.get(0),
            checkpoints: row.get(1),
        })
    }

    /// What happened in the database since `before`, as `test_runs.database_stats` holds it.
    pub async fn stats_since(&self, before: &Counters) -> Result<Value> {
        let now = self.counters().await?;
        let mut stats = json!({
            "wal_bytes": now.wal_bytes - before.wal_bytes,
            "checkpoints": now.checkpoints - before.checkpoints,
        });
        if !self.exists("car_entities").await? {
            return Ok(stats);
        }
        let sql = "/* ApplicationDb::stats_since */
                   SELECT count(*), pg_total_relation_size('car_entities') FROM car_entities";
        let row = self.client.query_one(sql, &[]).await?;
        let (rows, table_bytes): (i64, i64) = (row.get(0), row.get(1));
        stats["rows"] = rows.into();
        stats["table_bytes"] = table_bytes.into();
        Ok(stats)
    }

    /// `server_version_num`, e.g. 180006.
    async fn version_number(&self) -> Result<i32> {
        let sql = "/* ApplicationDb::version_number */ SELECT current_setting('server_version_num')::integer";
        Ok(self.client.query_one(sql, &[]).await?.get(0))
    }

    /// The server's version and the settings that bear on a measurement.
    pub async fn describe(&self) -> Result<Value> {
        let sql = "/* ApplicationDb::describe */
                   SELECT name, current_setting(name) FROM pg_settings
                   WHERE name = ANY ($1) ORDER BY name";
        let names = [
            "checkpoint_timeout",
            "data_checksums",
            "effective_cache_size",
            "fsync",
            "full_page_writes",
            "jit",
            "max_connections",
            "max_wal_size",
            "server_version",
            "shared_buffers",
            "synchronous_commit",
            "wal_buffers",
            "wal_sync_method",
            "work_mem",
        ];
        let mut all = serde_json::Map::new();
        for row in self.client.query(sql, &[&&names[..]]).await? {
            all.insert(row.get(0), Value::String(row.get(1)));
        }
        let version = all.remove("server_version").unwrap_or_default();
        Ok(json!({ "version": version, "settings": all }))
    }
}
