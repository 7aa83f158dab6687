//! What the actix-web faces have in common: the listening socket, the server and its graceful stop,
//! bodies and errors ([`answers`]), request metrics ([`Observe`]).

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_http::{Request, Response};
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::HttpServer;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server};
use actix_web::rt::net::TcpStream;
use anyhow::Context;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::Notify;

use crate::shutdown::InFlight;

pub mod answers;
mod observe;

pub use answers::{body, method_not_allowed, metrics_page, not_found, require_json, with_cors};
pub use observe::Observe;

/// Connections that may wait to be accepted: a load generator opens thousands at once.
const BACKLOG: i32 = 4096;
/// How long an idle keep-alive connection stays open.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client may take for the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// After the last answer is made: how long connections may take to send it and close.
const LINGER: Duration = Duration::from_millis(300);

/// Binds `host`:`port` (port 0: a free one) and listens; the socket is non-blocking. For both faces.
///
/// # Errors
/// An unknown host, or a port in use: the message names it.
pub fn listen(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    // In brackets as in URLs, or bare.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<SocketAddr> = (name, port)
        .to_socket_addrs()
        .with_context(|| format!("HOST '{host}' is no address of this machine"))?
        .collect();
    let mut failure = io::Error::other("no address");
    for address in &addresses {
        match listen_on(*address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    let remedy = match failure.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "port {port} on {host} is in use: stop the process that has it, or choose another port"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!("port {port} on {host} is not permitted to this user")
        }
        _ => format!("cannot listen on port {port} of HOST '{host}'"),
    };
    Err(failure).context(remedy)
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A server that accepts connections, until [`Running::serve`] ends.
pub struct Running {
    server: Server,
    connections: Connections,
}

/// Starts an actix-web server on `listener` with the settings that all services share: `workers` threads,
/// TCP_NODELAY, HTTP/1.1 and HTTP/2 (prior knowledge). `factory` makes an `App`, once for each worker.
///
/// # Errors
/// The listener cannot be used.
pub fn server<F, I, S, B>(factory: F, listener: TcpListener, workers: usize) -> io::Result<Running>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: std::fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let connections = Connections::default();
    let counted = connections.clone();
    let server = HttpServer::new(factory)
        .workers(workers.max(1))
        // Signals are the business of `shutdown::on_signals`.
        .disable_signals()
        // actix-web leaves Nagle's algorithm on unless told.
        .tcp_nodelay(true)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        // `serve` decides; this must not be shorter than any grace.
        .shutdown_timeout(24 * 60 * 60)
        .on_connect(move |stream, data| {
            let stream = stream.downcast_ref::<TcpStream>();
            let nodelay = stream.is_some_and(|stream| stream.nodelay().unwrap_or(false));
            data.insert(counted.enter(nodelay));
        })
        .listen_auto_h2c(listener)?
        .run();
    Ok(Running {
        server,
        connections,
    })
}

impl Running {
    /// Serves until `in_flight` is drained. At the stop the listener and idle connections close at once;
    /// busy ones close after their answer; half-sent requests are cut off when nothing is in flight any more.
    ///
    /// # Errors
    /// The server ended by itself; the stop is set off then, so that the other parts of the process end too.
    pub async fn serve(self, in_flight: &InFlight) -> io::Result<()> {
        let Self {
            mut server,
            connections,
        } = self;
        tokio::select! {
            ended = &mut server => {
                in_flight.stop().cancel();
                return ended.and_then(|()| Err(io::Error::other("the HTTP server ended by itself")));
            }
            () = in_flight.stop().cancelled() => {}
        }
        // Sent by the call itself; what it returns would wait for half-sent requests too.
        let graceful = server.handle().stop(true);
        tokio::select! {
            ended = &mut server => {
                in_flight.drained().cancelled().await;
                return ended;
            }
            () = in_flight.drained().cancelled() => drop(graceful),
        }
        // The last answers are made, maybe not sent. Dropping the server afterwards ends its workers.
        tokio::select! {
            ended = &mut server => return ended,
            _ = tokio::time::timeout(LINGER, connections.closed()) => {}
        }
        Ok(())
    }
}

/// Counts open connections.
#[derive(Clone, Debug, Default)]
struct Connections(Arc<(AtomicUsize, Notify)>);

impl Connections {
    fn enter(&self, nodelay: bool) -> Connection {
        self.0.0.fetch_add(1, Ordering::AcqRel);
        Connection {
            counted: self.clone(),
            nodelay,
        }
    }

    async fn closed(&self) {
        loop {
            let changed = self.0.1.notified();
            if self.0.0.load(Ordering::Acquire) == 0 {
                return;
            }
            changed.await;
        }
    }
}

/// One open connection, as `HttpRequest::conn_data` gives it; actix-web drops it with the connection.
#[derive(Debug)]
pub struct Connection {
    counted: Connections,
    nodelay: bool,
}

impl Connection {
    /// Whether TCP_NODELAY was set when the connection was accepted, as the operating system says.
    pub fn nodelay(&self) -> bool {
        self.nodelay
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let (open, closed) = &*self.counted.0;
        if open.fetch_sub(1, Ordering::AcqRel) == 1 {
            closed.notify_one();
        }
    }
}
