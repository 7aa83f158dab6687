//! `weir seed`: the same rows everywhere, once.

use std::process::{Command, Output};

use testkit::postgres::Database;
use tokio_postgres::Client;

use crate::checkout::text;

/// Runs it away from any repository, as in its image.
async fn seed(url: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .arg("seed")
        .args(arguments)
        .env("DATABASE_URL", url)
        .env_remove("WEIR_ROOT")
        .current_dir(folder.path());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// A digest of every value of both tables.
async fn digest(client: &Client) -> (String, String) {
    let row = client
        .query_one(
            "SELECT (SELECT md5(string_agg(concat_ws(' ', account_id, balance_tinybar, extract(epoch FROM updated_at)),
                                           ',' ORDER BY account_id COLLATE \"C\")) FROM accounts),
                    (SELECT md5(string_agg(concat_ws(' ', tx_id, from_account, to_account, amount_tinybar, tx_type,
                                           extract(epoch FROM timestamp)),
                                           ',' ORDER BY tx_id COLLATE \"C\")) FROM transactions)",
            &[],
        )
        .await
        .unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn the_same_rows_are_made_once() {
    let database = Database::fresh().await;
    let output = seed(database.url(), &[]).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(
        text(&output).trim(),
        "10000 accounts and 100000 transactions added"
    );
    let client = database.client().await;
    let digest_before = digest(&client).await;
    assert_eq!(
        (digest_before.0.as_str(), digest_before.1.as_str()),
        (
            "463105ad8ca9c344f51d5ccd425a0a8c",
            "7985a4228cfc9b19af3d0e107d822e6d"
        ),
        "other rows than before: whoever compares with earlier figures must know"
    );

    client
        .execute(
            "UPDATE accounts SET balance_tinybar = -1 WHERE account_id = '0.0.100007'",
            &[],
        )
        .await
        .unwrap();
    let changed = digest(&client).await;
    let output = seed("", &["--json", "--database-url", database.url()]).await;
    assert!(output.status.success(), "{}", text(&output));
    let added: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        added,
        serde_json::json!({"added": {"accounts": 0, "transactions": 0}})
    );
    assert_eq!(digest(&client).await, changed);
}

#[tokio::test]
async fn accounts_and_transactions_are_those_of_the_contract() {
    let database = Database::fresh().await;
    // Two at once, on an empty database.
    let (first, second) = tokio::join!(seed(database.url(), &[]), seed(database.url(), &[]));
    for output in [first, second] {
        assert!(output.status.success(), "{}", text(&output));
    }
    let client = database.client().await;
    let row = client
        .query_one(
            "SELECT count(*), min(account_id), max(account_id), min(balance_tinybar) > 0 FROM accounts",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        (row.get(0), row.get(1), row.get(2), row.get(3)),
        (10_000_i64, "0.0.100000", "0.0.109999", true)
    );
    let types = client
        .query(
            "SELECT tx_type, count(*) FROM transactions GROUP BY tx_type ORDER BY count(*) DESC",
            &[],
        )
        .await
        .unwrap();
    let types: Vec<(String, i64)> = types.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(
        types,
        [
            ("transfer".to_owned(), 60_000),
            ("vesting_release".to_owned(), 30_000),
            ("contract_call".to_owned(), 10_000)
        ]
    );
    let row = client
        .query_one(
            "SELECT count(DISTINCT timestamp),
                    min(timestamp) >= '2025-01-01 00:00:00+00' AND max(timestamp) < '2025-01-02 00:00:00+00',
                    max(timestamp) - min(timestamp) > interval '23:59:50',
                    count(*) FILTER (WHERE from_account = to_account OR amount_tinybar <= 0),
                    count(f.account_id), count(t.account_id)
               FROM transactions
               LEFT JOIN accounts f ON f.account_id = from_account
               LEFT JOIN accounts t ON t.account_id = to_account",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 100_000);
    assert!(row.get::<_, bool>(1) && row.get::<_, bool>(2));
    assert_eq!(
        [row.get::<_, i64>(3), row.get(4), row.get(5)],
        [0, 100_000, 100_000]
    );
}

#[tokio::test]
async fn a_wrong_database_is_an_error_and_left_alone() {
    let database = Database::fresh().await;
    let output = seed("mysql://someone:hidden@127.0.0.1/cars", &[]).await;
    assert_eq!(output.status.code(), Some(64), "{}", text(&output));
    assert!(!text(&output).contains("hidden"), "{}", text(&output));
    // A table that is something else.
    let client = database.client().await;
    client
        .batch_execute("CREATE TABLE transactions (id int)")
        .await
        .unwrap();
    let output = seed(database.url(), &[]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("transactions"), "{}", text(&output));
    let accounts = client
        .query_one("SELECT count(*) FROM accounts", &[])
        .await
        .unwrap();
    assert_eq!(accounts.get::<_, i64>(0), 0, "all or nothing");
}

#[test]
fn the_schema_is_applied_under_the_names_of_the_services() {
    let read = |path: &str| {
        let path = crate::checkout::repository().join(path);
        std::fs::read_to_string(&path).unwrap()
    };
    let own = read("crates/lab/weir/src/seed.rs");
    for name in ["\"balance_schema_history\"", "0x62_616c_616e_6365"] {
        assert!(own.contains(name), "{name}");
        assert!(
            read("crates/services/balance/src/store.rs").contains(name),
            "{name}"
        );
    }
}
