//! The two protocols behind one call, and where the target is.
//!
//! - [`endpoint`]: where the target is and how it is come to; [`connection`]: an open connection, with or without TLS
//! - [`http1`]: HTTP/1.1 by hand on a connection, one request in flight on each
//! - [`grpc`]: gRPC on HTTP/2, many calls in flight per connection

pub mod connection;
mod counted;
pub mod endpoint;
pub mod grpc;
pub mod http1;

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Uri};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::tally::RequestOutcome;
pub use endpoint::{Endpoint, Place};
pub use lab_model::targets::Protocol;

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
    ) -> impl Future<Output = RequestOutcome> + Send;

    /// Sends `request` and gives the answer, whatever its status, to `judge`, which says what is wrong with it in a few
    /// words.
    fn ask(
        &mut self,
        request: &Outgoing,
        judge: impl FnMut(&Incoming<'_>) -> Result<(), String> + Send,
    ) -> impl Future<Output = RequestOutcome> + Send;
}

/// A request in full.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// Head and body of HTTP/1.1.
    Http {
        /// As they go out.
        bytes: Bytes,
        /// The method is HEAD: the answer has no body, whatever length its head says.
        head_only: bool,
    },
    /// A call with one message.
    Grpc {
        /// Of its method.
        uri: Uri,
        /// With the metadata.
        headers: HeaderMap,
        /// With its prefix.
        message: Bytes,
    },
}

/// An answer in full.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The status over REST, the code over gRPC.
    pub status: u16,
    /// Its headers.
    pub headers: Headers<'a>,
    /// The body; over gRPC the last message.
    pub body: &'a [u8],
    /// Messages that came: 1 over REST.
    pub messages: u64,
}

/// The headers of an answer.
#[derive(Clone, Copy, Debug)]
pub enum Headers<'a> {
    /// The lines of HTTP/1.1.
    Lines(&'a [u8]),
    /// Those of HTTP/2, and its trailers.
    Maps(&'a HeaderMap, &'a HeaderMap),
}

impl Headers<'_> {
    /// The first value of a header, whatever the case of its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        match self {
            Self::Lines(head) => {
                let head = std::str::from_utf8(head).ok()?;
                let mut lines = head.lines().filter_map(|line| line.split_once(':'));
                let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.trim().to_owned())
            }
            Self::Maps(headers, trailers) => {
                let value = headers.get(name).or_else(|| trailers.get(name))?;
                Some(value.to_str().ok()?.to_owned())
            }
        }
    }
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

/// What an attempt to make a request came to.
pub(crate) enum Attempt {
    /// It ended in one way or another.
    Ended(RequestOutcome),
    /// The target had closed the connection before it read the request; the text is how that showed.
    ClosedBefore(String),
}

/// Joins the outcome of a second attempt with what became of the first: unless the second was answered, nobody knows
/// whether the first was taken.
pub(crate) fn after_another(first: Option<String>, second: RequestOutcome) -> RequestOutcome {
    match (first, second) {
        (Some(_), RequestOutcome::NotSent(kind)) => RequestOutcome::Unanswered(kind),
        (_, second) => second,
    }
}

/// How long a caller waits after a connection could not be opened, so that a target that is away is not
/// asked at full speed.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

async fn not_connected(error: &std::io::Error) -> RequestOutcome {
    tokio::time::sleep(RETRY_PAUSE).await;
    RequestOutcome::NotSent(format!("connect: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_header_is_found_whatever_its_case() {
        let head = b"HTTP/1.1 201 Created\r\nLocation: /items/7\r\nx-b:1\r\n\r\n";
        let headers = Headers::Lines(head);
        assert_eq!(headers.get("location").as_deref(), Some("/items/7"));
        assert_eq!(headers.get("X-B").as_deref(), Some("1"));
        assert_eq!(headers.get("etag"), None);
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
}
