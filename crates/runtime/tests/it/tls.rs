//! TLS to a real PostgreSQL.

use std::path::Path;

use runtime::config::DatabaseConfig;
use runtime::postgres::Database;
use testkit::postgres::{Server, connect};
use testkit::tls::Authority;
use tokio_util::sync::CancellationToken;

/// The settings of a database, with a pool of one.
fn config(url: &str) -> DatabaseConfig {
    DatabaseConfig {
        database_url: url.parse().unwrap(),
        database_pool_size: 1.try_into().unwrap(),
        database_acquire_timeout: std::time::Duration::from_secs(5),
    }
}

/// A server with TLS for `localhost`; the role `private` comes over TLS alone, the role `postgres` in any way.
async fn with_tls(folder: &Path, authority: &Authority) -> Server {
    let server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let (cert, key) = authority.issue(folder, "server", "localhost");
    let ca = authority.write(folder, "own");
    let client = connect(&server.url("postgres")).await;
    for (file, path) in [("server.crt", cert), ("server.key", key), ("root.crt", ca)] {
        // Written by PostgreSQL itself, into its data directory, so that the files are its own.
        let text = std::fs::read_to_string(path).unwrap();
        let copy = format!(
            "COPY (SELECT unnest(string_to_array('{text}', E'\\n'))) TO PROGRAM 'umask 077; cat > {file}'"
        );
        client.batch_execute(&copy).await.unwrap();
    }
    let rules = "hostssl all shown all cert clientcert=verify-full\nhostssl all private all trust\nhost all postgres all trust\nlocal all all trust";
    let copy = format!(
        "COPY (SELECT unnest(string_to_array('{rules}', E'\\n'))) TO PROGRAM 'cat > \"$PGDATA\"/pg_hba.conf 2>/dev/null || cat > pg_hba.conf'"
    );
    client.batch_execute(&copy).await.unwrap();
    for statement in [
        "CREATE ROLE private LOGIN",
        "CREATE ROLE shown LOGIN",
        "ALTER SYSTEM SET ssl_ca_file = 'root.crt'",
        "ALTER SYSTEM SET ssl = on",
        "SELECT pg_reload_conf()",
    ] {
        client.batch_execute(statement).await.unwrap();
    }
    testkit::eventually("ssl = on", async || {
        let row = client.query_one("SHOW ssl", &[]).await.unwrap();
        row.get::<_, &str>(0) == "on"
    })
    .await;
    server
}

/// Whether the connection is encrypted, or why there is none.
async fn encrypted(url: &str) -> Result<bool, String> {
    let config: DatabaseConfig = config(url);
    let patience = std::time::Duration::from_millis(1);
    let stop = CancellationToken::new();
    let database = Database::connect_within(&config, &stop, patience).await;
    let database = database.map_err(|error| format!("{error:#}"))?;
    let client = database.get().await.map_err(|error| error.chain())?;
    let statement = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = client.query_one(statement, &[]).await;
    Ok(row.map_err(|error| error.to_string())?.get(0))
}

#[tokio::test]
async fn each_mode_does_as_libpq_does() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = with_tls(folder.path(), &authority).await;
    let plain = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let own = authority.write(folder.path(), "own");
    let strange = stranger.write(folder.path(), "strange");
    let (own, strange) = (own.display(), strange.display());
    let secure = |user: &str, host: &str, parameters: String| {
        let url = format!(
            "postgresql://{user}@{host}:{}/postgres?{parameters}",
            server.port()
        );
        async move { encrypted(&url).await }
    };
    for (user, host, parameters, expected) in [
        ("postgres", "localhost", String::new(), Ok(true)),
        ("postgres", "localhost", "sslmode=prefer".into(), Ok(true)),
        ("postgres", "localhost", "sslmode=disable".into(), Ok(false)),
        ("postgres", "localhost", "sslmode=require".into(), Ok(true)),
        (
            "private",
            "localhost",
            "sslmode=disable".into(),
            Err("no pg_hba.conf entry"),
        ),
        ("private", "localhost", "sslmode=require".into(), Ok(true)),
        (
            "postgres",
            "localhost",
            format!("sslmode=require&sslrootcert={strange}"),
            Err(""),
        ),
        (
            "postgres",
            "127.0.0.1",
            format!("sslmode=verify-ca&sslrootcert={own}"),
            Ok(true),
        ),
        (
            "postgres",
            "localhost",
            format!("sslmode=verify-ca&sslrootcert={strange}"),
            Err(""),
        ),
        (
            "postgres",
            "localhost",
            format!("sslmode=verify-full&sslrootcert={own}"),
            Ok(true),
        ),
        (
            "postgres",
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={own}"),
            Err(""),
        ),
        (
            "postgres",
            "localhost",
            "sslmode=verify-full&sslrootcert=/no/such".into(),
            Err("sslrootcert: /no/such: no such file"),
        ),
    ] {
        let found = secure(user, host, parameters.clone()).await;
        match expected {
            Ok(expected) => assert_eq!(found, Ok(expected), "{user} {host} {parameters}"),
            Err(part) => {
                let error = found.expect_err(&parameters);
                assert!(error.contains(part), "{parameters}: {error}");
                assert!(error.contains("DATABASE_URL"), "{error}");
            }
        }
    }
    let url = |mode: &str| format!("{}?sslmode={mode}", plain.url("postgres"));
    assert_eq!(encrypted(&url("prefer")).await, Ok(false));
    encrypted(&url("require")).await.expect_err("no TLS there");
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let server = with_tls(folder.path(), &authority).await;
    let (cert, key) = authority.issue(folder.path(), "shown", "client.example");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let url = format!(
        "postgresql://shown@localhost:{}/postgres?sslmode=require",
        server.port()
    );
    encrypted(&url).await.expect_err("no certificate");
    let (cert, key) = (cert.display(), key.display());
    let url = format!("{url}&sslcert={cert}&sslkey={key}");
    assert_eq!(encrypted(&url).await, Ok(true));
}
