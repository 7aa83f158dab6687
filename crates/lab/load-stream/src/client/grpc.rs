//! A server stream over gRPC.

use std::sync::Arc;
use std::time::Instant;

use api::benchmark::StreamRequest;
use bytes::{Buf, BytesMut};
use h2::RecvStream;
use prost::Message;
use tokio_util::sync::CancellationToken;

use super::reading::{From, Read};
use crate::event::SeenTransaction;
use crate::plan::StreamPlan;
use crate::receiver::{Moment, Receiver};
use crate::tally::{StreamLane, StreamTally};
use load_engine::protocol::grpc::{
    GrpcConnection, PREFIX, STREAM_WINDOWS, describe, framed, grpc_status, head, status_name,
    target,
};
use load_engine::tally::record;

/// Opens a connection that several subscribers will share.
pub(crate) async fn connect(
    plan: &StreamPlan,
    lane: &StreamLane,
    halted: &CancellationToken,
) -> std::io::Result<Arc<GrpcConnection>> {
    let begun = Instant::now();
    let wire = Arc::clone(&lane.wire);
    let connection = GrpcConnection::connect(
        plan.route.endpoint.clone(),
        wire,
        plan.route.timeout,
        STREAM_WINDOWS,
        halted,
    )
    .await?;
    record(&mut lane.tally().connect, begun.elapsed());
    Ok(connection)
}

pub(super) struct GrpcStream {
    body: RecvStream,
    /// The start of a message whose end has not come.
    partial: BytesMut,
    seen: SeenTransaction,
}

impl GrpcStream {
    /// Asks for the stream and waits for the head of the answer. `generation` is that of the shared connection
    /// that was used last.
    pub(super) async fn open(
        connection: &GrpcConnection,
        generation: &mut u64,
        plan: &StreamPlan,
        from: From,
    ) -> Result<Self, String> {
        let (current, sender) = connection.sender().await;
        let mut ready = match current >= *generation {
            true => sender.ready().await.ok(),
            false => None,
        };
        *generation = current;
        if ready.is_none() {
            let renewed = connection.renew(current).await;
            let (current, sender) =
                renewed.map_err(|error| format!("connect: {}", error.kind()))?;
            *generation = current;
            ready = sender.ready().await.ok();
        }
        let mut sender = ready.ok_or_else(|| "connect: connection reset".to_owned())?;
        let (uri, headers) =
            target(&plan.route.endpoint, &plan.path).map_err(|error| error.to_string())?;
        let (response, mut body) = sender
            .send_request(head(&uri, &headers), false)
            .map_err(|error| describe(&error))?;
        body.send_data(request(plan, from), true)
            .map_err(|error| describe(&error))?;
        let response = response.await.map_err(|error| describe(&error))?;
        if response.status() != 200 {
            return Err(format!("http {}", response.status().as_u16()));
        }
        if let Some(status) = grpc_status(response.headers())
            && response.body().is_end_stream()
        {
            return Err(format!("grpc {}", status_name(status)));
        }
        Ok(Self {
            body: response.into_body(),
            partial: BytesMut::new(),
            seen: SeenTransaction::default(),
        })
    }

    /// Waits for more and notes it. Dropping the future loses nothing.
    pub(super) async fn read(&mut self, receiver: &mut Receiver) -> Result<Read, String> {
        let Some(data) = self.body.data().await else {
            return self.end().await;
        };
        let data = data.map_err(|error| describe(&error))?;
        let now = Moment::now();
        let lane = Arc::clone(&receiver.lane);
        let mut tally = lane.tally();
        let length = data.len();
        if self.partial.is_empty() {
            let used = messages(&data, &mut self.seen, receiver, &mut tally, now);
            self.partial.extend_from_slice(&data[used..]);
        } else {
            self.partial.extend_from_slice(&data);
            let used = messages(&self.partial, &mut self.seen, receiver, &mut tally, now);
            self.partial.advance(used);
        }
        let released = self.body.flow_control().release_capacity(length);
        released.map_err(|error| describe(&error))?;
        Ok(Read::More)
    }

    async fn end(&mut self) -> Result<Read, String> {
        let trailers = self.body.trailers().await;
        let trailers = trailers
            .map_err(|error| describe(&error))?
            .unwrap_or_default();
        match grpc_status(&trailers) {
            Some("0") => Ok(Read::End),
            Some(status) => Err(format!("grpc {}", status_name(status))),
            None => Err("grpc: no status".into()),
        }
    }
}

/// Notes the whole messages at the start of `bytes`, and says how many bytes they take.
fn messages(
    bytes: &[u8],
    seen: &mut SeenTransaction,
    receiver: &mut Receiver,
    tally: &mut StreamTally,
    now: Moment,
) -> usize {
    let mut at = 0;
    while let Some(rest) = bytes.get(at + PREFIX..) {
        let prefix = &bytes[at + 1..at + PREFIX];
        let length = prefix
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        let Some(message) = rest.get(..length) else {
            break;
        };
        receiver.take(tally, now, seen.read(message));
        at += PREFIX + length;
    }
    at
}

fn request(plan: &StreamPlan, from: From) -> bytes::Bytes {
    let request = StreamRequest {
        since_timestamp: match from.after {
            None => plan.since.clone().unwrap_or_default(),
            Some(_) => String::new(),
        },
        rate_limit: plan
            .rate
            .map_or(0, |rate| i32::try_from(rate).unwrap_or(i32::MAX)),
        filter_account: String::new(),
        after_sequence: from.after.unwrap_or(0),
        limit: match plan.limit {
            Some(limit) => limit.saturating_sub(from.received).max(1),
            None => 0,
        },
    };
    framed(&request.encode_to_vec())
}
