//! Free TCP ports of this machine.

use anyhow::{Context, Result};

/// A port of 127.0.0.1 that nobody listens on: `wanted` where it is free, else any.
pub fn free_port(wanted: Option<u16>) -> Result<u16> {
    if let Some(port) = wanted
        && is_free(port)
    {
        return Ok(port);
    }
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// True where neither 127.0.0.1 nor all addresses have a listener on `port`.
pub fn is_free(port: u16) -> bool {
    // The standard library sets SO_REUSEADDR, so that connections in TIME_WAIT do not count.
    std::net::TcpListener::bind(("0.0.0.0", port)).is_ok()
        && std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_given() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = listener.local_addr().unwrap().port();
        assert!(!is_free(taken));
        assert_ne!(free_port(Some(taken)).unwrap(), taken);
    }
}
