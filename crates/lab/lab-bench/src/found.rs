//! Where the databases of the last session are looked for.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use lab_host::state::State;

/// `docker` or `native`.
pub(crate) fn last_runtime(state: &State) -> Option<String> {
    std::fs::read_to_string(state.dir.join("last-runtime"))
        .ok()
        .map(|text| text.trim().to_owned())
}

/// True where something accepts connections there.
pub(crate) fn answers(host: &str, port: u16) -> bool {
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map(Iterator::collect)
        .unwrap_or_default();
    addresses
        .iter()
        .any(|address| TcpStream::connect_timeout(address, Duration::from_millis(500)).is_ok())
}
