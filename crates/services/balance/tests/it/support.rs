//! A service on a database of its own, and accounts to ask for.

use std::net::SocketAddr;

use api::benchmark::balance_service_client::BalanceServiceClient;
use api::benchmark::{BalanceRequest, BalanceResponse, BatchBalanceRequest};
use testkit::http::{self, Connection, Response};
use testkit::postgres::{Database, lock_table};
use testkit::process::Service;
use tokio_postgres::Client;
use tonic::Status;
use tonic::transport::Channel;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_balance");

/// A service that is ready, and its database.
pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) service: Service,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Without accounts, but for `a` with 1 tinybar, `b` with 2 and `c` with -3.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_on(Database::fresh().await, settings).await
    }

    pub(crate) async fn start_on(database: Database, settings: &[(&str, &str)]) -> Self {
        let mut environment = vec![("DATABASE_URL", database.url())];
        environment.extend_from_slice(settings);
        let service = Service::start(BINARY, &environment);
        let fixture = Self { database, service };
        add_accounts(&fixture.database.client().await).await;
        fixture
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.service.http()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        http::get(self.service.http(), path).await
    }

    pub(crate) async fn channel(&self) -> Channel {
        channel(self.service.grpc()).await
    }

    pub(crate) async fn client(&self) -> BalanceServiceClient<Channel> {
        BalanceServiceClient::new(self.channel().await)
    }

    /// The value of a metric without labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let page = self.get("/metrics").await;
        let line = page
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let line = line.unwrap_or_else(|| panic!("no {name} in\n{}", page.text()));
        line.parse().unwrap()
    }

    /// Waits until this many accounts wait for a reader or were refused.
    pub(crate) async fn until_queued(&self, accounts: usize) {
        let address = self.service.http();
        testkit::eventually(&format!("{accounts} accounts wait"), async || {
            let waiting = testkit::http::metric(address, "balance_queue_depth").await;
            let refused = testkit::http::metric(address, "balance_refused_total").await;
            waiting + refused >= accounts as f64
        })
        .await;
    }

    /// Sends `requests` requests for account `a` to a service with one reader while the table is locked: one that is read
    /// for, and the others when it is. Releases the table once all of them wait or are refused, and gives the answers.
    pub(crate) async fn crowd(&self, requests: usize) -> Vec<Response> {
        let mut client = self.database.client().await;
        let lock = lock_accounts(&mut client).await;
        let address = self.service.http();
        let ask = move || testkit::http::get(address, "/api/v1/accounts/a/balance");
        let mut asked = vec![tokio::spawn(async move { ask().await })];
        self.database.until_blocked("balance::store::read", 1).await;
        asked.extend((1..requests).map(|_| tokio::spawn(async move { ask().await })));
        self.until_queued(requests - 1).await;
        lock.commit().await.unwrap();
        let answers = futures_util::future::join_all(asked).await;
        answers.into_iter().map(Result::unwrap).collect()
    }
}

pub(crate) async fn add_accounts(client: &Client) {
    client
        .batch_execute(
            "INSERT INTO accounts (account_id, balance_tinybar, updated_at)
             VALUES ('a', 1, '2025-01-02 03:04:05+00'), ('b', 2, '2025-01-02 03:04:05.678901+02'), ('c', -3, 'infinity')",
        )
        .await
        .unwrap();
}

/// Reads of `accounts` wait until the transaction ends.
pub(crate) async fn lock_accounts(client: &mut Client) -> tokio_postgres::Transaction<'_> {
    lock_table(client, "accounts", "ACCESS EXCLUSIVE").await
}

pub(crate) async fn channel(address: SocketAddr) -> Channel {
    let address = format!("http://{address}");
    Channel::from_shared(address)
        .unwrap()
        .connect()
        .await
        .unwrap()
}

pub(crate) async fn get_balance(
    client: &mut BalanceServiceClient<Channel>,
    id: &str,
) -> Result<BalanceResponse, Status> {
    let request = BalanceRequest {
        account_id: id.to_owned(),
    };
    client
        .get_balance(request)
        .await
        .map(tonic::Response::into_inner)
}

pub(crate) async fn get_balances(
    client: &mut BalanceServiceClient<Channel>,
    ids: &[&str],
) -> Result<Vec<BalanceResponse>, Status> {
    let account_ids = ids.iter().map(|&id| id.to_owned()).collect();
    client
        .get_balances(BatchBalanceRequest { account_ids })
        .await
        .map(|answer| answer.into_inner().balances)
}
