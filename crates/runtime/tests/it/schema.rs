//! A schema that is current needs no right but to read; one that is not is made, or what is missing is named.

use std::time::Duration;

use runtime::config::DatabaseConfig;
use runtime::postgres::{Database, Schema};
use testkit::postgres::Database as Fresh;
use tokio_util::sync::CancellationToken;

mod embedded {
    refinery::embed_migrations!("tests/it/migrations");
}

fn schema() -> Schema {
    Schema {
        history: "refinery_schema_history",
        migrations: embedded::migrations::runner(),
        lock: 4713,
        needs: &[("probe", &["n"])],
    }
}

async fn connect(url: &str) -> Database {
    let config = DatabaseConfig {
        database_url: url.parse().unwrap(),
        database_pool_size: 1.try_into().unwrap(),
        database_acquire_timeout: Duration::from_secs(2),
    };
    Database::connect(&config, &CancellationToken::new())
        .await
        .unwrap()
}

/// The URL of a role that may not create, with these rights besides.
async fn limited(fresh: &Fresh, rights: &str) -> String {
    let role = format!("limited_{}", fresh.name());
    let client = fresh.client().await;
    client
        .batch_execute(&format!(
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE {role} LOGIN; {}",
            rights.replace("$role", &role)
        ))
        .await
        .unwrap();
    fresh
        .url()
        .replace("postgres:password@", &format!("{role}@"))
}

#[tokio::test]
async fn a_role_that_may_not_create_starts_on_a_current_schema() {
    for rights in [
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO $role",
        // The history cannot be read; the tables are there.
        "GRANT SELECT ON probe TO $role",
    ] {
        let fresh = Fresh::fresh().await;
        connect(fresh.url()).await.migrate(schema()).await.unwrap();
        let url = limited(&fresh, rights).await;
        connect(&url).await.migrate(schema()).await.unwrap();
    }
}

#[tokio::test]
async fn a_table_that_was_made_by_hand_is_enough_for_a_role_that_may_not_create() {
    let fresh = Fresh::fresh().await;
    let table = "CREATE TABLE probe (n integer, more text)";
    fresh.client().await.batch_execute(table).await.unwrap();
    let url = limited(&fresh, "").await;
    connect(&url).await.migrate(schema()).await.unwrap();
}

#[tokio::test]
async fn what_is_missing_is_named_where_the_role_may_not_create() {
    for (table, missing) in [
        ("", "the table probe"),
        (
            "CREATE TABLE probe (x integer)",
            "the column n of the table probe",
        ),
    ] {
        let fresh = Fresh::fresh().await;
        fresh.client().await.batch_execute(table).await.unwrap();
        let url = limited(&fresh, "").await;
        let error = connect(&url).await.migrate(schema()).await.unwrap_err();
        let message = format!("{error:#}");
        assert!(message.contains(missing), "{message}");
        assert!(
            message.contains("may not create tables in the schema public"),
            "{message}"
        );
        assert!(
            message.contains("start the service once with a role that may"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_read_only_database_with_a_current_schema_is_served() {
    let fresh = Fresh::fresh().await;
    let url = format!(
        "{}?options=-cdefault_transaction_read_only%3Don",
        fresh.url()
    );
    let error = connect(&url).await.migrate(schema()).await.unwrap_err();
    assert!(
        format!("{error:#}").contains("the database is read-only"),
        "{error:#}"
    );
    connect(fresh.url()).await.migrate(schema()).await.unwrap();
    let database = connect(&url).await;
    database.migrate(schema()).await.unwrap();
    database.ping().await.unwrap();
    let error = database.for_writes().ping().await.unwrap_err();
    assert_eq!(error.to_string(), "the database is read-only");
}

#[tokio::test]
async fn a_failed_migration_changes_nothing_and_leaves_no_lock() {
    let fresh = Fresh::fresh().await;
    fresh
        .client()
        .await
        .batch_execute("CREATE TABLE probe (x text)")
        .await
        .unwrap();
    let database = connect(fresh.url()).await;
    database.migrate(schema()).await.unwrap_err();
    let client = fresh.client().await;
    let asked = async |sql: &str| client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0);
    assert!(
        asked("SELECT to_regclass('refinery_schema_history') IS NULL").await,
        "the history was made"
    );
    // The connection that failed is closed meanwhile.
    testkit::eventually("the lock is free", async || {
        asked("SELECT pg_try_advisory_lock(4713)").await
    })
    .await;
}
