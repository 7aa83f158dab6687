//! The services of the workspace, built if need be, on a database with the seeded rows.

use std::path::{Path, PathBuf};

use testkit::postgres::Database;
use testkit::process::Service;
use tokio_postgres::Client;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../..")
        .canonicalize()
        .unwrap()
}

/// Builds these and gives the folder they are in.
pub(crate) fn build(packages: &[&str]) -> PathBuf {
    testkit::programs::build(packages);
    let benchmark = Path::new(env!("CARGO_BIN_EXE_benchmark"));
    benchmark.parent().unwrap().to_owned()
}

/// A service with its database, in which are the rows of `weir seed` for it.
pub(crate) struct Seeded {
    pub(crate) database: Database,
    pub(crate) service: Service,
}

/// Starts `name` on an empty database, with these settings.
pub(crate) async fn start_with(
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
) -> Seeded {
    let database = Database::fresh().await;
    let url = database.url().to_owned();
    let service = tokio::task::spawn_blocking(move || {
        let binary = build(&[name]).join(name);
        let mut environment = vec![("DATABASE_URL", url.as_str())];
        environment.extend(settings);
        Service::start(binary, &environment)
    });
    let service = service.await.unwrap();
    Seeded { database, service }
}

/// Starts `name`, whose start makes its tables, and fills `table`.
pub(crate) async fn start(name: &'static str, table: &str) -> Seeded {
    let Seeded { database, service } = start_with(name, &[]).await;
    let seed = root().join(format!("postgres/seed/{table}.sql"));
    let seed = std::fs::read_to_string(seed).unwrap();
    let client = database.client().await;
    client.batch_execute(&seed).await.unwrap();
    if table == "transactions" {
        numbered(&client).await;
    }
    Seeded { database, service }
}

/// Waits until every transaction has its number.
pub(crate) async fn numbered(client: &Client) {
    let sql = "SELECT (SELECT count(*) FROM transactions) - (SELECT count(*) FROM transaction_log)";
    testkit::eventually("every transaction has its number", async || {
        let row = client.query_one(sql, &[]).await.unwrap();
        row.get::<_, i64>(0) == 0
    })
    .await;
}
