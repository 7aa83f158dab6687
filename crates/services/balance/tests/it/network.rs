//! What the network may do: silence, slowness, offers.

use testkit::network::{self, QUICK};
use testkit::postgres::Database;

use crate::support::{BINARY, Fixture};

const ONE: &str = "/api/v1/accounts/a/balance";

#[tokio::test]
async fn silence_and_heads_that_stop_are_closed() {
    let fixture = Fixture::start_with(&QUICK).await;
    let (grpc, http) = (fixture.service.grpc(), fixture.service.http());
    tokio::join!(
        network::silence_is_closed(grpc),
        network::silence_is_closed(http),
        network::a_head_that_stops_is_408(http, "/health"),
        network::an_idle_connection_is_closed(http, "/health"),
    );
}

#[tokio::test]
async fn health_answers_amid_150_silent_connections_with_128_files() {
    let database = Database::fresh().await;
    let service =
        network::start_with_few_files(BINARY, "", 128, &[("DATABASE_URL", database.url())]);
    let (grpc, http) = (service.grpc(), service.http());
    drop(network::health_answers_amid_silence(&[grpc, http], http, "/health").await);
}

#[tokio::test]
async fn head_ids_offers_and_preflights_are_as_everywhere() {
    let fixture = Fixture::start().await;
    let http = fixture.service.http();
    network::offers_to_upgrade_are_ignored(http, ONE).await;
    for path in [
        ONE,
        "/api/v1/accounts/none/balance",
        "/api/v1/accounts/balances?ids=a,b",
        "/api/v1/balances?ids=a,b",
        "/api/v1/balances",
        "/health",
        "/metrics",
        "/no/such/path",
    ] {
        network::head_is_get_without_a_body(http, path).await;
    }
    network::preflights_follow_from_the_routes(http, ONE, "GET, HEAD").await;
    network::request_ids_are_given_back(http, ONE).await;
}
