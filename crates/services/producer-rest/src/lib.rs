//! The REST face of ingestion.
//!
//! - [`Config`] ([`config`]): settings
//! - [`Service`]: built (schema applied, port bound), then run until the stop
//! - [`rest`]: routes and handlers

mod access;
pub mod config;
pub mod rest;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use ingest::{Ingest, Writers};
use protect::Protection;
use runtime::connection::Connections;
use runtime::metrics::Metrics;
use runtime::shutdown::{Ending, InFlight};
use runtime::{http, wakeups};
use tokio_util::sync::CancellationToken;

pub use config::Config;

/// A service whose schema is applied and whose port is bound.
pub struct Service {
    ingest: Ingest,
    writers: Writers,
    metrics: Metrics,
    listener: TcpListener,
    connections: Connections,
    threads: usize,
    grace: Duration,
    in_flight: InFlight,
}

impl Service {
    /// Connects to the database, applies the schema, binds the port.
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
            listener: http::listen(&config.listen.host, config.server_port)?,
            connections: Connections::protected(config.connections.policy(), protection),
            threads: config.threads.count(),
            grace: config.shutdown.shutdown_grace,
            in_flight,
        })
    }

    /// The address bound.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until the stop, then finishes what was accepted.
    ///
    /// # Errors
    /// The server failed.
    pub async fn run(self) -> anyhow::Result<Ending> {
        let address = self.address()?;
        let ingest = Data::new(self.ingest.on_own_threads());
        let in_flight = Data::new(self.in_flight.clone());
        let face = move |config: &mut ServiceConfig| {
            // once on each worker thread
            wakeups::open_on_this_thread();
            config
                .app_data(ingest.clone())
                .app_data(in_flight.clone())
                .configure(rest::routes);
        };
        let server = http::server(
            face,
            self.listener,
            self.threads,
            &self.metrics,
            &self.connections,
        )?;
        self.connections.protection().warn_of_strangers(&[address]);
        tracing::info!(http.address = %address, threads = self.threads, "ready");
        let (ending, served) = tokio::join!(
            self.in_flight.drain(self.grace),
            server.serve(&self.in_flight)
        );
        self.writers.finish().await;
        self.ingest.close().await;
        self.ingest.metrics().log_totals();
        served?;
        Ok(ending)
    }
}
