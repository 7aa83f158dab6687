//! An answer as it comes: headers, messages, trailers, and what is made of them.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::messages::{failed, grpc_status, next_message};
use crate::protocol::{Headers, Incoming};
use crate::tally::RequestOutcome;

/// What is made of an answer as it comes.
pub(super) trait Reader: Send {
    /// A message has come.
    fn message(&mut self, message: Bytes);

    /// The call has ended.
    fn end(&mut self, headers: &HeaderMap, trailers: &HeaderMap) -> RequestOutcome;
}

/// Every message of a success has to be right.
pub(super) struct Checked<C> {
    pub(super) check: C,
    pub(super) checked: Option<Result<(), &'static str>>,
}

impl<C: FnMut(&[u8]) -> Result<(), &'static str> + Send> Reader for Checked<C> {
    fn message(&mut self, message: Bytes) {
        let result = (self.check)(&message);
        self.checked = Some(self.checked.unwrap_or(Ok(())).and(result));
    }

    fn end(&mut self, headers: &HeaderMap, trailers: &HeaderMap) -> RequestOutcome {
        match grpc_status(trailers).or_else(|| grpc_status(headers)) {
            Some("0") => match self.checked {
                Some(Ok(())) => RequestOutcome::Acknowledged,
                Some(Err(wrong)) => RequestOutcome::Failed(wrong.into()),
                None => RequestOutcome::Failed("grpc: no message".into()),
            },
            Some(status) => failed(status),
            None => RequestOutcome::Failed("grpc: no status".into()),
        }
    }
}

/// The whole answer is judged, whatever its code.
pub(super) struct Judged<J> {
    pub(super) judge: J,
    pub(super) last: Bytes,
    pub(super) messages: u64,
}

impl<J: FnMut(&Incoming<'_>) -> Result<(), String> + Send> Reader for Judged<J> {
    fn message(&mut self, message: Bytes) {
        self.last = message;
        self.messages += 1;
    }

    fn end(&mut self, headers: &HeaderMap, trailers: &HeaderMap) -> RequestOutcome {
        let status = grpc_status(trailers).or_else(|| grpc_status(headers));
        let Some(status) = status.and_then(|status| status.parse().ok()) else {
            return RequestOutcome::Failed("grpc: no status".into());
        };
        let incoming = Incoming {
            status,
            headers: Headers::Maps(headers, trailers),
            body: &self.last,
            messages: self.messages,
        };
        match (self.judge)(&incoming) {
            Ok(()) => RequestOutcome::Acknowledged,
            Err(wrong) => RequestOutcome::Failed(wrong),
        }
    }
}

/// Reads an answer to its end: headers, messages, trailers. Once a message has come the answer counts as `said`.
pub(super) async fn answer(
    response: h2::client::ResponseFuture,
    said: &AtomicBool,
    reader: &mut impl Reader,
) -> Result<RequestOutcome, h2::Error> {
    let response = response.await?;
    if response.status() != 200 {
        return Ok(RequestOutcome::Failed(format!(
            "http {}",
            response.status().as_u16()
        )));
    }
    let (http::response::Parts { headers, .. }, mut body) = response.into_parts();
    let mut partial = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        partial.extend_from_slice(&data);
        while let Some(message) = next_message(&mut partial) {
            said.store(true, Ordering::Relaxed);
            reader.message(message);
        }
    }
    // An answer without a message has its status in the headers.
    let trailers = body.trailers().await?.unwrap_or_default();
    Ok(reader.end(&headers, &trailers))
}
