//! What no waiting can mend ends the start at once, named, without the password.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use runtime::config::DatabaseConfig;
use runtime::postgres::Database;
use testkit::postgres::Server;
use tokio_util::sync::CancellationToken;

/// Why a start with this URL ends, and how long it took.
async fn refused(url: &str) -> (String, Duration) {
    let config = DatabaseConfig {
        database_url: url.parse().unwrap(),
        database_pool_size: 1.try_into().unwrap(),
        database_acquire_timeout: Duration::from_secs(2),
    };
    let begun = Instant::now();
    let error = Database::connect(&config, &CancellationToken::new())
        .await
        .unwrap_err();
    (format!("{error:#}"), begun.elapsed())
}

fn at_once(what: &str, (message, took): &(String, Duration), parts: &[&str]) {
    assert!(*took < Duration::from_secs(5), "{what}: {took:?}");
    for part in parts {
        assert!(message.contains(part), "{what}: no '{part}' in: {message}");
    }
    assert!(
        message.starts_with("DATABASE_URL postgresql://"),
        "{message}"
    );
    assert!(!message.contains("hidden"), "{what}: {message}");
}

#[tokio::test]
async fn an_unknown_database_ends_the_start() {
    let url = testkit::postgres::shared()
        .url("nobodys")
        .replace(":password", ":hidden");
    let refused = refused(&url).await;
    at_once(
        "database",
        &refused,
        &[
            "\"nobodys\" does not exist",
            "3D000 invalid_catalog_name",
            "create the database",
        ],
    );
}

#[tokio::test]
async fn an_unknown_role_ends_the_start() {
    let port = testkit::postgres::shared().port();
    let url = format!("postgresql://nobody:hidden@127.0.0.1:{port}/postgres");
    let refused = refused(&url).await;
    at_once(
        "role",
        &refused,
        &["role \"nobody\" does not exist", "28000", "check its user"],
    );
}

#[tokio::test]
async fn tls_that_the_server_does_not_have_ends_the_start() {
    let port = testkit::postgres::shared().port();
    let url = format!("postgresql://postgres:hidden@127.0.0.1:{port}/postgres?sslmode=require");
    let refused = refused(&url).await;
    at_once(
        "TLS",
        &refused,
        &["server does not support TLS", "choose another sslmode"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_ends_the_start() {
    // `trust` asks for none: a server of its own that does.
    let mut rules = tempfile::NamedTempFile::new().unwrap();
    rules
        .write_all(
            b"host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
        )
        .unwrap();
    let everyone = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(rules.path(), everyone).unwrap();
    let path = rules.path().to_str().unwrap().to_owned();
    let starting = tokio::task::spawn_blocking(move || Server::start_with(&[("hba_file", &path)]));
    let server = starting.await.unwrap();
    let client = testkit::postgres::connect(&server.url("postgres")).await;
    client
        .batch_execute("CREATE ROLE limited LOGIN PASSWORD 'right'")
        .await
        .unwrap();
    let url = |user: &str| format!("postgresql://{user}@127.0.0.1:{}/postgres", server.port());
    at_once(
        "password",
        &refused(&url("limited:hidden")).await,
        &[
            "password authentication failed",
            "28P01 invalid_password",
            "check its user and its password",
        ],
    );
    at_once(
        "no password",
        &refused(&url("limited")).await,
        &["password", "check its user"],
    );
    // It must not be the server: the right password is taken.
    testkit::postgres::connect(&url("limited:right")).await;
}
