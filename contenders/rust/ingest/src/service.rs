//! Settings, the log, and the life of the process.

use std::env;
use std::net::{SocketAddr, TcpStream};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::store::Store;

/// The message of an event that was stored.
pub const STORED: &str = "Event processed successfully";
/// Largest event, in bytes.
pub const MAX_EVENT: usize = 1 << 20;
/// Largest list of events, in bytes.
pub const MAX_BULK: usize = 10 << 20;
/// What may still be finished after a stop.
pub const GRACE: Duration = Duration::from_secs(10);

/// Reads the settings, opens the database and binds the port that `port_variable` names. `health` as the only argument asks
/// a running service instead, and ends the process.
pub async fn start(port_variable: &str, port: u16) -> anyhow::Result<(TcpListener, Store)> {
    let port = setting(port_variable, port)?;
    if env::args().nth(1).as_deref() == Some("health") {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let connected = TcpStream::connect_timeout(&address, Duration::from_secs(2));
        std::process::exit(i32::from(connected.is_err()));
    }
    start_log();
    let url: String = setting(
        "DATABASE_URL",
        "postgresql://postgres:password@localhost:5432/car_entities".to_owned(),
    )?;
    let connections: u32 = setting("DATABASE_POOL_SIZE", 10)?;
    anyhow::ensure!(connections > 0, "DATABASE_POOL_SIZE must be at least 1");
    let host: String = setting("HOST", "0.0.0.0".to_owned())?;
    let store = Store::open(&url, connections)
        .await
        .context("DATABASE_URL")?;
    let listener = TcpListener::bind((host.as_str(), port))
        .await
        .with_context(|| format!("{port_variable}: port {port} of {host}"))?;
    Ok((listener, store))
}

/// Comes back when the process is asked to stop.
pub async fn stopped() {
    let ends = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    if let (Ok(mut terminate), Ok(mut interrupt)) = ends {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

fn start_log() {
    let level = env::var("LOG_LEVEL").unwrap_or_else(|_| "info".to_owned());
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(std::io::stderr);
    match env::var("LOG_FORMAT").as_deref() {
        Ok("json") => log.json().flatten_event(true).init(),
        _ => log.init(),
    }
}

fn setting<T: FromStr>(name: &str, otherwise: T) -> anyhow::Result<T> {
    match env::var(name) {
        Ok(text) if !text.is_empty() => {
            let value = text.parse().ok();
            value.with_context(|| format!("{name}={text} is not valid"))
        }
        _ => Ok(otherwise),
    }
}
