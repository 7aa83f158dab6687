//! A stream of server-sent events over HTTP/1.1.

use std::fmt::Write as _;

use bytes::{Buf, BytesMut};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::reading::{From, Read};
use crate::chunks::Unframer;
use crate::plan::StreamPlan;
use crate::receiver::{Moment, Receiver};
use crate::sse::SseParser;
use load_engine::protocol::connection::Connection;
use load_engine::protocol::http1::answer::parse_head;

/// Bytes that are read at once.
pub(super) const READ_BYTES: usize = 64 << 10;
/// The same of one that reads slowly: some few events.
pub(super) const SLOW_READ_BYTES: usize = 1 << 10;

pub(super) struct SseStream {
    connection: Connection,
    unframer: Unframer,
    parser: SseParser,
    /// What was read and not looked at.
    buffer: BytesMut,
    read_bytes: usize,
}

impl SseStream {
    /// Asks for the stream and waits for the head of the answer; reads at most `read_bytes` at once.
    pub(super) async fn open(
        mut connection: Connection,
        plan: &StreamPlan,
        from: From,
        read_bytes: usize,
    ) -> Result<Self, String> {
        let io = |error: std::io::Error| format!("connection: {}", error.kind());
        let request = request(plan, from);
        connection.write_all(request.as_bytes()).await.map_err(io)?;
        connection.flush().await.map_err(io)?;
        let mut buffer = BytesMut::with_capacity(read_bytes);
        loop {
            let read = connection.read_buf(&mut buffer).await.map_err(io)?;
            let head = parse_head(&buffer).map_err(|error| error.to_string())?;
            if let Some((answer, body, length)) = head {
                if answer.status != 200 {
                    return Err(format!("http {}", answer.status));
                }
                buffer.advance(length);
                return Ok(Self {
                    connection,
                    unframer: Unframer::new(body),
                    parser: SseParser::default(),
                    buffer,
                    read_bytes,
                });
            }
            if read == 0 {
                return Err("connection closed".into());
            }
        }
    }

    /// Waits for more and notes it. Dropping the future loses nothing.
    pub(super) async fn read(&mut self, receiver: &mut Receiver) -> Result<Read, String> {
        if self.buffer.is_empty() {
            self.buffer.reserve(self.read_bytes);
            let read = self.connection.read_buf(&mut self.buffer).await;
            let read = read.map_err(|error| format!("connection: {}", error.kind()))?;
            if read == 0 {
                return match self.unframer.may_close() {
                    true => Ok(Read::End),
                    false => Err("connection closed".into()),
                };
            }
        }
        let now = Moment::now();
        let lane = std::sync::Arc::clone(&receiver.lane);
        let mut tally = lane.tally();
        let parser = &mut self.parser;
        let fed = self.unframer.feed(&self.buffer, |text| {
            parser.feed(text, |event| receiver.take(&mut tally, now, event));
        });
        self.buffer.clear();
        fed.map_err(|_| "not a chunked body".to_owned())?;
        Ok(match self.unframer.done() {
            true => Read::End,
            false => Read::More,
        })
    }
}

fn request(plan: &StreamPlan, from: From) -> String {
    let mut query = String::new();
    let mut add = |name: &str, value: &str| {
        let sign = if query.is_empty() { '?' } else { '&' };
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        // Writing to a String cannot fail.
        write!(query, "{sign}{name}={value}").ok();
    };
    if let (Some(since), None) = (&plan.since, from.after) {
        add("since", since);
    }
    if let Some(rate) = plan.rate {
        add("rate", &rate.to_string());
    }
    if let Some(limit) = plan.limit {
        add(
            "limit",
            &limit.saturating_sub(from.received).max(1).to_string(),
        );
    }
    let resume = from
        .after
        .map(|after| format!("last-event-id: {after}\r\n"));
    format!(
        "GET {}{query} HTTP/1.1\r\n{}accept: text/event-stream\r\n{}\r\n",
        plan.path,
        plan.route.endpoint.head_lines(),
        resume.unwrap_or_default()
    )
}
