//! What the tonic faces have in common: accepted connections with TCP_NODELAY, HTTP/2 settings, the
//! graceful stop, health and reflection, call metrics.

use std::convert::Infallible;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::Context;
use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::Service;

use crate::metrics::Metrics;
use crate::shutdown::InFlight;

mod connection;
mod first;
mod observe;
mod restate;
mod standard;

pub use connection::{Connection, incoming};
pub use restate::stream_status;
pub use standard::{GrpcHealth, Standard, health_and_reflection};

/// Flow-control window of one stream, in bytes.
pub const STREAM_WINDOW: u32 = 1024 * 1024;
/// Flow-control window of one connection, in bytes.
pub const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// Calls that a client may have open on one connection.
pub const MAX_CONCURRENT_STREAMS: u32 = 1024;
/// From one HTTP/2 ping to the next on a silent connection.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long a ping may go unanswered.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// After the last answer is made: how long connections may take to send it and close by themselves.
const LINGER: Duration = Duration::from_millis(300);
/// After connections were cut: how long their tasks may take to notice.
const CUT_TIME: Duration = Duration::from_secs(1);

/// How it is found out that a connection is dead, and how long one lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// From one HTTP/2 ping to the next on a silent connection.
    pub keepalive_interval: Duration,
    /// How long a ping may go unanswered before the connection is closed.
    pub keepalive_timeout: Duration,
    /// Age at which a connection takes no more calls, so that clients spread anew; `None`: never.
    pub max_age: Option<Duration>,
    /// How long the calls of such a connection may go on; `None`: without a limit.
    pub max_age_grace: Option<Duration>,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            keepalive_interval: KEEPALIVE_INTERVAL,
            keepalive_timeout: KEEPALIVE_TIMEOUT,
            max_age: None,
            max_age_grace: None,
        }
    }
}

/// [`serve_with`] the default [`ConnectionLimits`].
///
/// # Errors
/// As `serve_with`.
pub async fn serve<M>(
    listener: TcpListener,
    first: M,
    routes: Routes,
    metrics: &Metrics,
    in_flight: &InFlight,
) -> anyhow::Result<()>
where
    M: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    M::Future: Send + 'static,
{
    let limits = ConnectionLimits::default();
    serve_with(limits, listener, first, routes, metrics, in_flight).await
}

/// Serves `first`, the service that nearly all calls are for, and `routes`, the others, on `listener` until `in_flight` is
/// drained. At the stop the listener closes and clients are told to go away (idle connections close at once); running calls
/// are finished; what is open when nothing is in flight any more (half-sent calls, health watches, silent streams) is cut.
///
/// # Errors
/// The server ended by itself; the stop is set off then, so that the other parts of the process end too.
pub async fn serve_with<M>(
    limits: ConnectionLimits,
    listener: TcpListener,
    first: M,
    routes: Routes,
    metrics: &Metrics,
    in_flight: &InFlight,
) -> anyhow::Result<()>
where
    M: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    M::Future: Send + 'static,
{
    let cut = CancellationToken::new();
    let connections = incoming(listener, cut.clone())?;
    tracing::info!(
        http2.stream_window_bytes = STREAM_WINDOW,
        http2.connection_window_bytes = CONNECTION_WINDOW,
        http2.max_concurrent_streams = MAX_CONCURRENT_STREAMS,
        http2.keepalive_interval_s = limits.keepalive_interval.as_secs(),
        http2.keepalive_timeout_s = limits.keepalive_timeout.as_secs(),
        max_age_s = limits.max_age.map(|age| age.as_secs()),
        tcp.nodelay = true,
        "gRPC connection settings"
    );
    let mut server = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout));
    if let Some(age) = limits.max_age {
        server = server.max_connection_age(age);
    }
    if let Some(grace) = limits.max_age_grace {
        server = server.max_connection_age_grace(grace);
    }
    let serving = server
        .layer(observe::ObserveLayer::new(metrics.clone()))
        .layer(first::FirstLayer(first))
        .add_routes(routes.prepare())
        .serve_with_incoming_shutdown(connections, in_flight.stop().clone().cancelled_owned());
    let mut serving = std::pin::pin!(serving);

    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        () = in_flight.drained().cancelled() => None,
    };
    if let Some(ended) = ended {
        if !in_flight.stop().is_cancelled() {
            in_flight.stop().cancel();
            ended.context("the gRPC server ended by itself")?;
            anyhow::bail!("the gRPC server ended by itself");
        }
        in_flight.drained().cancelled().await;
        return ended.context("the gRPC server failed while stopping");
    }
    if tokio::time::timeout(LINGER, &mut serving).await.is_ok() {
        return Ok(());
    }
    cut.cancel();
    if tokio::time::timeout(CUT_TIME, &mut serving).await.is_err() {
        tracing::warn!("gRPC connections did not close");
    }
    Ok(())
}
