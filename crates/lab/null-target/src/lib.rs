//! A target that parses, answers and does nothing, over REST and gRPC, for the request shapes of every scenario. It shows
//! what a generator can reach at most, and how far apart two equal targets seem to be. With `DATABASE_URL` it stores events,
//! plainly; with a planted fault it shows that contract check and audit notice one.
//!
//! - [`Config`] ([`config`]): settings, and the planted faults
//! - `work`: what a request comes to, the same for both faces; `store`: events in the database
//! - `rest`, `grpc`: the faces
//! - `burn`: a share of the CPU on top

mod burn;
pub mod config;
mod grpc;
mod rest;
mod store;
mod work;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub use config::{Config, Fault};

use work::Work;

/// A null target whose ports are bound.
pub struct NullTarget {
    rest: TcpListener,
    grpc: TcpListener,
    work: Arc<Work>,
    burn_share: f64,
}

/// Cancelled by SIGINT and SIGTERM.
///
/// # Errors
/// The handlers cannot be set.
pub fn signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signals, stop) = (signal(kind)?, stop.clone());
        // Lives as long as the process and cannot fail: nobody awaits it.
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    Ok(stop)
}

impl NullTarget {
    /// Binds both ports, and connects to the database where one is named.
    ///
    /// # Errors
    /// A port in use; no database; [`usage_error::Usage`] for `--store` without `DATABASE_URL`.
    pub async fn bind(config: &Config) -> anyhow::Result<Self> {
        let listen = async |port: u16, setting: &str| {
            TcpListener::bind((config.host.as_str(), port))
                .await
                .with_context(|| format!("{setting} {port}: cannot listen there"))
        };
        Ok(Self {
            rest: listen(config.server_port, "SERVER_PORT").await?,
            grpc: listen(config.grpc_server_port, "GRPC_SERVER_PORT").await?,
            work: Arc::new(Work::new(config).await?),
            burn_share: config.burn_percent / 100.0,
        })
    }

    /// The address bound for REST.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn rest_address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.rest.local_addr()?)
    }

    /// The address bound for gRPC.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn grpc_address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.grpc.local_addr()?)
    }

    /// Serves until the stop.
    ///
    /// # Errors
    /// A server failed.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let burner = burn::start(self.burn_share, &stop);
        let (rest, grpc) = tokio::join!(
            rest::serve(self.rest, Arc::clone(&self.work), stop.clone()),
            grpc::serve(self.grpc, Arc::clone(&self.work), stop.clone()),
        );
        stop.cancel();
        if let Some(burner) = burner {
            burner.await.context("the burner panicked")?;
        }
        rest.and(grpc)
    }
}
