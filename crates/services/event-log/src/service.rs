//! The server: both faces of both halves over one directory.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig};
use anyhow::Context;
use group_commit::{Budget, Directory, Faults, Terms};
use hash_chain::{Checks, Counters, Log, WriteOptions};
use protect::Protection;
use runtime::connection::Connections;
use runtime::faces::Faces;
use runtime::metrics::Metrics;
use runtime::shutdown::{Ending, InFlight};
use runtime::{http, wakeups};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::access;
use crate::anchors::Anchors;
use crate::chain_service;
use crate::config::Config;
use crate::topic_service;
use crate::topic_service::rest::TopicsData;
use crate::topics_backend;
use crate::writable::Writable;

/// The services that this process offers beside the standard ones, by full name.
pub const SERVICES: [&str; 2] = [chain_service::grpc::SERVICE, topic_service::grpc::SERVICE];

/// A service that holds its directory and whose ports are bound.
pub struct Service {
    log: Log,
    chains: chain_service::Served,
    writable: Writable,
    topics: TopicsData,
    /// And the time between two anchors of a chain.
    anchors: Option<(Anchors, Duration)>,
    faces: Faces,
}

impl Service {
    /// Takes the directory, cuts what a crash left behind, binds the ports.
    ///
    /// # Errors
    /// Another process holds the directory; a file cannot be used; a port in use.
    pub async fn build(config: &Config, stop: CancellationToken) -> anyhow::Result<Self> {
        let protection = Protection::open(&config.protection, access::demand)?;
        let store = &config.store;
        let directory = Directory::lock(&store.event_log_dir).context("EVENT_LOG_DIR")?;
        let terms = Terms {
            capacity: store.queue_capacity as usize,
            budget: Budget::new(usize::try_from(store.queue_bytes).unwrap_or(usize::MAX)),
            faults: Faults::default(),
        };
        let writable = Writable::new(directory.path(), terms.faults.clone());
        let metrics = Metrics::new()?;
        let in_flight = InFlight::new(stop);
        let options = WriteOptions {
            durability: store.event_log_durability,
            terms: terms.clone(),
            counters: Counters::default(),
            checks: Checks::new(config.threads.count() / 2),
            ..WriteOptions::default()
        };
        chain_service::metrics::register(&metrics, options.counters.clone())?;
        let log = Log::open(Arc::clone(&directory), options);
        let recovering = log.clone();
        let partitions = tokio::task::spawn_blocking(move || recovering.recover())
            .await?
            .context("the ends of the partitions' files")?;
        tracing::info!(partitions, "hash-chained partitions");
        let topics_stop = in_flight.stop().clone();
        let topics = topics_backend::open(config, directory, terms, topics_stop).await?;
        tracing::info!(topics = topics.topic_count(), "topics");
        let anchors = Anchors::open(
            &config.anchors,
            config.topics.topics_backend,
            Arc::clone(&topics),
            store.request_timeout,
        );
        let anchors = anchors.await?;
        let writable = writable.and_topics(Arc::clone(&topics));
        topic_service::metrics::register(&metrics, &topics)?;
        Ok(Self {
            chains: chain_service::Served::new(
                log.clone(),
                in_flight.clone(),
                store.request_timeout,
                anchors.clone(),
            ),
            log,
            anchors: anchors.map(|anchors| (anchors, config.anchors.anchor_interval)),
            topics: TopicsData {
                topics,
                in_flight: in_flight.clone(),
                timeout: store.request_timeout,
            },
            writable,
            faces: Faces {
                http: http::listen(&config.listen.host, config.server_port)?,
                grpc: http::listen(&config.listen.host, config.grpc_server_port)?,
                metrics,
                connections: Connections::protected(config.connections.policy(), protection),
                threads: config.threads.count(),
                grpc_workers: false,
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

    /// Serves both faces until the stop, then brings everything to the disk.
    ///
    /// # Errors
    /// A server failed, or what was answered before cannot be brought to the disk.
    pub async fn run(self) -> anyhow::Result<Ending> {
        let standard =
            runtime::grpc::health_and_reflection(&SERVICES, &[api::FILE_DESCRIPTOR_SET]).await?;
        let chain_service = chain_service::grpc::service(self.chains.clone());
        let TopicsData {
            topics,
            in_flight,
            timeout,
        } = self.topics.clone();
        let topics_service = topic_service::grpc::service(
            Arc::clone(&topics),
            in_flight,
            timeout,
            self.writable.clone(),
        );
        let services = standard.services.add_service(topics_service);
        let chains = Data::new(self.chains);
        let topics_data = Data::new(self.topics);
        let writable = Data::new(self.writable.clone());
        let rest = move |config: &mut ServiceConfig| {
            // Once on each worker thread.
            wakeups::open_on_this_thread();
            config
                .app_data(chains.clone())
                .app_data(topics_data.clone())
                .app_data(writable.clone())
                .configure(rest_routes);
        };
        let health = self.writable.health();
        health.set(self.writable.is_serving());
        let in_flight = self.faces.in_flight.clone();
        let grpc_health = standard.health;
        let log = self.log;
        let mut anchoring = self.anchors.map(|(anchors, interval)| {
            let anchoring = anchors.anchoring(log.clone());
            (anchoring, interval)
        });
        let anchored = async {
            if let Some((anchoring, interval)) = &mut anchoring {
                anchoring.run(*interval, in_flight.stop()).await;
            }
        };
        let beside = async {
            tokio::join!(
                grpc_health.follow(health.subscribe(), &in_flight),
                self.writable.watch(in_flight.stop()),
                anchored,
            );
        };
        let served = self.faces.serve(rest, chain_service, services, beside);
        let served = served.await?;
        if let Some((anchoring, _)) = &mut anchoring {
            // What was appended until the end.
            anchoring.anchor_all().await;
        }
        topics.close().await;
        let last_sync = move || log.sync_blocking();
        tokio::task::spawn_blocking(last_sync)
            .await?
            .context("the last sync")?;
        served.ending()
    }
}

/// All routes of REST.
fn rest_routes(config: &mut ServiceConfig) {
    config
        .configure(chain_service::rest::routes)
        .configure(topic_service::rest::routes)
        .service(http::resource("/health").get(healthy))
        .service(http::resource("/metrics").get(http::metrics_page));
}

#[derive(Serialize)]
struct Healthy {
    status: &'static str,
}

/// 503 while no append can succeed.
async fn healthy(writable: Data<Writable>) -> HttpResponse {
    if writable.is_serving() {
        return HttpResponse::Ok().json(Healthy { status: "healthy" });
    }
    HttpResponse::ServiceUnavailable().json(Healthy {
        status: "unhealthy",
    })
}
