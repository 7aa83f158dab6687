//! `weir feed`: live transactions at a rate.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use testkit::postgres::Database;
use tokio_postgres::Client;

use crate::checkout::text;

fn weir(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .args(arguments)
        .env("DATABASE_URL", url)
        .env_remove("WEIR_ROOT")
        .current_dir("/");
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

async fn table(client: &Client) {
    let schema = include_str!("../../../../../postgres/migrations/stream/V1__transactions.sql");
    client.batch_execute(schema).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_goes_away_does_not_stop_it() {
    let database = Database::fresh().await;
    let client = database.client().await;
    table(&client).await;
    let mut command = weir(
        database.url(),
        &["feed", "--rate", "10", "--duration", "4s"],
    );
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let status = tokio::task::spawn_blocking(move || {
        let mut feed = command.spawn().unwrap();
        let mut first = String::new();
        let mut reader = std::io::BufReader::new(feed.stderr.take().unwrap());
        std::io::BufRead::read_line(&mut reader, &mut first).unwrap();
        assert!(first.contains("inserted"), "{first}");
        // As `head -1` does.
        drop(reader);
        feed.wait().unwrap()
    })
    .await
    .unwrap();
    assert!(status.success(), "{status}");
    let row = client
        .query_one("SELECT count(*) FROM transactions", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 40);
}

#[tokio::test]
async fn a_rate_for_a_while() {
    let database = Database::fresh().await;
    let client = database.client().await;
    table(&client).await;
    let begun = Instant::now();
    let fed = output(weir(
        database.url(),
        &["feed", "--rate", "50", "--duration", "2s", "--json"],
    ))
    .await;
    assert!(fed.status.success(), "{}", text(&fed));
    // The last one is due after 99 pauses.
    assert!(begun.elapsed() >= Duration::from_millis(1980));
    let said: serde_json::Value = serde_json::from_slice(&fed.stdout).unwrap();
    assert_eq!(said["transactions"], 100);
    let row = client
        .query_one(
            "SELECT count(*), count(*) FILTER (WHERE tx_type = 'transfer'),
                    count(*) FILTER (WHERE timestamp > now() - interval '1 minute'),
                    count(*) FILTER (WHERE from_account = to_account),
                    count(*) FILTER (WHERE from_account ~ '^0\\.0\\.10[0-9]{4}$' AND amount_tinybar > 0)
               FROM transactions",
            &[],
        )
        .await
        .unwrap();
    let counts: Vec<i64> = (0..5).map(|column| row.get(column)).collect();
    assert_eq!(counts, [100, 60, 100, 0, 100]);
}

#[tokio::test]
async fn ctrl_c_ends_it_with_a_summary() {
    let database = Database::fresh().await;
    let client = database.client().await;
    table(&client).await;
    let mut command = weir(database.url(), &["feed", "--rate", "200"]);
    let feed = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    testkit::eventually("it inserts", async || {
        let count = "SELECT count(*) FROM transactions";
        let row = client.query_one(count, &[]).await.unwrap();
        row.get::<_, i64>(0) > 10
    })
    .await;
    let pid = nix::unistd::Pid::from_raw(i32::try_from(feed.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let fed = tokio::task::spawn_blocking(move || feed.wait_with_output().unwrap())
        .await
        .unwrap();
    assert!(fed.status.success(), "{}", text(&fed));
    let row = client
        .query_one("SELECT count(*) FROM transactions", &[])
        .await
        .unwrap();
    let count: i64 = row.get(0);
    assert!(
        text(&fed).starts_with(&format!("{count} transactions in ")),
        "{}",
        text(&fed)
    );
}

#[tokio::test]
async fn without_a_table_it_says_what_to_do() {
    let database = Database::fresh().await;
    let fed = output(weir(database.url(), &["feed"])).await;
    assert_eq!(fed.status.code(), Some(1));
    let said = String::from_utf8(fed.stderr).unwrap();
    assert!(said.contains("weir seed"), "{said}");
}
