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
pub mod rest;
mod store;
mod uri;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use api::benchmark::balance_service_server::BalanceServiceServer;
use api::benchmark::health_server::HealthServer;
use protect::Protection;
use runtime::connection::Connections;
use runtime::health::Health;
use runtime::metrics::Metrics;
use runtime::postgres::Database;
use runtime::shutdown::{Ending, InFlight};
use runtime::threads::Workers;
use runtime::{http, wakeups};
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;

pub use config::Config;
pub use error::BalanceError;
pub use handle::{Balances, Readers};

/// A service whose schema is applied and whose ports are bound.
pub struct Service {
    balances: Balances,
    readers: Readers,
    metrics: Metrics,
    http: TcpListener,
    grpc: TcpListener,
    connections: Connections,
    threads: usize,
    grace: Duration,
    in_flight: InFlight,
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
            metrics,
            http: http::listen(&config.listen.host, config.server_port)?,
            grpc: http::listen(&config.listen.host, config.grpc_server_port)?,
            connections: Connections::protected(config.connections.policy(), protection),
            threads: config.threads.count(),
            grace: config.shutdown.shutdown_grace,
            in_flight,
        })
    }

    /// The address bound for REST.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn http_address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.http.local_addr()?)
    }

    /// The address bound for gRPC.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn grpc_address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.grpc.local_addr()?)
    }

    /// Serves both faces until the stop, then finishes what was accepted.
    ///
    /// # Errors
    /// A server failed.
    pub async fn run(self) -> anyhow::Result<Ending> {
        let (http_address, grpc_address) = (self.http_address()?, self.grpc_address()?);
        let own_threads = self.balances.on_own_threads();
        let face = grpc::Face::new(own_threads.clone());
        let standard =
            runtime::grpc::health_and_reflection(&grpc::SERVICES, &[api::FILE_DESCRIPTOR_SET])
                .await?;
        let balance_service =
            BalanceServiceServer::new(face.clone()).accept_compressed(CompressionEncoding::Gzip);
        let services = standard
            .services
            .add_service(HealthServer::new(face).accept_compressed(CompressionEncoding::Gzip));
        let probed = self.balances.clone();
        let balances = Data::new(own_threads);
        let face = move |config: &mut ServiceConfig| {
            // Once on each worker thread.
            wakeups::open_on_this_thread();
            config.app_data(balances.clone()).configure(rest::routes);
        };
        let rest = http::server(
            face,
            self.http,
            self.threads,
            &self.metrics,
            &self.connections,
        )?;
        let workers = Workers::start(self.threads)?;
        let health = Health::new();
        self.connections
            .protection()
            .warn_of_strangers(&[http_address, grpc_address]);
        tracing::info!(
            http.address = %http_address,
            grpc.address = %grpc_address,
            threads = self.threads,
            "ready"
        );
        let (ending, rest_served, grpc_served, (), ()) = tokio::join!(
            self.in_flight.drain(self.grace),
            rest.serve(&self.in_flight),
            runtime::grpc::serve_on(
                Some(workers),
                self.grpc,
                balance_service,
                services,
                &self.metrics,
                &self.connections,
                &self.in_flight
            ),
            health.probe_with(|| probed.check(), self.in_flight.stop()),
            standard.health.follow(health.subscribe(), &self.in_flight),
        );
        self.readers.finish().await;
        rest_served?;
        grpc_served?;
        Ok(ending)
    }
}
