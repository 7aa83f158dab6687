//! The store on a real PostgreSQL.

mod connecting;
mod figures;
mod runs;
mod upkeep;

use metrics_db::{MetricsDbConfig, NewRun, Store};
use testkit::Database;
use testkit::postgres::shared;

/// Settings that lead to `database`.
fn config(database: &Database) -> MetricsDbConfig {
    MetricsDbConfig {
        host: "127.0.0.1".into(),
        port: shared().port(),
        name: database.name().into(),
        ..Default::default()
    }
}

/// A store on a database of its own with the schema applied, and that database.
async fn fresh_store() -> (Store, Database) {
    let database = Database::fresh().await;
    let store = Store::connect(&config(&database)).await.expect("connect");
    store.migrate().await.expect("migrate");
    (store, database)
}

/// A run of `api` under this run id.
fn new_run(api: &str, label: &str) -> NewRun {
    NewRun {
        api_name: api.into(),
        run_label: label.into(),
        ..Default::default()
    }
}
