//! The events of scenario `ingest`: four types, prepared once, patched per request.
//!
//! - [`attributes`]: what the events carry, by type and payload size
//! - `plan`: what is sent; `encoding`: how an event is written on the wire
//! - [`template`]: a prepared request in its protocol's encoding, with places to patch
//! - `batch`: several events in one request, and how each of them ended
//! - [`ledger`]: what was written to repeating keys, so that an audit can find a loss
//!
//! Ids are `<family>-<run id>-<worker>-<n>` with `n` counting per event type and worker. CarCreated and
//! ServiceDone number n address car n, LoanCreated and LoanPaymentSubmitted loan n, so that inserts and
//! merges mix. Each event puts one marker key, its type's, with the run id into the attributes; a run's
//! stored events are counted as (row, marker) pairs. The k6 scripts use the same ids and markers.

pub mod attributes;
mod batch;
mod encoding;
pub mod ledger;
mod plan;
pub mod template;

use std::sync::Arc;

use api::event::EventResponse;
use bytes::BytesMut;
use lab_verdict::random::SplitMix64;
use prost::Message;
use serde::Deserialize;

use crate::protocol::{Protocol, Wording};
use crate::tally::{EventEnd, RequestOutcome};
use attributes::EventType;
use batch::Batch;
pub use encoding::Encoding;
pub use lab_model::targets::AttributeForm;
use ledger::{KeyWriter, Keys, Ledger};
pub use plan::EventPlan;
use template::Template;

/// The prepared requests of a run, shared by all its workers.
#[derive(Debug)]
pub struct EventSet {
    plan: EventPlan,
    protocol: Protocol,
    workers: usize,
    /// By [`EventType`]; one for repeating keys.
    templates: Vec<Template>,
    /// Over REST, of requests with several events: all up to the length of the body.
    head: String,
}

impl EventSet {
    /// Prepares the requests for `workers` concurrent workers.
    ///
    /// # Errors
    /// Those of [`EventPlan::check`].
    pub fn prepare(plan: EventPlan, workers: usize, wording: Wording<'_>) -> anyhow::Result<Self> {
        let encoding = &Encoding::new(wording, &plan);
        plan.check(workers)?;
        let templates = match plan.keys {
            None => EventType::ALL
                .iter()
                .map(|&kind| Template::unique(kind, &plan, encoding))
                .collect::<anyhow::Result<_>>()?,
            Some(_) => vec![Template::keyed(&plan, encoding)?],
        };
        let head = format!(
            "POST {} HTTP/1.1\r\n{}content-type: application/json\r\ncontent-length: ",
            wording.path,
            wording.endpoint.head_lines()
        );
        Ok(Self {
            plan,
            protocol: wording.protocol,
            workers,
            templates,
            head,
        })
    }

    /// The mean size of a request before patching, bytes.
    pub fn mean_request_bytes(&self) -> usize {
        self.templates.iter().map(Template::len).sum::<usize>() / self.templates.len().max(1)
    }
}

/// One worker's sequence of events.
#[derive(Debug)]
pub struct EventSource {
    set: Arc<EventSet>,
    worker: usize,
    random: SplitMix64,
    /// How many events of each type this worker has made.
    counts: [u32; EventType::ALL.len()],
    sequence: u32,
    keys: Option<KeyWriter>,
    /// Of requests with several events.
    batch: Option<Box<Batch>>,
}

impl EventSource {
    /// The sequence of `worker`, counted from 0.
    pub fn new(set: Arc<EventSet>, worker: usize) -> Self {
        let mut random = SplitMix64::of_stream(set.plan.seed, worker as u64);
        let keys = set.plan.keys.map(|total| {
            KeyWriter::new(
                Keys {
                    total,
                    workers: set.workers,
                    worker,
                },
                &mut random,
            )
        });
        let batch = set.plan.batch.map(|size| Box::new(Batch::new(size)));
        Self {
            set,
            worker,
            random,
            counts: [0; EventType::ALL.len()],
            sequence: 0,
            keys,
            batch,
        }
    }

    /// Writes the next request to the end of `buffer`. Each call is followed by one [`Self::settle`].
    pub fn next(&mut self, buffer: &mut BytesMut) {
        let Some(mut batch) = self.batch.take() else {
            return self.next_event(buffer);
        };
        batch.begin();
        match self.set.protocol {
            Protocol::Rest => {
                for number in 0..batch.size() {
                    let sign = if number == 0 { "[" } else { "," };
                    batch.body.extend_from_slice(sign.as_bytes());
                    self.next_event(&mut batch.body);
                }
                batch.body.extend_from_slice(b"]");
                buffer.extend_from_slice(self.set.head.as_bytes());
                let length = format!("{}\r\n\r\n", batch.body.len());
                buffer.extend_from_slice(length.as_bytes());
                buffer.extend_from_slice(&batch.body);
            }
            Protocol::Grpc => {
                for _ in 0..batch.size() {
                    self.next_event(buffer);
                }
            }
        }
        self.batch = Some(batch);
    }

    fn next_event(&mut self, buffer: &mut BytesMut) {
        self.sequence += 1;
        match &mut self.keys {
            None => {
                let kind = self.random.below(EventType::ALL.len());
                self.counts[kind] += 1;
                self.set.templates[kind].write(
                    buffer,
                    self.worker,
                    self.counts[kind],
                    self.sequence,
                );
            }
            Some(keys) => {
                let write = keys.next(&mut self.random);
                self.set.templates[0].write_keyed(buffer, self.worker, self.sequence, write);
            }
        }
    }

    /// Whether the answer says that the event was stored; of several, what it says of each.
    ///
    /// # Errors
    /// What it says instead.
    pub fn check(&mut self, answer: &[u8]) -> Result<(), &'static str> {
        match (&mut self.batch, self.set.protocol) {
            (Some(batch), Protocol::Rest) => return batch.read_answer(answer),
            (Some(batch), Protocol::Grpc) => return batch.read_outcome(answer),
            (None, _) => {}
        }
        let success = match self.set.protocol {
            Protocol::Rest => json_success(answer),
            Protocol::Grpc => EventResponse::decode(answer).ok().map(|it| it.success),
        };
        match success {
            Some(true) => Ok(()),
            Some(false) => Err("success=false"),
            None => Err("unreadable answer"),
        }
    }

    /// Notes how the request ended, and each of its events where it had several.
    pub fn settle(&mut self, fate: RequestOutcome) -> (RequestOutcome, Option<&[EventEnd]>) {
        let Some(batch) = &mut self.batch else {
            if let Some(keys) = &mut self.keys {
                keys.settle([&fate]);
            }
            return (fate, None);
        };
        let (fate, ends) = batch.end(fate);
        if let Some(keys) = &mut self.keys {
            keys.settle(ends.iter().map(|end| &end.fate));
        }
        (fate, Some(ends))
    }

    /// What was written to repeating keys; none for unique ids.
    pub fn into_ledger(self) -> Option<Ledger> {
        self.keys.map(KeyWriter::into_ledger)
    }
}

/// The value of `success`; none where the answer has none.
fn json_success(answer: &[u8]) -> Option<bool> {
    #[derive(Deserialize)]
    struct Answer {
        success: bool,
    }
    if answer.starts_with(b"{\"success\":true") {
        return Some(true);
    }
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    Some(answer.success)
}
