//! What the actix-web faces have in common.
//!
//! - [`listen`]: the listening socket, for both faces
//! - [`server()`], [`Running`]: the one place where an HTTP server is built and served
//! - [`resource`] (`routes`): a path and its methods; HEAD, OPTIONS for browsers, 404 and 405 follow from them
//! - [`body()`]: bodies of requests; `decode`: their encodings
//! - `observe`: counts, times and names each request; `cors`: what browsers are told

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use anyhow::Context;
use socket2::{Domain, Protocol, Socket, Type};

mod body;
mod cors;
mod decode;
mod observe;
mod routes;
mod server;

pub use body::{body, require_json};
pub use observe::wants_head_only;
pub use routes::{Methods, metrics_page, resource};
pub use server::{Running, server};

/// Connections that may wait to be accepted: a load generator opens thousands at once.
const BACKLOG: i32 = 4096;

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
    // Accepted connections inherit it: a client that is gone without a word is found out.
    socket.set_keepalive(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
