//! What the campaign runs on: PostgreSQL, the services, and a proxy between them.
//!
//! - [`World`] (here): all of it
//! - [`port`]: ports that nobody takes meanwhile
//! - [`postgres`]: the server; [`service`]: a service as a process; [`health`]: whether it serves, and how much it uses
//! - [`disk`], [`clock`]: a disk that can be filled, and clocks that can be moved

mod clock;
mod disk;
pub(crate) mod health;
pub(crate) mod port;
pub(crate) mod postgres;
pub(crate) mod service;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab_host::proxy::Proxy;

use clock::Shim;
use disk::Disk;
use postgres::Postgres;
use service::{Blueprint, Service};

/// How long health may take to be true again after whatever happened.
pub(crate) const HEALTH_LIMIT: Duration = Duration::from_secs(30);

/// Positions of the services in [`World::services`].
pub(crate) const PRODUCER_REST: usize = 0;
pub(crate) const PRODUCER_GRPC: usize = 1;
pub(crate) const BALANCE: usize = 2;
pub(crate) const STREAM: usize = 3;
pub(crate) const EVENT_LOG: usize = 4;
/// A second instance beside the first, on the same database.
pub(crate) const PRODUCER_REST_2: usize = 5;

pub(crate) struct World {
    pub(crate) postgres: Postgres,
    /// Between the services and PostgreSQL.
    pub(crate) database_proxy: Proxy,
    /// Between subscribers and the stream's SSE port.
    pub(crate) stream_proxy: Proxy,
    pub(crate) services: Vec<Service>,
    /// Of this run: data, logs.
    pub(crate) folder: PathBuf,
    /// Where the event log is.
    pub(crate) disk: Disk,
    /// Moves the services' clocks, where that can be done.
    pub(crate) clock: Option<Shim>,
}

impl World {
    /// Starts everything in `folder`.
    pub(crate) async fn start(folder: &Path, binaries: &Path, root: &Path) -> Result<Self> {
        let postgres = Postgres::start(folder, root).await?;
        let database_proxy = Proxy::start(postgres.address()).await?;
        let url = postgres.url_at(database_proxy.address());
        let disk = Disk::make(folder.join("disk"))?;
        let clock = Shim::build(folder).await;
        let names = [
            "producer-rest",
            "producer-grpc",
            "balance",
            "stream",
            "event-log",
            "producer-rest",
        ];
        let mut services = Vec::new();
        for (at, name) in names.into_iter().enumerate() {
            let program = binaries.join(name);
            ensure!(
                program.is_file(),
                "{} is missing: build the services first (scripts/campaign.sh does)",
                program.display()
            );
            let mut blueprint = Blueprint {
                name: if at == PRODUCER_REST_2 {
                    "producer-rest-2"
                } else {
                    name
                },
                program,
                http: port::lasting_port()?,
                grpc: port::lasting_port()?,
                environment: Vec::new(),
                log: folder.join("logs").join(format!("{at}-{name}.log")),
                folder: folder.to_owned(),
            };
            if at == EVENT_LOG {
                let directory = disk.path().join("event-log").display().to_string();
                blueprint.environment.push(("EVENT_LOG_DIR", directory));
            } else {
                blueprint.environment.push(("DATABASE_URL", url.clone()));
            }
            if let Some(clock) = &clock {
                blueprint.environment.extend(clock.environment());
            }
            services.push(Service::start(blueprint)?);
        }
        let stream_proxy = Proxy::start(services[STREAM].http()).await?;
        let mut world = Self {
            postgres,
            database_proxy,
            stream_proxy,
            services,
            folder: folder.to_owned(),
            disk,
            clock,
        };
        world.wait_for_health(HEALTH_LIMIT).await?;
        Ok(world)
    }

    /// Waits until every service says that it is healthy, at most `limit`; gives the time that took.
    pub(crate) async fn wait_for_health(&mut self, limit: Duration) -> Result<Duration> {
        let begun = Instant::now();
        for service in &mut self.services {
            loop {
                service.check_alive()?;
                if health::is_healthy(service).await {
                    break;
                }
                ensure!(
                    begun.elapsed() < limit,
                    "{} is not healthy after {limit:?}; its log ends:\n{}",
                    service.name(),
                    lab_host::child::tail(service.log(), 8)
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(begun.elapsed())
    }

    pub(crate) fn http(&self, service: usize) -> SocketAddr {
        self.services[service].http()
    }

    pub(crate) fn grpc(&self, service: usize) -> SocketAddr {
        self.services[service].grpc()
    }

    /// Stops everything: services first.
    pub(crate) async fn stop(self) -> Result<()> {
        for service in self.services {
            service.stop().await.context("a service does not stop")?;
        }
        self.postgres.stop().await
    }
}
