//! `ProduceMessageStream`: many messages in flight, one answer each, in order.
//!
//! All that has arrived is taken at once and makes one append for each partition; the answers of a batch leave together.
//! There is no task behind a stream: it works when the connection asks for answers.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use api::takhin::{ProduceMessageRequest, ProduceMessageResponse};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use protect::{Caller, Verb};
use runtime::shutdown::{Guard, InFlight};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::{Status, Streaming};
use topics::{Acks, NewRecord, Outcomes, TopicLog, TopicsError};

use super::convert;
use crate::topic_service::failure::status;

/// Messages that make one batch.
const BATCH_MESSAGES: usize = 1024;
/// Bytes of records after which a batch is full.
const BATCH_BYTES: usize = 1024 * 1024;
/// Batches that may wait for the disk; with more the client is no longer read, and HTTP/2 stops it.
const MAX_BATCHES: usize = 16;

/// The answers to a client's stream.
pub struct ProduceStream {
    topics: Arc<dyn TopicLog>,
    caller: Caller,
    /// Ends when the caller may send its next message: its sender is held back to its limit.
    held_back: Option<BoxFuture<'static, ()>>,
    inbound: Streaming<ProduceMessageRequest>,
    in_flight: InFlight,
    /// Set when no more is read.
    end: Option<End>,
    batches: VecDeque<BoxFuture<'static, Answers>>,
    answers: Answers,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    refused: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Why no more is read.
enum End {
    /// The client is done.
    Done,
    /// What the client is told after the last answer.
    Status(Status),
}

/// Answers that are ready. They count as work until they are taken.
#[derive(Default)]
struct Answers {
    list: VecDeque<ProduceMessageResponse>,
    _guard: Option<Guard>,
}

impl ProduceStream {
    pub(super) fn new(
        topics: Arc<dyn TopicLog>,
        caller: Caller,
        inbound: Streaming<ProduceMessageRequest>,
        in_flight: InFlight,
    ) -> Self {
        Self {
            topics,
            caller,
            held_back: None,
            inbound,
            end: None,
            batches: VecDeque::new(),
            answers: Answers::default(),
            // Children of their own: streams then wait on no common lock.
            stop: Box::pin(in_flight.stop().child_token().cancelled_owned()),
            refused: Box::pin(in_flight.refused().child_token().cancelled_owned()),
            in_flight,
        }
    }

    /// Takes what has arrived, one batch of it. Whether that was anything.
    fn take_in(&mut self, context: &mut Context<'_>) -> bool {
        if self.end.is_some() || self.batches.len() >= MAX_BATCHES {
            return false;
        }
        if self.stop.poll_unpin(context).is_ready() {
            self.end = Some(End::Status(status(TopicsError::ShuttingDown)));
            return false;
        }
        if let Some(waiting) = &mut self.held_back {
            if waiting.poll_unpin(context).is_pending() {
                return false;
            }
            self.held_back = None;
        }
        let mut batch = Draft::default();
        while batch.messages.len() < BATCH_MESSAGES && batch.bytes < BATCH_BYTES {
            match self.inbound.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(message))) => {
                    batch.add(&self.caller, message);
                    if self.caller.take_events(1).is_err() {
                        let caller = self.caller.clone();
                        self.held_back = Some(async move { caller.event().await }.boxed());
                        break;
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.end = Some(End::Status(runtime::grpc::stream_status(error)));
                    break;
                }
                Poll::Ready(None) => {
                    self.end = Some(End::Done);
                    break;
                }
                Poll::Pending => break,
            }
        }
        if batch.messages.is_empty() {
            return false;
        }
        match self.in_flight.enter() {
            Ok(guard) => {
                self.batches
                    .push_back(batch.submit(&self.topics, guard).boxed());
                true
            }
            Err(_) => {
                self.end = Some(End::Status(status(TopicsError::ShuttingDown)));
                false
            }
        }
    }
}

impl Stream for ProduceStream {
    type Item = Result<ProduceMessageResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(answer) = this.answers.list.pop_front() {
                return Poll::Ready(Some(Ok(answer)));
            }
            this.answers = Answers::default();
            while this.take_in(context) {}
            let Some(first) = this.batches.front_mut() else {
                return match this.end.take() {
                    Some(End::Done) => {
                        this.end = Some(End::Done);
                        Poll::Ready(None)
                    }
                    Some(End::Status(status)) => {
                        this.end = Some(End::Done);
                        Poll::Ready(Some(Err(status)))
                    }
                    None => Poll::Pending,
                };
            };
            match first.poll_unpin(context) {
                Poll::Ready(answers) => {
                    this.batches.pop_front();
                    this.answers = answers;
                }
                Poll::Pending if this.refused.poll_unpin(context).is_ready() => {
                    this.batches.clear();
                    this.end = Some(End::Status(status(TopicsError::ShuttingDown)));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// A batch that is being put together.
#[derive(Default)]
struct Draft {
    messages: Vec<Message>,
    parts: Vec<Part>,
    bytes: usize,
}

/// What is kept of a message for its answer.
struct Message {
    topic: String,
    partition: i32,
    /// Which part its record is in, or why it is in none.
    part: Result<usize, String>,
}

/// The records for one topic. One that asks for more acks makes all of them wait for these: they stay in order.
struct Part {
    topic: String,
    records: Vec<(i64, NewRecord)>,
    acks: Acks,
}

impl Draft {
    fn add(&mut self, caller: &Caller, message: ProduceMessageRequest) {
        let (topic, partition) = (message.topic, message.partition);
        let acks = (message.required_acks, message.timeout_ms);
        let part = match caller.check(Verb::TopicsProduce, &topic) {
            Ok(()) => convert::record(message.record)
                .map_err(TopicsError::from)
                .and_then(|record| self.place(&topic, partition, acks, record))
                .map_err(|error| error.to_string()),
            Err(refusal) => Err(refusal.to_string()),
        };
        self.messages.push(Message {
            topic,
            partition,
            part,
        });
    }

    fn place(
        &mut self,
        topic: &str,
        partition: i32,
        (required_acks, timeout_ms): (i32, i32),
        record: NewRecord,
    ) -> Result<usize, TopicsError> {
        let acks = convert::acks(required_acks)?;
        // Checked alone: what is written is answered, in order.
        convert::wait(timeout_ms)?;
        let known = self.parts.iter().rposition(|part| part.topic == topic);
        let at = known.unwrap_or_else(|| {
            self.parts.push(Part {
                topic: topic.to_owned(),
                records: Vec::new(),
                acks,
            });
            self.parts.len() - 1
        });
        let part = &mut self.parts[at];
        part.acks = part.acks.max(acks);
        self.bytes += record.content_bytes();
        part.records.push((partition.into(), record));
        Ok(at)
    }

    /// Submits all now; the future gives the answers.
    fn submit(
        self,
        topics: &Arc<dyn TopicLog>,
        guard: Guard,
    ) -> impl Future<Output = Answers> + Send + 'static {
        let parts = self.parts.into_iter();
        let parts: Vec<Outcomes> = parts
            .map(|part| topics.submit(&part.topic, part.records, part.acks))
            .collect();
        let messages = self.messages;
        async move {
            let done = futures_util::future::join_all(parts).await;
            let mut done: Vec<_> = done.into_iter().map(Vec::into_iter).collect();
            let answers = messages.into_iter().map(|message| {
                let outcome = message.part.and_then(|part| {
                    let next = done.get_mut(part).and_then(Iterator::next);
                    let next = next.unwrap_or(Err(TopicsError::Internal));
                    next.map_err(|error| error.to_string())
                });
                let (produced, error) = match outcome {
                    Ok(produced) => (Some(produced), String::new()),
                    Err(error) => (None, error),
                };
                convert::produced(message.topic, message.partition, produced, error)
            });
            Answers {
                list: answers.collect(),
                _guard: Some(guard),
            }
        }
    }
}
