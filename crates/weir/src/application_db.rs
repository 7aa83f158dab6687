//! The application database as the lab sees it: emptied before a run, counted after it.
//! All SQL of weir on that database is here.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio_postgres::{Client, Config, NoTls};

/// A connection to `car_entities`.
pub struct ApplicationDb {
    client: Client,
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
        let (client, connection) = config
            .connect(NoTls)
            .await
            .context("cannot connect to the application database")?;
        tokio::spawn(connection);
        Ok(Self { client })
    }

    /// Empties the table where there is one, then ANALYZE and CHECKPOINT: every run begins alike.
    pub async fn reset(&self) -> Result<()> {
        if self.has_table().await? {
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
        self.client
            .batch_execute("/* ApplicationDb::reset */ CHECKPOINT")
            .await?;
        Ok(())
    }

    async fn has_table(&self) -> Result<bool> {
        let sql =
            "/* ApplicationDb::has_table */ SELECT to_regclass('public.car_entities') IS NOT NULL";
        Ok(self.client.query_one(sql, &[]).await?.get(0))
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
        let sql = "/* ApplicationDb::stats_since */
                   SELECT count(*), pg_total_relation_size('car_entities') FROM car_entities";
        let row = self.client.query_one(sql, &[]).await?;
        let (rows, table_bytes): (i64, i64) = (row.get(0), row.get(1));
        Ok(json!({
            "rows": rows,
            "table_bytes": table_bytes,
            "wal_bytes": now.wal_bytes - before.wal_bytes,
            "checkpoints": now.checkpoints - before.checkpoints,
        }))
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
