//! Account balances over REST and gRPC. No caching: each answer rests on a database read begun after its request
//! arrived; concurrent requests share reads.
//!
//! How a request travels, in reading order:
//!
//! - [`Config`] ([`config`]): settings
//! - [`Service`]: built (schema applied, ports bound), then run until the stop
//! - [`rest`], [`mod@grpc`]: the two faces; `uri`: ids in paths and queries (pure)
//! - [`Balances`] ([`handle`]): the cheap `Clone` handle that both call
//! - `queue`: requests that wait, bounded
//! - `reader`: takes all that waits, one read for all of it, answers each
//! - `reading`: one read, in a time limit
//! - `replica`: how far a read-only replica is behind, and the bound on that
//! - `batch`: the ids of a read, and whose they are (pure)
//! - `store`: the only module that speaks SQL
//! - [`metrics`]: counters, also logged at shutdown
//! - [`error`]: what can go wrong, and of what [`domain::Kind`] it is

mod access;
mod batch;
pub mod config;
pub mod error;
pub mod grpc;
pub mod handle;
pub mod metrics;
mod queue;
mod reader;
mod reading;
mod replica;
pub mod rest;
mod store;
mod uri;

use std::net::SocketAddr;

use actix_web::web::{Data, ServiceConfig};
use api::benchmark::balance_service_server::BalanceServiceServer;
use api::benchmark::health_server::HealthServer;
use protect::Protection;
use runtime::connection::Connections;
use runtime::faces::Faces;
use runtime::grpc::Direct;
use runtime::health::Health;
use runtime::metrics::Metrics;
use runtime::postgres::Database;
use runtime::shutdown::{Ending, InFlight};
use runtime::{http, wakeups};
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;

pub use config::Config;
pub use error::BalanceError;
pub use handle::{Balances, Readers};

/// Largest message over gRPC, bytes: that of gRPC unless it is told otherwise.
const MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// A service whose schema is applied and whose ports are bound.
pub struct Service {
    balances: Balances,
    readers: Readers,
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
        let metrics = Metrics::new()?;
        let in_flight = InFlight::new(stop);
        let (balances, readers) = Balances::start(
            &config.reads,
            database,
            config.database.database_pool_size.get(),
            &metrics,
            in_flight.clone(),
        )
        .await?;
        Ok(Self {
            balances,
            readers,
            faces: Faces {
                http: http::listen(&config.listen.host, config.server_port)?,
                grpc: http::listen(&config.listen.host, config.grpc_server_port)?,
                metrics,
                connections: Connections::protected(config.connections.policy(), protection),
                threads: config.threads.count(),
                grpc_workers: true,
                grace: config.shutdown.shutdown_grace,
                in_flight,
            },
        })
    }

    /// The address bound for REST.
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

    /// Serves both faces until the stop, then finishes what was accepted.
    ///
    /// # Errors
    /// A server failed.
    pub async fn run(self) -> anyhow::Result<Ending> {
        let own_threads = self.balances.on_own_threads();
        let face = grpc::Face::new(own_threads.clone());
        let standard =
            runtime::grpc::health_and_reflection(&grpc::SERVICES, &[api::FILE_DESCRIPTOR_SET])
                .await?;
        let balance_service = Direct::new(
            grpc::GetBalance(face.clone()),
            BalanceServiceServer::new(face.clone())
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(MESSAGE_BYTES),
            MESSAGE_BYTES,
        );
        let services = standard
            .services
            .add_service(HealthServer::new(face).accept_compressed(CompressionEncoding::Gzip));
        let (probed, watched) = (self.balances.clone(), self.balances.clone());
        let balances = Data::new(own_threads);
        let rest = move |config: &mut ServiceConfig| {
            // Once on each worker thread.
            wakeups::open_on_this_thread();
            config.app_data(balances.clone()).configure(rest::routes);
        };
        let health = Health::new();
        let in_flight = self.faces.in_flight.clone();
        let grpc_health = standard.health;
        let beside = async {
            tokio::join!(
                health.probe_with(|| probed.check(), in_flight.stop()),
                grpc_health.follow(health.subscribe(), &in_flight),
                // Boxed: what it holds is large, and it is awaited once.
                Box::pin(watched.watch_replica(in_flight.stop())),
            );
        };
        let served = self.faces.serve(rest, balance_service, services, beside);
        let served = served.await?;
        self.readers.finish().await;
        served.ending()
    }
}
