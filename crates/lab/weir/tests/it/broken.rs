//! Balances and streams that are broken on purpose, over both protocols, on the rows of a seeded database.

use std::convert::Infallible;
use std::sync::Arc;

use api::benchmark::balance_service_server::{BalanceService, BalanceServiceServer};
use api::benchmark::transaction_service_server::{TransactionService, TransactionServiceServer};
use api::benchmark::{
    BalanceRequest, BalanceResponse, BatchBalanceRequest, BatchBalanceResponse, StreamRequest,
    Transaction,
};
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lab_contract::application_db::{Account, ApplicationDb, TransactionRow};
use lab_model::endpoint::Endpoint;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

/// How a target is broken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    /// Answers from what it read at its start.
    Cached,
    /// Says yes to whatever is asked.
    AcceptsAll,
    /// Loses every tenth event, or every account of a batch but the first.
    Loses,
    /// Sends every tenth event twice, or an account of a batch once where it was asked for twice.
    Repeats,
}

/// What a broken target knows.
pub(crate) struct World {
    fault: Fault,
    database: ApplicationDb,
    cached: Vec<Account>,
    rows: Vec<TransactionRow>,
}

impl World {
    /// `Ok(None)`: unknown. `Err`: malformed.
    async fn balance(&self, id: &str) -> Result<Option<Account>, String> {
        if id.len() > 255 && self.fault != Fault::AcceptsAll {
            return Err("id must be at most 255 characters".into());
        }
        let row = match self.fault {
            Fault::Cached => self.cached.iter().find(|row| row.id == id).cloned(),
            _ => self.database.accounts(&[id]).await.unwrap().pop(),
        };
        let nobody = Account {
            id: id.into(),
            balance: 0,
            updated_at: OffsetDateTime::UNIX_EPOCH,
        };
        Ok(match (row, self.fault) {
            (None, Fault::AcceptsAll) => Some(nobody),
            (row, _) => row,
        })
    }

    async fn balances(&self, ids: &[String]) -> Result<(Vec<Account>, Vec<String>), String> {
        if (ids.is_empty() || ids.len() > 1000) && self.fault != Fault::AcceptsAll {
            return Err("ids must hold 1 to 1000 account ids".into());
        }
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in ids {
            match self.balance(id).await? {
                Some(row) => found.push(row),
                None => missing.push(id.clone()),
            }
        }
        match self.fault {
            Fault::Loses => found.truncate(1),
            Fault::Repeats => found.dedup(),
            _ => {}
        }
        Ok((found, missing))
    }

    /// Events with their numbers.
    fn events(
        &self,
        since: &str,
        account: &str,
        after: u64,
        rate: &str,
        limit: usize,
    ) -> Result<Vec<(u64, TransactionRow)>, String> {
        let lenient = self.fault == Fault::AcceptsAll;
        let since = match OffsetDateTime::parse(since, &Rfc3339) {
            Ok(since) => since,
            Err(_) if since.is_empty() || lenient => OffsetDateTime::UNIX_EPOCH,
            Err(_) => return Err("since must be a time".into()),
        };
        if rate.starts_with('-') && !lenient {
            return Err("rate must be a whole number".into());
        }
        let numbered = (1..).zip(self.rows.iter().cloned());
        let asked = numbered.filter(|(sequence, row)| {
            *sequence > after
                && row.timestamp >= since
                && (account.is_empty() || lenient || row.from == account || row.to == account)
        });
        let mut events: Vec<(u64, TransactionRow)> = Vec::new();
        for (place, event) in asked.enumerate() {
            match (self.fault, place % 10) {
                (Fault::Loses, 5) => {}
                (Fault::Repeats, 5) => events.extend([event.clone(), event]),
                _ => events.push(event),
            }
        }
        events.truncate(limit);
        Ok(events)
    }
}

/// A world on a seeded database of its own.
pub(crate) async fn world(database: &testkit::Database, fault: Fault) -> Arc<World> {
    let connection = ApplicationDb::connect(database.url()).await.unwrap();
    let ids = ["0.0.100000", "0.0.104711", "0.0.109999"];
    let since = OffsetDateTime::parse("2025-01-01T06:00:00Z", &Rfc3339).unwrap();
    let rows = connection
        .transactions_since(since, None, 100_000)
        .await
        .unwrap();
    Arc::new(World {
        fault,
        cached: connection.accounts(&ids).await.unwrap(),
        rows,
        database: connection,
    })
}

pub(crate) async fn rest(world: Arc<World>) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let answer = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
                    let world = Arc::clone(&world);
                    async move {
                        let after = request.headers().get("last-event-id");
                        let after = after.map_or(0, |id| id.to_str().unwrap().parse().unwrap());
                        let (status, body) =
                            routed(&world, &request.uri().to_string(), after).await;
                        let body = Full::new(Bytes::from(body));
                        Ok::<_, Infallible>(
                            hyper::Response::builder()
                                .status(status)
                                .body(body)
                                .unwrap(),
                        )
                    }
                });
                let served = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer);
                served.await.unwrap();
            });
        }
    });
    Endpoint::local(port)
}

async fn routed(world: &World, uri: &str, after: u64) -> (u16, String) {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value)
    };
    let account = |row: &Account| json!({"account": row.id, "balance": row.balance, "timestamp": row.updated_at.format(&Rfc3339).unwrap()});
    match path {
        "/health" => (200, "{}".into()),
        "/api/v1/accounts/balances" => {
            let ids: Vec<String> = value("ids").split(',').map(str::to_owned).collect();
            match world.balances(&ids).await {
                Ok((found, missing)) => {
                    let found: Vec<_> = found.iter().map(account).collect();
                    (
                        200,
                        json!({"balances": found, "missing": missing}).to_string(),
                    )
                }
                Err(message) => (400, message),
            }
        }
        "/api/v1/transactions/stream" => {
            let limit = value("limit").parse().unwrap();
            match world.events(
                value("since"),
                value("account"),
                after,
                value("rate"),
                limit,
            ) {
                Ok(events) => (200, events.iter().map(text).collect()),
                Err(message) => (400, message),
            }
        }
        one => {
            let id = one
                .strip_prefix("/api/v1/accounts/")
                .unwrap()
                .strip_suffix("/balance")
                .unwrap();
            match world.balance(id).await {
                Ok(Some(row)) => (200, account(&row).to_string()),
                Ok(None) => (404, "{}".into()),
                Err(message) => (400, message),
            }
        }
    }
}

fn text((sequence, row): &(u64, TransactionRow)) -> String {
    let data = json!({"tx_id": row.id, "from": row.from, "to": row.to, "amount": row.amount, "type": row.kind,
        "timestamp": row.timestamp.format(&Rfc3339).unwrap(), "sequence": sequence, "emitted_at_us": 1});
    format!("id: {sequence}\nevent: transaction\ndata: {data}\n\n")
}

#[derive(Clone)]
struct Faces(Arc<World>);

#[tonic::async_trait]
impl BalanceService for Faces {
    async fn get_balance(
        &self,
        request: Request<BalanceRequest>,
    ) -> Result<Response<BalanceResponse>, Status> {
        match self.0.balance(&request.into_inner().account_id).await {
            Ok(Some(row)) => Ok(Response::new(message(row))),
            Ok(None) => Err(Status::not_found("no such account")),
            Err(text) => Err(Status::invalid_argument(text)),
        }
    }

    async fn get_balances(
        &self,
        request: Request<BatchBalanceRequest>,
    ) -> Result<Response<BatchBalanceResponse>, Status> {
        match self.0.balances(&request.into_inner().account_ids).await {
            Ok((found, _)) => Ok(Response::new(BatchBalanceResponse {
                balances: found.into_iter().map(message).collect(),
            })),
            Err(text) => Err(Status::invalid_argument(text)),
        }
    }
}

fn message(row: Account) -> BalanceResponse {
    BalanceResponse {
        timestamp: row.updated_at.format(&Rfc3339).unwrap(),
        account_id: row.id,
        balance_tinybar: row.balance,
    }
}

#[tonic::async_trait]
impl TransactionService for Faces {
    type StreamTransactionsStream =
        tokio_stream::Iter<std::vec::IntoIter<Result<Transaction, Status>>>;

    async fn stream_transactions(
        &self,
        request: Request<StreamRequest>,
    ) -> Result<Response<Self::StreamTransactionsStream>, Status> {
        let asked = request.into_inner();
        let rate = asked.rate_limit.to_string();
        let limit = usize::try_from(asked.limit).unwrap();
        let found = self.0.events(
            &asked.since_timestamp,
            &asked.filter_account,
            asked.after_sequence,
            &rate,
            limit,
        );
        let events = found
            .map_err(Status::invalid_argument)?
            .into_iter()
            .map(|(sequence, row)| {
                Ok(Transaction {
                    tx_id: row.id,
                    from_account: row.from,
                    to_account: row.to,
                    amount_tinybar: row.amount,
                    tx_type: row.kind,
                    timestamp: row.timestamp.format(&Rfc3339).unwrap(),
                    sequence,
                    emitted_at_us: 1,
                })
            });
        Ok(Response::new(tokio_stream::iter(
            events.collect::<Vec<_>>(),
        )))
    }
}

pub(crate) async fn grpc(world: Arc<World>) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = tonic::transport::Server::builder()
        .add_service(BalanceServiceServer::new(Faces(Arc::clone(&world))))
        .add_service(TransactionServiceServer::new(Faces(world)));
    tokio::spawn(server.serve_with_incoming(incoming));
    Endpoint::local(port)
}
