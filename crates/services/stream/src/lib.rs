//! The stream of transactions over server-sent events and gRPC: replay, then live, in the order of commits.
//!
//! How a transaction travels, in reading order:
//!
//! - [`Config`] ([`config`]): settings
//! - [`Service`]: built (schema applied, ports bound), then run until the stop
//! - `numberer`: gives each transaction its number once it is visible; `snapshot`: how it knows (pure)
//! - `feed`: the one reader that follows the numbered transactions into the ring, and lets the numberer look
//! - `arrivals`: where live streams begin
//! - `ring`: the latest events, shared; [`event`]: an event, encoded once for each face
//! - [`Transactions`] ([`handle`]): the cheap `Clone` handle that both faces call
//! - [`subscriber`]: one subscriber's way from the database to the ring; `pacer`: at its rate;
//!   `heartbeat`: and how long it has been silent
//! - [`sse`] (`query`: what is asked for), [`mod@grpc`]: the two faces
//! - `store`: the only module that speaks SQL; `connections`: what it speaks through
//! - [`metrics`]: counters; `subscriptions`: how many streams are open
//! - [`error`]: what can go wrong, and of what [`domain::Kind`] it is

mod access;
mod arrivals;
mod clock;
pub mod config;
mod connections;
pub mod error;
pub mod event;
mod feed;
pub mod grpc;
pub mod handle;
mod heartbeat;
pub mod metrics;
mod numberer;
mod pacer;
mod query;
mod ring;
mod snapshot;
pub mod sse;
mod store;
pub mod subscriber;
mod subscriptions;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use anyhow::Context;
use api::benchmark::health_server::HealthServer;
use protect::Protection;
use runtime::connection::Connections;
use runtime::faces::Faces;
use runtime::health::Health;
use runtime::http;
use runtime::metrics::Metrics;
use runtime::postgres::Database;
use runtime::shutdown::{self, Ending, Guard, InFlight};
use socket2::SockRef;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;

pub use config::Config;
pub use error::StreamError;
pub use handle::{Following, Transactions};

/// Pause between two probes of the database.
const PROBE_EVERY: Duration = Duration::from_millis(500);
/// Bytes that a connection may hold in the kernel, on their way to the client.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// How long clients may take to read the end of their streams when the service stops.
const ENDING_TIME: Duration = Duration::from_secs(2);

/// A service whose schema is applied and whose ports are bound.
pub struct Service {
    transactions: Transactions,
    following: Following,
    faces: Faces,
}

impl Service {
    /// Connects to the database, applies the schema, binds the ports.
    ///
    /// # Errors
    /// No database within 30 s, a schema that cannot be applied, a port in use.
    pub async fn build(config: &Config, stop: CancellationToken) -> anyhow::Result<Self> {
        let protection = Protection::open(&config.protection, access::demand)?;
        let database = Database::connect(&config.database, &stop).await?;
        let stall_timeout = config.stream.stall_timeout;
        let http = listen(&config.listen.host, config.server_port, stall_timeout)?;
        let grpc = listen(&config.listen.host, config.grpc_server_port, stall_timeout)?;
        let metrics = Metrics::new()?;
        let in_flight = InFlight::new(stop);
        let (transactions, following) = Transactions::start(
            &config.stream,
            database,
            config.database.database_pool_size.get(),
            &metrics,
            in_flight.clone(),
        )
        .await?;
        Ok(Self {
            transactions,
            following,
            faces: Faces {
                http,
                grpc,
                metrics,
                connections: Connections::protected(config.connections.policy(), protection),
                threads: config.threads.count(),
                grpc_workers: false,
                grace: config.shutdown.shutdown_grace,
                in_flight,
            },
        })
    }

    /// The address bound for server-sent events.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn http_address(&self) -> anyhow::Result<SocketAddr> {
        self.faces.http_address()
    }

    /// The address bound for gRPC.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn grpc_address(&self) -> anyhow::Result<SocketAddr> {
        self.faces.grpc_address()
    }

    /// Serves both faces until the stop, then ends all streams.
    ///
    /// # Errors
    /// A server failed.
    pub async fn run(self) -> anyhow::Result<Ending> {
        let server = grpc::Server::new(self.transactions.clone());
        let standard =
            runtime::grpc::health_and_reflection(&grpc::SERVICES, &[api::FILE_DESCRIPTOR_SET])
                .await?;
        let streaming = grpc::TransactionServer::new(server.clone());
        let services = standard
            .services
            .add_service(HealthServer::new(server).accept_compressed(CompressionEncoding::Gzip));
        let transactions = Data::new(self.transactions.clone());
        let sse = move |config: &mut ServiceConfig| {
            config.app_data(transactions.clone()).configure(sse::routes);
        };
        let health = Health::new();
        let in_flight = self.faces.in_flight.clone();
        let streams = in_flight.enter()?;
        let stop = in_flight.stop();
        let grpc_health = standard.health;
        let beside = async {
            tokio::join!(
                end_streams(streams, &self.transactions, stop),
                probe(&health, &self.transactions, stop),
                grpc_health.follow(health.subscribe(), &in_flight),
            );
        };
        let served = self.faces.serve(sse, streaming, services, beside);
        let served = served.await?;
        self.following.finish().await;
        served.ending()
    }
}

/// A socket whose connections hold no more than [`SEND_BUFFER_BYTES`] that their clients have not taken, the kernel's own
/// limit being megabytes for each, counted against the container's memory; and end when their clients have taken nothing
/// for `stall_timeout`.
fn listen(host: &str, port: u16, stall_timeout: Duration) -> anyhow::Result<TcpListener> {
    let listener = http::listen(host, port)?;
    // Accepted connections inherit both.
    let socket = SockRef::from(&listener);
    socket
        .set_send_buffer_size(SEND_BUFFER_BYTES)
        .context("the send buffer cannot be set")?;
    #[cfg(target_os = "linux")]
    socket
        .set_tcp_user_timeout(Some(stall_timeout))
        .context("STALL_TIMEOUT cannot be set on the socket")?;
    #[cfg(not(target_os = "linux"))]
    let _ = stall_timeout;
    Ok(listener)
}

/// Open streams are no work that a stop waits for, but their ends shall reach the clients that read: holds `streams` until
/// all have ended, or for [`ENDING_TIME`] after the stop.
async fn end_streams(streams: Guard, transactions: &Transactions, stop: &CancellationToken) {
    stop.cancelled().await;
    if shutdown::within(ENDING_TIME, transactions.all_closed()).await == Ending::GraceExpired {
        tracing::info!("some clients do not read the end of their streams: cutting them off");
    }
    drop(streams);
}

/// Sets in `health`, every 500 ms until the stop, whether transactions can be streamed; after the stop, not serving.
async fn probe(health: &Health, transactions: &Transactions, stop: &CancellationToken) {
    loop {
        let answer = tokio::select! {
            answer = transactions.check() => answer,
            () = stop.cancelled() => break,
        };
        if answer.is_ok() != health.is_serving() {
            match &answer {
                Ok(()) => tracing::info!("transactions can be streamed: serving"),
                Err(Some(error)) => tracing::warn!(error = %error.chain(), "not serving"),
                Err(None) => tracing::warn!("new transactions cannot be streamed: not serving"),
            }
            health.set(answer.is_ok());
        }
        tokio::select! {
            () = tokio::time::sleep(PROBE_EVERY) => {}
            () = stop.cancelled() => break,
        }
    }
    health.set(false);
}
