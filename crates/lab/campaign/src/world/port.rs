//! Ports that stay the services' own.

use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Result;
use lab_host::port::{free_port, is_free};

/// The first port of the range, and how many there are: below those that Linux gives to clients (32768 and up).
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A free port that no connection of anybody takes while a service is away.
pub(crate) fn lasting_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Campaigns at the same time begin at different places.
    let begin = u16::try_from(std::process::id() % 1000)? * 10;
    for _ in 0..1000 {
        let port = FIRST + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if is_free(port) {
            return Ok(port);
        }
    }
    free_port(None)
}
