//! How soon live subscribers get their first event from a service that is started over a table of transactions without
//! numbers, in a PostgreSQL of its own:
//!
//! ```sh
//! cargo build --release -p stream
//! cargo run -p stream --example backlog -- target/release/stream 1000000 500
//! ```
//!
//! The service is started, the subscribers connect over server-sent events as soon as it is ready, and one transaction is
//! inserted when all streams are open. Prints when each of these was done, and after how long the slowest of the
//! subscribers had that transaction, counted from its commit; and what anonymous memory each of them took. Of that, the
//! first numbering has no part with 0 rows:
//!
//! ```sh
//! cargo run -p stream --example backlog -- target/release/stream 0 10000
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for whoever measures: it ends where its surroundings fail"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use testkit::postgres::{Database, Server};
use testkit::process::Service;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST: &[u8] = b"GET /api/v1/transactions/stream HTTP/1.1\r\nHost: x\r\n\r\n";
const LONGEST_WAIT: Duration = Duration::from_secs(300);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, binary, rows, subscribers] = &arguments[..] else {
        panic!("usage: backlog PATH_OF_STREAM ROWS SUBSCRIBERS");
    };
    let binary = std::fs::canonicalize(binary).unwrap();
    let (rows, subscribers): (i32, usize) = (rows.parse().unwrap(), subscribers.parse().unwrap());
    let server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = Database::fresh_on(&server).await;
    let writer = database.client().await;
    let settings = [("DATABASE_URL", database.url())];
    // Makes the schema.
    drop(Service::start(&binary, &settings));
    let insert = "INSERT INTO transactions (tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp)
                  SELECT '0.0.' || i || '@' || i, '0.0.' || i % 10000, '0.0.' || i % 7000, i, 'transfer',
                         timestamptz '2026-01-01 00:00Z' + i * interval '1 ms'
                    FROM generate_series(1, $1::int) AS i";
    writer.execute(insert, &[&rows]).await.unwrap();
    writer.batch_execute("CHECKPOINT").await.unwrap();

    let begun = Instant::now();
    let service = Service::start(&binary, &settings);
    let ready = begun.elapsed();
    let address = service.http();
    let before = memory_kib(&service);
    let mut streams = Vec::with_capacity(subscribers);
    // As many at a time as a backlog of connections holds.
    while streams.len() < subscribers {
        let next = (subscribers - streams.len()).min(500);
        streams.extend(join_all((0..next).map(|_| open(address))).await);
    }
    let open = begun.elapsed();
    let each = (memory_kib(&service) - before) / subscribers as f64;
    let live = "INSERT INTO transactions VALUES ('live', 'a', 'b', 1, 'transfer', now())";
    writer.batch_execute(live).await.unwrap();
    let committed = Instant::now();
    join_all(streams.into_iter().map(first_event)).await;
    let received = committed.elapsed();
    println!(
        "{rows} rows, {subscribers} subscribers: ready after {ready:.2?}, all open after {open:.2?}, all had the event \
         {received:.2?} after its commit; {each:.1} KiB each, {before:.0} KiB before them"
    );
    if rows >= 10_000 {
        let numbered = service.wait_for_log("numbered many", LONGEST_WAIT);
        println!("{}", numbered.unwrap_or_default());
    }
}

/// Anonymous memory of the process, KiB.
fn memory_kib(service: &Service) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse().unwrap()
}

/// Connects, asks, and waits for the head of the answer.
async fn open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    let mut bytes = [0; 4096];
    let read = stream.read(&mut bytes).await.unwrap();
    assert!(bytes[..read].starts_with(b"HTTP/1.1 200"));
    stream
}

async fn first_event(mut stream: TcpStream) {
    let mut text = Vec::new();
    let mut bytes = [0; 4096];
    let reading = async {
        while !String::from_utf8_lossy(&text).contains("event: transaction") {
            let read = stream.read(&mut bytes).await.unwrap();
            assert!(read > 0, "the stream ended");
            text.extend_from_slice(&bytes[..read]);
        }
    };
    tokio::time::timeout(LONGEST_WAIT, reading).await.unwrap();
    assert!(String::from_utf8_lossy(&text).contains("\"tx_id\":\"live\""));
}
