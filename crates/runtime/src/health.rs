//! Whether the service can do its work: a probe of the database in the background, and the client behind the
//! subcommand `health`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use protect::ProtectionConfig;
use protect::tls::{ClientAuth, ClientTls, Roots, Verify};
use rustls::{ClientConnection, StreamOwned};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::postgres::{Database, DatabaseError};

/// Pause between two probes.
const PROBE_EVERY: Duration = Duration::from_millis(500);
/// Number of consecutive probes that find all connections busy before the service counts as not serving: a busy service
/// is not an unavailable one.
const BUSY_PROBES: u32 = 6;
/// Longest time for the subcommand `health`.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// What the last probe found. Cheap to clone; reading it costs a few nanoseconds.
#[derive(Clone, Debug)]
pub struct Health(Arc<watch::Sender<bool>>);

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// Not serving until a probe succeeded.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Whether the service can do its work.
    pub fn is_serving(&self) -> bool {
        *self.0.borrow()
    }

    /// Sets whether the service can do its work, for services that need no database.
    pub fn set(&self, serving: bool) {
        self.0
            .send_if_modified(|before| std::mem::replace(before, serving) != serving);
    }

    /// A receiver that sees each change, for [`GrpcHealth::follow`](crate::grpc::GrpcHealth::follow).
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    /// Probes `database` every 500 ms until `stop`, then says not serving. Run it beside the faces.
    pub async fn probe(&self, database: &Database, stop: &CancellationToken) {
        self.probe_with(|| database.ping(), stop).await;
    }

    /// As [`Health::probe`], with a probe of the caller's.
    pub async fn probe_with<F>(&self, mut probe: impl FnMut() -> F, stop: &CancellationToken)
    where
        F: Future<Output = Result<(), DatabaseError>>,
    {
        let mut busy = 0;
        loop {
            tokio::select! {
                answer = probe() => self.note(answer, &mut busy),
                () = stop.cancelled() => break,
            }
            tokio::select! {
                () = tokio::time::sleep(PROBE_EVERY) => {}
                () = stop.cancelled() => break,
            }
        }
        self.set(false);
    }

    fn note(&self, answer: Result<(), DatabaseError>, busy: &mut u32) {
        let error = match answer {
            Ok(()) => {
                *busy = 0;
                if !self.is_serving() {
                    tracing::info!("the database answers: serving");
                }
                return self.set(true);
            }
            Err(error) => error,
        };
        if matches!(
            error,
            DatabaseError::AcquireTimeout {
                pool_exhausted: true,
                ..
            }
        ) {
            *busy += 1;
            if *busy < BUSY_PROBES {
                return;
            }
        }
        if self.is_serving() {
            tracing::warn!(error = %error.chain(), "not serving: {}", error.cause());
        }
        self.set(false);
    }
}

/// The subcommand `health` of a REST service: 0 where `GET path` answers 2xx within 3 s, else 1 with the reason on
/// standard error. `host`, `port` and `protection` are the server's settings: 0.0.0.0 means this machine, and with TLS the
/// server's own certificate is the one that is believed and shown.
pub fn check_http(host: &str, port: u16, path: &str, protection: &ProtectionConfig) -> ExitCode {
    verdict(
        http_status(host, port, path, protection).and_then(|status| match status {
            200..=299 => Ok(()),
            _ => bail!("{path} answered {status}"),
        }),
    )
}

/// The subcommand `health` of a gRPC service: 0 where `grpc.health.v1.Health/Check` says SERVING within 3 s, else 1 with
/// the reason on standard error. `protection` as in [`check_http`].
pub async fn check_grpc(host: &str, port: u16, protection: &ProtectionConfig) -> ExitCode {
    let asked = grpc_status(host, port, protection);
    let checked = tokio::time::timeout(CHECK_TIMEOUT, asked).await;
    verdict(checked.context("no answer within 3 s").flatten())
}

#[expect(clippy::print_stderr, reason = "the output of a subcommand")]
fn verdict(checked: anyhow::Result<()>) -> ExitCode {
    match checked {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("not serving: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Where a client on this machine reaches a server bound to `host`.
fn reachable(host: &str) -> &str {
    match host.trim_start_matches('[').trim_end_matches(']') {
        "" | "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        other => other,
    }
}

/// The TLS settings with which the server's own client connects; `None`: without TLS.
fn own_client(protection: &ProtectionConfig) -> anyhow::Result<Option<ClientTls<'static>>> {
    let files = protection.tls_files()?;
    Ok(files.map(|files| ClientTls {
        roots: ("TLS_CERT", Roots::Only(files.cert.clone())),
        verify: Verify::Chain,
        identity: (files.client_auth != ClientAuth::None)
            .then_some((("TLS_CERT", files.cert), ("TLS_KEY", files.key))),
    }))
}

fn http_status(
    host: &str,
    port: u16,
    path: &str,
    protection: &ProtectionConfig,
) -> anyhow::Result<u16> {
    let host = reachable(host);
    let address = (host, port)
        .to_socket_addrs()
        .with_context(|| format!("HOST '{host}'"))?
        .next()
        .context("HOST has no address")?;
    let stream = TcpStream::connect_timeout(&address, CHECK_TIMEOUT)
        .with_context(|| format!("no connection to {address}"))?;
    stream.set_read_timeout(Some(CHECK_TIMEOUT))?;
    stream.set_write_timeout(Some(CHECK_TIMEOUT))?;
    let Some(tls) = own_client(protection)? else {
        return status_over(stream, address, path);
    };
    let config = Arc::new(tls.config(&[b"http/1.1"])?);
    let connection = ClientConnection::new(config, address.ip().into())?;
    status_over(StreamOwned::new(connection, stream), address, path)
}

fn status_over(
    mut stream: impl Read + Write,
    address: SocketAddr,
    path: &str,
) -> anyhow::Result<u16> {
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    stream.flush()?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).context("no answer")?;
    let answer = std::str::from_utf8(&answer).context("no HTTP answer")?;
    let status = answer.strip_prefix("HTTP/1.1 ").context("no HTTP answer")?;
    status.parse().context("no HTTP status")
}

async fn grpc_status(host: &str, port: u16, protection: &ProtectionConfig) -> anyhow::Result<()> {
    let host = reachable(host);
    let address = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let tls = own_client(protection)?;
    let channel = service_client::connect_as(&address, tls.as_ref()).await?;
    let mut client = HealthClient::new(channel);
    let answer = client
        .check(HealthCheckRequest {
            service: String::new(),
        })
        .await?
        .into_inner();
    match answer.status() {
        ServingStatus::Serving => Ok(()),
        other => bail!("{}", other.as_str_name()),
    }
}
