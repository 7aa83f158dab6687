//! A service on a database of its own, and transactions to put into it.

use api::benchmark::StreamRequest;
use testkit::postgres::Database;
use testkit::process::Service;
use tokio_postgres::{Client, GenericClient};

use crate::client::{Event, Grpc, Sse};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_stream");

/// Before every transaction of these tests.
pub(crate) const EPOCH: &str = "1970-01-01T00:00:00Z";

pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) service: Service,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let database = Database::fresh().await;
        let service = serve(database.url(), settings);
        Self { database, service }
    }

    pub(crate) async fn writer(&self) -> Client {
        self.database.client().await
    }

    /// Subscribes over server-sent events.
    pub(crate) async fn sse(&self, query: &str) -> Sse {
        Sse::open(self.service.http(), query).await
    }

    /// Subscribes over gRPC.
    pub(crate) async fn grpc(&self, request: StreamRequest) -> Grpc {
        Grpc::open(self.service.grpc(), request).await
    }
}

pub(crate) fn serve(url: &str, settings: &[(&str, &str)]) -> Service {
    let mut environment = vec![("DATABASE_URL", url)];
    environment.extend_from_slice(settings);
    Service::start(BINARY, &environment)
}

/// All since 1970, over gRPC.
pub(crate) fn from_the_first() -> StreamRequest {
    StreamRequest {
        since_timestamp: EPOCH.to_owned(),
        ..Default::default()
    }
}

/// Inserts as anyone would: the columns of the contract alone.
pub(crate) async fn insert(client: &impl GenericClient, id: &str) {
    insert_at(client, id, "2026-01-01T00:00:00Z").await;
}

pub(crate) async fn insert_at(client: &impl GenericClient, id: &str, timestamp: &str) {
    insert_row(client, id, "0.0.1", "0.0.2", timestamp).await;
}

pub(crate) async fn insert_row(
    client: &impl GenericClient,
    id: &str,
    from: &str,
    to: &str,
    timestamp: &str,
) {
    client
        .execute(
            "INSERT INTO transactions (tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp)
             VALUES ($1, $2, $3, 5, 'transfer', $4::text::timestamptz)",
            &[&id, &from, &to, &timestamp],
        )
        .await
        .unwrap();
}

/// Inserts `count` transactions in one statement, a second apart: `name-1`, `name-2`, ...
pub(crate) async fn insert_many(client: &impl GenericClient, name: &str, count: i32) {
    client
        .execute(
            "INSERT INTO transactions (tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp)
             SELECT $1::text || '-' || i, '0.0.' || i % 100, '0.0.' || i % 70, i, 'transfer',
                    timestamptz '2026-01-01 00:00Z' + i * interval '1 s'
               FROM generate_series(1, $2::int) AS i",
            &[&name, &count],
        )
        .await
        .unwrap();
}

pub(crate) fn ids(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.tx_id.as_str()).collect()
}

pub(crate) fn sequences(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.sequence).collect()
}

/// Whether the numbers go from `first` without a gap.
pub(crate) fn assert_dense(events: &[Event], first: u64) {
    for (event, expected) in events.iter().zip(first..) {
        assert_eq!(event.sequence, expected, "{event:?}");
    }
}

/// Waits until all transactions have a number.
pub(crate) async fn numbered(client: &Client, count: i64) {
    testkit::eventually(&format!("{count} are numbered"), async || {
        let row = client
            .query_one("SELECT count(*) FROM transaction_log", &[])
            .await
            .unwrap();
        row.get::<_, i64>(0) == count
    })
    .await;
}

/// A figure of the service's metrics.
pub(crate) async fn metric(service: &Service, name: &str) -> f64 {
    let page = testkit::http::get(service.http(), "/metrics").await;
    let line = page.text().lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {}", page.text()))
}

/// Waits until the numberer has saved how far it looked.
pub(crate) async fn saved(client: &Client) {
    testkit::eventually("the numberer has saved its place", async || {
        let rows = client.query("SELECT FROM transaction_numbering", &[]).await;
        !rows.unwrap().is_empty()
    })
    .await;
}
