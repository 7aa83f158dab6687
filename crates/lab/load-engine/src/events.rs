//! The events of scenario `ingest`: four types, prepared once, patched per request.
//!
//! - [`attributes`]: what the events carry, by type and payload size
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
pub mod ledger;
pub mod template;

use std::sync::Arc;

use api::event::EventResponse;
use bytes::BytesMut;
use prost::Message;
use serde::Deserialize;

use crate::protocol::{Protocol, Wording};
use crate::random::Random;
use crate::tally::{EventEnd, Fate};
use crate::usage::{Usage, require};
use attributes::{EventType, Payload};
use batch::Batch;
use ledger::{KeyWriter, Keys, Ledger};
use template::{ID_DIGITS, Template, WORKER_DIGITS};

/// How an event is encoded on the wire.
#[derive(Clone, Debug)]
pub enum Encoding {
    /// A whole HTTP/1.1 request with a JSON body.
    Rest {
        /// The lines of the head that belong to the target; see [`crate::protocol::Endpoint::head_lines`].
        lines: String,
        /// Path of the request.
        path: String,
    },
    /// A JSON body, one of several in a request.
    Json,
    /// A gRPC message with its five-byte prefix.
    Grpc(AttributeForm),
}

/// How an event's attributes are sent over gRPC; over REST they are always JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttributeForm {
    /// As a JSON object in `attributes_json`.
    #[default]
    Json,
    /// As texts in `updated_attributes`, for servers that know no other field.
    Map,
}

impl Encoding {
    fn new(wording: Wording<'_>, plan: &EventPlan) -> Self {
        match wording.protocol {
            Protocol::Rest if plan.batch.is_some() => Self::Json,
            Protocol::Rest => Self::Rest {
                lines: wording.endpoint.head_lines(),
                path: wording.path.into(),
            },
            Protocol::Grpc => Self::Grpc(plan.attributes),
        }
    }
}

/// What a run sends.
#[derive(Clone, Debug)]
pub struct EventPlan {
    /// Size of the events.
    pub payload: Payload,
    /// Carried by every event.
    pub run_id: String,
    /// Seed of ids, order and types.
    pub seed: u64,
    /// Fixed set of entities that events merge into; none: new ids, as the module's text says.
    pub keys: Option<u32>,
    /// Events in one request; none: each is a request of its own.
    pub batch: Option<u32>,
    /// How attributes are sent over gRPC.
    pub attributes: AttributeForm,
}

impl EventPlan {
    /// Checks it for `workers` concurrent workers.
    ///
    /// # Errors
    /// For more keys or workers than the fixed-width ids can name, or for repeating keys in another size than the
    /// default.
    pub fn check(&self, workers: usize) -> Result<(), Usage> {
        let most = 10_usize.pow(WORKER_DIGITS as u32) - 1;
        require(
            workers <= most,
            format_args!("--concurrency must be at most {most}"),
        )?;
        require(
            self.batch.is_none_or(|batch| batch > 0),
            "--batch must be at least 1",
        )?;
        let Some(keys) = self.keys else {
            return Ok(());
        };
        require(
            self.attributes == AttributeForm::Json,
            "--keys is for targets that take attributes_json: leave it out",
        )?;
        require(
            keys as usize >= workers,
            format_args!(
                "--keys {keys} is less than --concurrency {workers}: each worker needs a key of its own"
            ),
        )?;
        let most = 10_u32.pow(ID_DIGITS as u32) - 1;
        require(keys <= most, format_args!("--keys must be at most {most}"))?;
        require(
            self.payload == Payload::Default,
            "--keys works with the default payload only: leave out --payload",
        )
    }
}

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
    random: Random,
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
        let mut random = Random::new(set.plan.seed, worker as u64);
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
    pub fn settle(&mut self, fate: Fate) -> (Fate, Option<&[EventEnd]>) {
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
