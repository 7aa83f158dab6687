//! The one place where an HTTP server is built and served.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::web::{self, Data, ServiceConfig};
use protect::Protection;
use tokio::net::TcpStream;

use super::observe::Observe;
use super::routes;
use crate::connection::{Connection, Connections, Door, Port, PortKind};
use crate::metrics::Metrics;
use crate::shutdown::InFlight;

/// After an early answer: how long a client may go on sending before its connection is closed, so that it reads the answer.
const LINGER_AFTER_REFUSAL: Duration = Duration::from_secs(1);
/// After the last answer is made: how long connections may take to send it and close.
const LINGER: Duration = Duration::from_millis(300);
/// Most worker threads of actix-server.
const MOST_WORKERS: usize = 512;

/// A server that accepts connections, until [`Running::serve`] ends.
pub struct Running {
    server: Server,
    port: Port,
    protection: Protection,
}

/// Starts an actix-web server on `listener` with what all services share: `workers` threads, HTTP/1.1 and HTTP/2 (prior
/// knowledge), the limits of `connections`, request metrics, request ids, CORS, HEAD, 404 and 405. `configure` adds the
/// routes (see [`resource`](super::resource)) and the data of their handlers, once on each worker thread. `Data` of
/// [`Metrics`] is there already.
///
/// # Errors
/// The listener cannot be used.
pub fn server(
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    listener: TcpListener,
    workers: usize,
    metrics: &Metrics,
    connections: &Connections,
) -> io::Result<Running> {
    let workers = workers.clamp(1, MOST_WORKERS);
    let port = connections.port(PortKind::Http);
    let door = Door::new(connections, &[b"h2", b"http/1.1"])?;
    let protection = connections.protection().clone();
    let builder = Server::build()
        .workers(workers)
        // Signals are the business of `shutdown::on_signals`.
        .disable_signals()
        // `serve` decides; this must not be shorter than any grace.
        .shutdown_timeout(24 * 60 * 60)
        // Beyond it connections wait to be accepted, and take no file of the process.
        .max_concurrent_connections(connections.capacity().div_ceil(workers));
    let stopping = builder.graceful_shutdown_signal();
    let (metrics, accepting) = (metrics.clone(), port.clone());
    let service = move || {
        let app = App::new()
            .wrap(Observe::new(metrics.clone(), &protection))
            .app_data(Data::new(metrics.clone()))
            .configure(configure.clone())
            .default_service(web::to(routes::not_found))
            .into_factory()
            .map_err(|error: actix_web::Error| error.error_response());
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            // Heads and silence are watched over all connections, by `Port::watch`, and not with timers for each.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(LINGER_AFTER_REFUSAL)
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(connection.seated().requests());
                data.insert(Arc::clone(connection.peer()));
            })
            .finish(map_config(app, |()| AppConfig::default()));
        let (port, door) = (accepting.clone(), door.clone());
        fn_service(move |stream| accept(stream, port.clone(), door.clone())).and_then(http)
    };
    let server = builder.listen("http", listener, service)?.run();
    let protection = connections.protection().clone();
    Ok(Running {
        server,
        port,
        protection,
    })
}

/// Makes an accepted stream a connection, once it is known what it speaks.
async fn accept(
    stream: TcpStream,
    port: Port,
    door: Door,
) -> Result<(Connection, Protocol, Option<SocketAddr>), DispatchError> {
    stream.set_nodelay(true)?;
    let address = stream.peer_addr().ok();
    let seated = port.enter(&stream).await;
    let seated = seated.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
    let (transport, peer) = door.enter(stream).await.inspect_err(|error| {
        tracing::debug!(?address, %error, "a connection was not let in");
    })?;
    let connection = Connection::http(transport, peer, seated).await?;
    let protocol = if connection.is_http2() {
        Protocol::Http2
    } else {
        Protocol::Http1
    };
    Ok((connection, protocol, address))
}

impl Running {
    /// Serves until `in_flight` is drained. At the stop the listener and idle connections close at once;
    /// busy ones close after their answer; half-sent requests are cut off when nothing is in flight any more.
    ///
    /// # Errors
    /// The server ended by itself; the stop is set off then, so that the other parts of the process end too.
    pub async fn serve(self, in_flight: &InFlight) -> io::Result<()> {
        let Self {
            server,
            port,
            protection,
        } = self;
        // Once for the process: each has one HTTP server.
        let fresh = async {
            protection.keep_fresh(in_flight.stop()).await;
            std::future::pending::<std::convert::Infallible>().await
        };
        tokio::select! {
            ended = serve_until_drained(server, &port, in_flight) => ended,
            never = port.watch() => match never {},
            never = fresh => match never {},
        }
    }
}

async fn serve_until_drained(
    mut server: Server,
    port: &Port,
    in_flight: &InFlight,
) -> io::Result<()> {
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
        _ = tokio::time::timeout(LINGER, port.emptied()) => {}
    }
    Ok(())
}
