//! A sink in the process of a test; the producers' tests take this file in by its path.

use clap::Parser;
use testkit::kafka::Kafka;
use testkit::postgres::Database;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Starts it; it ends when what is answered is dropped.
pub(crate) async fn sink(kafka: &Kafka, database: &Database) -> DropGuard {
    let stop = CancellationToken::new();
    let arguments = [
        "sink",
        "--host",
        "127.0.0.1",
        "--admin-port",
        "0",
        "--database-url",
        database.url(),
        "--kafka-brokers",
        kafka.brokers(),
    ];
    let config = sink::Config::parse_from(arguments);
    let service = sink::Service::build(&config, stop.clone()).await.unwrap();
    tokio::spawn(service.run());
    stop.drop_guard()
}
