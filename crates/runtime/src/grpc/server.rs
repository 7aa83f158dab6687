//! The one place where a gRPC server is built and served.

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::{Request, Response};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use protect::Protection;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::server::TcpConnectInfo;
use tower::Service;

use super::admission::Admission;
use super::call::Calls;
use super::first::First;
use super::standard::Services;
use crate::connection::{Connection, Connections, Door, Port, PortKind, Seated};
use crate::metrics::Metrics;
use crate::shutdown::InFlight;
use crate::threads::Workers;

/// Flow-control window of one stream, in bytes.
pub const STREAM_WINDOW: u32 = 1024 * 1024;
/// Flow-control window of one connection, in bytes.
pub const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// Streams that a client may reset before the server accepts them; more of them close its connection (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;
/// Streams that the server resets because of a client's errors; more of them close the connection (CVE-2025-8671).
const MAX_FAULTY_STREAMS: usize = 1024;

/// Pause after an accept that failed because a resource ran out, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long connections may take, after the last answer is made, to send it and to close by themselves.
const LINGER: Duration = Duration::from_millis(300);
/// How long the tasks of connections that were cut may take to end.
const CUT_TIME: Duration = Duration::from_secs(1);

/// A service that tonic generated, as [`serve`] takes it: cloned for each connection.
pub trait Face:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
    + NamedService
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<M> Face for M where
    M: Service<
            Request<Body>,
            Response = Response<Body>,
            Error = Infallible,
            Future: Send + 'static,
        > + NamedService
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves `first`, the service that nearly all calls are for, and `others`, on `listener` until `in_flight` is
/// drained. Each connection and its calls stay on one of the `workers`, or on the current runtime without them. At the stop
/// the listener closes and clients are told to go away (idle connections close at once); running calls are finished; what is
/// open when nothing is in flight any more (half-sent calls, health watches, silent streams) is cut.
///
/// # Errors
/// The listener cannot be used.
pub async fn serve(
    workers: Option<Workers>,
    listener: TcpListener,
    first: impl Face,
    others: Services,
    metrics: &Metrics,
    connections: &Connections,
    in_flight: &InFlight,
) -> anyhow::Result<()> {
    listener.set_nonblocking(true)?;
    let listener =
        tokio::net::TcpListener::from_std(listener).context("the socket of the gRPC port")?;
    let policy = connections.policy();
    tracing::info!(
        http2.stream_window_bytes = STREAM_WINDOW,
        http2.connection_window_bytes = CONNECTION_WINDOW,
        http2.max_concurrent_streams = policy.max_streams,
        http2.keepalive_interval_s = policy.keepalive_interval.as_secs(),
        http2.keepalive_timeout_s = policy.keepalive_timeout.as_secs(),
        max_age_s = policy.max_age.map(|age| age.as_secs()),
        max_idle_s = policy.max_idle.map(|idle| idle.as_secs()),
        head_timeout_s = policy.head_timeout.as_secs(),
        max_connections = connections.capacity(),
        tcp.nodelay = true,
        "gRPC connection settings"
    );
    let server = Server {
        http2: http2(connections),
        calls: First::new(first, others.routes.prepare()),
        metrics: metrics.clone(),
        client_streams: others.client_streams,
        port: connections.port(PortKind::Grpc),
        door: Door::new(connections, &[b"h2"]).context("TLS of the gRPC port")?,
        protection: connections.protection().clone(),
    };
    let port = server.port.clone();
    tokio::select! {
        () = server.run(workers.as_ref(), listener, in_flight) => Ok(()),
        never = port.watch() => match never {},
    }
}

fn http2(connections: &Connections) -> http2::Builder<TokioExecutor> {
    let policy = connections.policy();
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(policy.max_streams)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_FAULTY_STREAMS)
        .keep_alive_interval(policy.keepalive_interval)
        .keep_alive_timeout(policy.keepalive_timeout);
    http2
}

/// What every connection is served with.
#[derive(Clone)]
struct Server<M> {
    http2: http2::Builder<TokioExecutor>,
    calls: First<M, Routes>,
    metrics: Metrics,
    client_streams: Arc<HashSet<String>>,
    port: Port,
    door: Door,
    protection: Protection,
}

impl<M: Face> Server<M> {
    /// Serves an accepted connection on the worker that has the fewest connections.
    fn place(
        &self,
        workers: Option<&Workers>,
        open: &mut JoinSet<()>,
        stream: TcpStream,
        seated: Seated,
    ) {
        let Some((handle, placed)) = workers.and_then(Workers::least_loaded) else {
            open.spawn(self.serve_connection(stream, seated));
            return;
        };
        // The socket moves to the other runtime's reactor.
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => return tracing::debug!(%error, "a connection went away at once"),
        };
        let serving = self.clone();
        let serve = async move {
            let _placed = placed;
            match TcpStream::from_std(stream) {
                Ok(stream) => serving.serve_connection(stream, seated).await,
                Err(error) => tracing::warn!(%error, "a connection cannot be served"),
            }
        };
        open.spawn_on(serve, handle);
    }

    async fn run(
        self,
        workers: Option<&Workers>,
        listener: tokio::net::TcpListener,
        in_flight: &InFlight,
    ) {
        let mut open = JoinSet::new();
        'accepting: loop {
            // Kept while connections end: what it has accepted must not be lost.
            let mut accepting = std::pin::pin!(accept(&listener, &self.port));
            let (stream, seated) = loop {
                tokio::select! {
                    biased;
                    () = in_flight.stop().cancelled() => break 'accepting,
                    Some(ended) = open.join_next() => note(ended),
                    accepted = &mut accepting => break accepted,
                }
            };
            self.place(workers, &mut open, stream, seated);
        }
        drop(listener);
        self.port.retire_all();
        let all_closed = async {
            while let Some(ended) = open.join_next().await {
                note(ended);
            }
        };
        let mut all_closed = std::pin::pin!(all_closed);
        tokio::select! {
            () = &mut all_closed => return in_flight.drained().cancelled().await,
            () = in_flight.drained().cancelled() => {}
        }
        if tokio::time::timeout(LINGER, &mut all_closed).await.is_ok() {
            return;
        }
        self.port.cut_all();
        if tokio::time::timeout(CUT_TIME, &mut all_closed)
            .await
            .is_err()
        {
            tracing::warn!("gRPC connections did not close");
        }
    }

    /// Serves one connection until its client or its seat ends it.
    fn serve_connection(
        &self,
        stream: TcpStream,
        seated: Seated,
    ) -> impl Future<Output = ()> + Send + 'static {
        let info = TcpConnectInfo {
            local_addr: stream.local_addr().ok(),
            remote_addr: stream.peer_addr().ok(),
        };
        let (door, http2) = (self.door.clone(), self.http2.clone());
        let (calls, metrics) = (self.calls.clone(), self.metrics.grpc_calls());
        let protection = self.protection.clone();
        let client_streams = Arc::clone(&self.client_streams);
        async move {
            let (transport, peer) = match door.enter(stream).await {
                Ok(entered) => entered,
                Err(error) => {
                    let address = info.remote_addr;
                    tracing::debug!(?address, %error, "a connection was not let in");
                    return;
                }
            };
            let seat = seated.seat().clone();
            let requests = seated.requests();
            let connection = Connection::http2(transport, peer, seated);
            let admission = Admission::new(&protection, connection.peer());
            let calls = Calls::new(calls, metrics, requests, client_streams, info, admission);
            let serving = http2.serve_connection(TokioIo::new(connection), calls);
            let mut serving = std::pin::pin!(serving);
            let mut retired = false;
            let ended = poll_fn(|cx| {
                // An order to the seat wakes this task.
                if !retired && seat.is_retired() {
                    retired = true;
                    serving.as_mut().graceful_shutdown();
                }
                serving.as_mut().poll(cx)
            });
            if let Err(error) = ended.await {
                tracing::debug!(%error, "a gRPC connection ended with an error");
            }
        }
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the task of a gRPC connection ended abnormally");
    }
}

/// The next connection, with TCP_NODELAY and a place. Errors of single connections are ignored; a lack of resources is
/// logged and waited out.
async fn accept(listener: &tokio::net::TcpListener, port: &Port) -> (TcpStream, Seated) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %error, "a connection went away at once");
                } else if let Some(seated) = port.enter(&stream).await {
                    return (stream, seated);
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
    )
}
