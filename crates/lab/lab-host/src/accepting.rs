//! Connections of a proxy, one after the other.

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// Pause after a connection that could not be accepted.
const AGAIN: Duration = Duration::from_millis(10);

/// The next connection. One that cannot be accepted (its client is gone, files are short for the moment) is told, and the
/// others are served.
pub(crate) async fn next(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((client, _)) => return client,
            Err(error) => tracing::warn!(%error, "a proxy could not accept a connection"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}
