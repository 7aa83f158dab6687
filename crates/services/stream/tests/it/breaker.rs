//! Who wants a stream does not wait for a database that is away.

use api::benchmark::StreamRequest;
use api::benchmark::transaction_service_client::TransactionServiceClient;
use testkit::http::{self, Connection};
use testkit::postgres::{Database, Server};
use testkit::proxy::Proxy;
use testkit::{at_once, eventually};
use tonic::Code;

use crate::client::{Sse, channel};
use crate::support::{insert, serve};

const STREAM: &str = "/api/v1/transactions/stream";

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_subscribers_are_told_at_once() {
    // With one connection, which is the feed's, and with more.
    for size in ["1", "10"] {
        let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
        let database = Database::fresh_on(&server).await;
        let service = serve(database.url(), &[("DATABASE_POOL_SIZE", size)]);
        eventually("the feed runs", async || {
            http::get(service.http(), "/health").await.status == 200
        })
        .await;
        let mut open = Sse::open(service.http(), "").await;
        server.stop();
        let metrics = async || http::get(service.http(), "/metrics").await;
        eventually("it is found out", async || {
            metrics()
                .await
                .text()
                .contains("\ndatabase_breaker_open 1\n")
        })
        .await;
        let mut connection = Connection::open(service.http()).await;
        for path in [STREAM, "/health"] {
            at_once(path, async || {
                let answer = connection.request("GET", path, &[], b"").await;
                assert_eq!(
                    (answer.status, answer.header("retry-after")),
                    (503, Some("1"))
                );
            })
            .await;
        }
        let mut client = TransactionServiceClient::new(channel(service.grpc()).await);
        at_once("over gRPC", async || {
            let refused = client.stream_transactions(StreamRequest::default()).await;
            assert_eq!(refused.expect_err("no stream").code(), Code::Unavailable);
        })
        .await;
        server.start_again();
        eventually("it closes by itself", async || {
            metrics()
                .await
                .text()
                .contains("\ndatabase_breaker_open 0\n")
        })
        .await;
        insert(&database.client().await, "after").await;
        assert_eq!(
            open.next().await.map(|event| event.tx_id).as_deref(),
            Some("after")
        );
        eventually("health follows", async || {
            http::get(service.http(), "/health").await.status == 200
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_lost_its_way_opens_the_breaker_too() {
    let fresh = Database::fresh().await;
    let target = format!("127.0.0.1:{}", testkit::postgres::shared().port());
    let proxy = Proxy::start(target.parse().unwrap()).await.unwrap();
    let url = format!(
        "postgresql://postgres:password@{}/{}",
        proxy.address(),
        fresh.name()
    );
    let service = serve(&url, &[]);
    proxy.freeze();
    eventually("it is found out", async || {
        let page = http::get(service.http(), "/metrics").await;
        page.text().contains("\ndatabase_breaker_open 1\n")
    })
    .await;
    let mut connection = Connection::open(service.http()).await;
    at_once(STREAM, async || {
        assert_eq!(
            connection.request("GET", STREAM, &[], b"").await.status,
            503
        );
    })
    .await;
    proxy.open();
    eventually("health follows", async || {
        http::get(service.http(), "/health").await.status == 200
    })
    .await;
}
