//! Merges events from Kafka into PostgreSQL, each once: the transaction that merges also records the offsets.
//!
//! In reading order:
//!
//! - [`Config`] ([`config`]): settings
//! - [`Service`]: built (schema applied, Kafka reached, port bound), then run until the stop
//! - `merging`: reads the partitions that the group assigns, batch after batch
//! - `position`: how far each partition is (pure)
//! - `store`: the only module that speaks SQL
//! - `dead_letters`: what cannot be merged, with its reason
//! - [`metrics`]: counters and lag
//!
//! Empty without the feature `kafka` (docs/decisions/0010-kafka-client.md).
#![cfg(feature = "kafka")]

pub mod config;
mod dead_letters;
mod merging;
pub mod metrics;
mod position;
mod store;
mod taken;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig};
use protect::Protection;
use protect::access::{Call, Demand};
use runtime::connection::Connections;
use runtime::health::Health;
use runtime::http;
use runtime::metrics::Metrics;
use runtime::postgres::Database;
use runtime::shutdown::{Ending, InFlight};
use tokio_util::sync::CancellationToken;

pub use config::Config;
use merging::Merging;
use metrics::SinkMetrics;

/// A service whose schema is applied and whose port is bound.
pub struct Service {
    database: Database,
    merging: Merging,
    metrics: Metrics,
    listener: TcpListener,
    connections: Connections,
    grace: Duration,
    in_flight: InFlight,
}

/// Health is open, as everywhere; anything else is the metrics'.
fn demand(call: Call<'_>) -> Demand {
    match call {
        Call::Rest {
            path: "/health", ..
        } => Demand::HEALTH,
        _ => Demand::OTHER,
    }
}

impl Service {
    /// Connects to the database and to Kafka, applies the schema, binds the port.
    ///
    /// # Errors
    /// No database or no Kafka within 30 s, a schema that cannot be applied, a port in use.
    pub async fn build(config: &Config, stop: CancellationToken) -> anyhow::Result<Self> {
        let protection = Protection::open(&config.protection, demand)?;
        let database = Database::connect(&config.database, &stop)
            .await?
            .for_writes();
        database.migrate(ingest::merge::schema()).await?;
        database.migrate(store::schema()).await?;
        let metrics = Metrics::new()?;
        let counted = SinkMetrics::register(&metrics)?;
        let in_flight = InFlight::new(stop);
        let merging = Merging::open(
            &config.merging,
            database.clone(),
            counted,
            in_flight.stop().clone(),
        )
        .await?;
        Ok(Self {
            database,
            merging,
            metrics,
            listener: http::listen(&config.listen.host, config.admin_port)?,
            connections: Connections::protected(config.connections.policy(), protection),
            grace: config.shutdown.shutdown_grace,
            in_flight,
        })
    }

    /// The address bound.
    ///
    /// # Errors
    /// The operating system does not give the address.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Merges until the stop; the batch under way is finished.
    ///
    /// # Errors
    /// The server failed.
    pub async fn run(self) -> anyhow::Result<Ending> {
        let address = self.address()?;
        let health = Health::new();
        let shown = Data::new(health.clone());
        let face = move |config: &mut ServiceConfig| {
            config
                .app_data(shown.clone())
                .service(http::resource("/metrics").get(http::metrics_page))
                .service(http::resource("/health").get(healthy));
        };
        let server = http::server(face, self.listener, 1, &self.metrics, &self.connections)?;
        self.connections.protection().warn_of_strangers(&[address]);
        tracing::info!(http.address = %address, "ready");
        // Work in flight, so that the stop waits for the batch under way.
        let merging = async {
            let guard = self.in_flight.enter();
            self.merging.run().await;
            drop(guard);
        };
        let (ending, served, (), ()) = tokio::join!(
            self.in_flight.drain(self.grace),
            server.serve(&self.in_flight),
            merging,
            health.probe(&self.database, self.in_flight.stop()),
        );
        served?;
        Ok(ending)
    }
}

/// 503 while the database cannot be reached. A sink that waits for Kafka is healthy: its lag says so.
async fn healthy(health: Data<Health>) -> HttpResponse {
    if health.is_serving() {
        HttpResponse::Ok().json(serde_json::json!({"status": "healthy"}))
    } else {
        HttpResponse::ServiceUnavailable().json(serde_json::json!({"status": "unhealthy"}))
    }
}
