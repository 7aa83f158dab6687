//! Both faces of a service: REST and gRPC on two ports, with one way from the first connection to the last answer.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::web::ServiceConfig;

use crate::connection::Connections;
use crate::grpc::Services;
use crate::metrics::Metrics;
use crate::shutdown::{Ending, InFlight};
use crate::threads::Workers;
use crate::{grpc, http};

/// Two ports that are bound, and what counts, limits and ends the calls that come there.
pub struct Faces {
    /// The port of REST.
    pub http: TcpListener,
    /// The port of gRPC.
    pub grpc: TcpListener,
    /// Where both count their requests.
    pub metrics: Metrics,
    /// All connections of the process.
    pub connections: Connections,
    /// Worker threads of the REST face, and of the gRPC face where it has its own.
    pub threads: usize,
    /// The gRPC face has worker threads of its own; each connection stays on one of them.
    pub grpc_workers: bool,
    /// How long accepted work may take after the stop.
    pub grace: Duration,
    /// Requests in flight; knows of the stop.
    pub in_flight: InFlight,
}

/// How the faces ended. What they handed work to may be finished before the outcome is looked at.
#[must_use]
pub struct Served {
    ending: Ending,
    rest: std::io::Result<()>,
    grpc: anyhow::Result<()>,
}

impl Faces {
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

    /// Serves REST by `rest` and gRPC by `first` and `others` until the stop, then until what was accepted is finished or the
    /// grace is over. `beside` goes on meanwhile: probes, health, what ends streams.
    ///
    /// # Errors
    /// A server cannot be set up.
    pub async fn serve(
        self,
        rest: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
        first: impl grpc::Face,
        others: Services,
        beside: impl Future<Output = ()>,
    ) -> anyhow::Result<Served> {
        let (http_address, grpc_address) = (self.http_address()?, self.grpc_address()?);
        let Self {
            http,
            grpc,
            metrics,
            connections,
            threads,
            grpc_workers,
            grace,
            in_flight,
        } = self;
        let server = http::server(rest, http, threads, &metrics, &connections)?;
        let workers = grpc_workers.then(|| Workers::start(threads)).transpose()?;
        connections
            .protection()
            .warn_of_strangers(&[http_address, grpc_address]);
        tracing::info!(http.address = %http_address, grpc.address = %grpc_address, threads, "ready");
        let (ending, rest, grpc, ()) = tokio::join!(
            in_flight.drain(grace),
            server.serve(&in_flight),
            grpc::serve(
                workers,
                grpc,
                first,
                others,
                &metrics,
                &connections,
                &in_flight
            ),
            beside,
        );
        Ok(Served { ending, rest, grpc })
    }
}

impl Served {
    /// Which way the drain ended.
    ///
    /// # Errors
    /// A server failed.
    pub fn ending(self) -> anyhow::Result<Ending> {
        self.rest?;
        self.grpc?;
        Ok(self.ending)
    }
}
