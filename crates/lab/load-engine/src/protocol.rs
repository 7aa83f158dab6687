//! The two protocols behind one call, and where the target is.
//!
//! - [`http1`]: HTTP/1.1 by hand on a socket, one request in flight per connection
//! - [`grpc`]: gRPC on HTTP/2, many calls in flight per connection

pub mod grpc;
pub mod http1;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::BytesMut;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::tally::{Fate, Wire};

/// What the target speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// JSON over HTTP/1.1
    Rest,
    /// gRPC over HTTP/2 without TLS
    Grpc,
}

impl Protocol {
    /// The name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Grpc => "grpc",
        }
    }
}

/// How requests are encoded, and where they go.
#[derive(Clone, Copy, Debug)]
pub struct Wording<'a> {
    /// What the target speaks.
    pub protocol: Protocol,
    /// For the `Host` header.
    pub endpoint: &'a Endpoint,
    /// Of a URL, or the full name of a method.
    pub path: &'a str,
}

/// Makes requests, one at a time, over a connection of its own or a shared one. A lost connection is
/// opened again by the next call.
pub trait Caller: Send + 'static {
    /// Sends `request`, which it empties, and waits for the answer. The body of an answer of success (over
    /// gRPC its message) goes through `check`, which says what is wrong with it.
    fn call(
        &mut self,
        request: &mut BytesMut,
        check: impl FnMut(&[u8]) -> Result<(), &'static str> + Send,
    ) -> impl Future<Output = Fate> + Send;
}

/// The address of a target, looked up once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `host:port` as the user wrote it.
    pub authority: String,
    /// Where connections go.
    pub address: SocketAddr,
}

impl Endpoint {
    /// Takes `http://host:port` apart and looks the host up.
    ///
    /// # Errors
    /// For another scheme (TLS is not supported), a path, or a name that is not found.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        let (host, port) = host_and_port(url).map_err(|wrong| anyhow::anyhow!("{url}: {wrong}"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let mut addresses = std::net::ToSocketAddrs::to_socket_addrs(&(bare, port))
            .with_context(|| format!("cannot look up {host}"))?
            .collect::<Vec<_>>();
        // A name such as localhost may stand for both families, and services listen on 0.0.0.0.
        addresses.sort_by_key(|address| !address.is_ipv4());
        let address = *addresses
            .first()
            .with_context(|| format!("{host} has no address"))?;
        Ok(Self {
            authority: format!("{host}:{port}"),
            address,
        })
    }

    /// Opens a connection with TCP_NODELAY, so that a small request never waits for an acknowledgement.
    ///
    /// # Errors
    /// Those of the socket; a connection that is not there after `timeout` counts as timed out.
    pub async fn connect(&self, timeout: Duration, wire: &Wire) -> std::io::Result<TcpStream> {
        let stream = tokio::time::timeout(timeout, TcpStream::connect(self.address))
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        wire.add_connection();
        Ok(stream)
    }
}

/// Takes `http://host:port` apart.
///
/// # Errors
/// For another scheme (TLS is not supported), a path, and a port that is none.
pub fn host_and_port(url: &str) -> Result<(String, u16), String> {
    let uri: http::Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
    if uri.scheme_str() != Some("http") {
        return Err("expected http://host:port (TLS is not supported)".into());
    }
    if uri.path() != "/" || uri.query().is_some() {
        return Err("expected http://host:port without a path".into());
    }
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or("expected http://host:port: there is no host")?;
    // The parser takes 99999 for no port at all, and 80 would be loaded instead.
    let authority = uri.authority().map_or("", |it| it.as_str());
    let port = match authority.rsplit_once(host) {
        Some((_, port)) if !port.is_empty() => uri.port_u16().filter(|port| *port > 0),
        _ => Some(80),
    };
    let port = port.ok_or("expected http://host:port with a port from 1 to 65535")?;
    Ok((host.into(), port))
}

/// Limits of one caller: the time for a request, and the end of the run. One timer and one wait per caller: making them
/// for each request would cost more than the rest of the bookkeeping together, so the timer is only moved when it fires.
pub(crate) struct Deadline {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
    halted: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Why an answer is not awaited any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// It took longer than the limit.
    TimedOut,
    /// The run was halted.
    Halted,
}

impl GivenUp {
    /// The kind of error in results.
    pub(crate) fn kind(self) -> String {
        match self {
            Self::TimedOut => "timeout".into(),
            Self::Halted => "interrupted".into(),
        }
    }
}

impl Deadline {
    pub(crate) fn new(limit: Duration, halted: &CancellationToken) -> Self {
        Self {
            limit,
            timer: Box::pin(tokio::time::sleep(limit)),
            halted: Box::pin(halted.clone().cancelled_owned()),
        }
    }

    /// Awaits `answer`, but no longer than the limit (and less than a timer's tick beyond it).
    pub(crate) async fn within<T>(
        &mut self,
        answer: impl Future<Output = T>,
    ) -> Result<T, GivenUp> {
        let deadline = Instant::now() + self.limit;
        let mut answer = std::pin::pin!(answer);
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return Ok(answer),
                () = self.timer.as_mut() => {
                    let expired = Instant::now() >= deadline;
                    let next = if expired { Instant::now() + self.limit } else { deadline };
                    self.timer.as_mut().reset(next.into());
                    if expired {
                        return Err(GivenUp::TimedOut);
                    }
                }
                () = self.halted.as_mut() => {
                    // Once it is over it must not be awaited again.
                    self.halted = Box::pin(CancellationToken::new().cancelled_owned());
                    self.limit = Duration::ZERO;
                    self.timer.as_mut().reset(Instant::now().into());
                    return Err(GivenUp::Halted);
                }
            }
        }
    }
}

/// A connection that has carried nothing for longer than this is looked at before it is used.
pub(crate) const IDLE: Duration = Duration::from_millis(1);
/// Of a connection that has carried nothing for this long, the loss of a request at once means that the target had closed
/// it in the same moment: the request goes again.
pub(crate) const LONG_IDLE: Duration = Duration::from_millis(100);

/// Whether the target has neither closed an idle connection nor said anything on it.
pub fn is_open(stream: &TcpStream) -> bool {
    let mut byte = [std::mem::MaybeUninit::uninit()];
    let looked = socket2::SockRef::from(stream).peek(&mut byte);
    matches!(looked, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// What an attempt to make a request came to.
pub(crate) enum Attempt {
    /// It ended in one way or another.
    Ended(Fate),
    /// The target had closed the connection before it read the request; the text is how that showed.
    ClosedBefore(String),
}

/// Joins the outcome of a second attempt with what became of the first: unless the second was answered, nobody knows
/// whether the first was taken.
pub(crate) fn after_another(first: Option<String>, second: Fate) -> Fate {
    match (first, second) {
        (Some(_), Fate::NotSent(kind)) => Fate::Unanswered(kind),
        (_, second) => second,
    }
}

/// How long a caller waits after a connection could not be opened, so that a target that is away is not
/// asked at full speed.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

async fn not_connected(error: &std::io::Error) -> Fate {
    tokio::time::sleep(RETRY_PAUSE).await;
    Fate::NotSent(format!("connect: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_host_and_port() {
        let endpoint = Endpoint::parse("http://127.0.0.1:8081").unwrap();
        assert_eq!(endpoint.authority, "127.0.0.1:8081");
        assert_eq!(endpoint.address.port(), 8081);
        assert!(
            Endpoint::parse("http://[::1]:9090/")
                .unwrap()
                .address
                .is_ipv6()
        );
        for wrong in [
            "https://127.0.0.1:8081",
            "127.0.0.1:8081",
            "http://127.0.0.1:1/path",
            "http://127.0.0.1:99999",
            "http://127.0.0.1:0",
            "http://:8081",
            "",
        ] {
            assert!(Endpoint::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn the_limit_counts_from_each_request() {
        let limit = Duration::from_millis(200);
        let mut deadline = Deadline::new(limit, &CancellationToken::new());
        let slow = || tokio::time::sleep(Duration::from_millis(120));
        // Three of them take longer than the limit, none alone does.
        for _ in 0..3 {
            assert_eq!(deadline.within(slow()).await, Ok(()));
        }
        let asked = Instant::now();
        let never = std::future::pending::<()>();
        assert_eq!(deadline.within(never).await, Err(GivenUp::TimedOut));
        assert!(asked.elapsed() >= limit);
    }

    #[tokio::test]
    async fn a_halted_run_awaits_nothing_more() {
        let halted = CancellationToken::new();
        let mut deadline = Deadline::new(Duration::from_secs(60), &halted);
        let never = std::future::pending::<()>();
        halted.cancel();
        assert_eq!(deadline.within(never).await, Err(GivenUp::Halted));
        // Neither does whoever comes after that.
        let never = std::future::pending::<()>();
        assert!(deadline.within(never).await.is_err());
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_shows() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        let client = client.unwrap();
        assert!(is_open(&client));
        drop(server);
        client.readable().await.unwrap();
        assert!(!is_open(&client));
    }
}
