//! The gRPC face of ingestion.
//!
//! - [`Config`] ([`config`]): settings
//! - [`Service`]: built (schema applied, ports bound), then run until the stop
//! - `grpc`: the face, `com.example.grpc.EventService`
//! - `admin`: GET /metrics and GET /health on a port of their own

mod access;
mod admin;
pub mod config;
pub mod grpc;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use api::event::event_service_server::EventServiceServer;
use ingest::{Ingest, Writers};
use protect::Protection;
use runtime::connection::Connections;
use runtime::grpc::Direct;
use runtime::health::Health;
use runtime::metrics::Metrics;
use runtime::shutdown::{Ending, InFlight};
use runtime::threads::Workers;
use runtime::{grpc as server, http};
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;

pub use config::Config;

/// Room in a message for an event that is too large by little.
const BESIDE_AN_EVENT_BYTES: usize = 64 * 1024;

/// A service whose schema is applied and whose ports are bound.
pub struct Service {
    ingest: Ingest,
    writers: Writers,
    metrics: Metrics,
    grpc: TcpListener,
    admin: TcpListener,
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
        let database = ingest::connect(&config.ingest, &config.database, &stop).await?;
        let metrics = Metrics::new()?;
        let in_flight = InFlight::new(stop);
        let refuse = in_flight.refused().child_token();
        let (ingest, writers) = Ingest::start(&config.ingest, database, &metrics, refuse).await?;
        Ok(Self {
            ingest,
            writers,
            metrics,
            grpc: http::listen(&config.listen.host, config.grpc_server_port)?,
            admin: http::listen(&config.listen.host, config.admin_port)?,
            connections: Connections::protected(config.connections.policy(), protection),
            threads: config.threads.count(),
            grace: config.shutdown.shutdown_grace,
            in_flight,
        })
    }

    /// The address bound for gRPC.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.grpc.local_addr()?)
    }

    /// The address bound for metrics and health.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn admin_address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.admin.local_addr()?)
    }

    /// Serves until the stop, then finishes what was accepted.
    ///
    /// # Errors
    /// A server failed.
    pub async fn run(self) -> anyhow::Result<Ending> {
        let (address, admin_address) = (self.address()?, self.admin_address()?);
        let events = grpc::Events::new(self.ingest.on_own_threads(), self.in_flight.clone());
        // Larger than an event may be, so that one that is too large gets an event's answer, in a stream too.
        let limits = self.ingest.config();
        let message_limit = (limits.max_bulk_bytes as usize)
            .max(limits.max_event_bytes as usize + BESIDE_AN_EVENT_BYTES);
        let standard = server::health_and_reflection(
            &["com.example.grpc.EventService"],
            &[api::FILE_DESCRIPTOR_SET],
        )
        .await?;
        let service = EventServiceServer::new(events.clone())
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(message_limit);
        let events = Direct::new(grpc::ProcessEvent(events), service, message_limit);
        let admin = admin::server(self.admin, &self.ingest, &self.metrics, &self.connections)?;
        let workers = Workers::start(self.threads)?;
        let health = Health::new();
        self.connections
            .protection()
            .warn_of_strangers(&[address, admin_address]);
        tracing::info!(
            grpc.address = %address,
            http.address = %admin_address,
            http2.stream_window = server::STREAM_WINDOW,
            http2.connection_window = server::CONNECTION_WINDOW,
            "ready"
        );
        let (ending, served, administered, (), ()) = tokio::join!(
            self.in_flight.drain(self.grace),
            server::serve(
                Some(workers),
                self.grpc,
                events,
                standard.services,
                &self.metrics,
                &self.connections,
                &self.in_flight
            ),
            admin.serve(&self.in_flight),
            health.probe_with(|| self.ingest.probe(), self.in_flight.stop()),
            standard.health.follow(health.subscribe(), &self.in_flight),
        );
        self.writers.finish().await;
        self.ingest.close().await;
        self.ingest.metrics().log_totals();
        served?;
        administered?;
        Ok(ending)
    }
}
