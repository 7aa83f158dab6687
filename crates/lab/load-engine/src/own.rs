//! The requests of a user's own `weir.toml`, out of the file in which `weir` has prepared them (`weir.requests/1`): drawn
//! before the run, filled in as they are sent, each answer held against its expectations.
//!
//! - this file: what is asked for, and a worker's sequence
//! - [`text`]: texts out of their parts; [`expect`]: what an answer must be, and what later steps need of it
//! - [`calls`]: gRPC messages as JSON; [`reflection`]: the descriptions that a server gives of itself

mod calls;
mod expect;
mod reflection;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use lab_project::requests::{Drawn, Protocol as FileProtocol, RequestFile, SCHEMA, Step};
use lab_verdict::random::SplitMix64;
use serde_json::Value;

use crate::protocol::grpc::{self, framed};
use crate::protocol::{Caller, Endpoint, Incoming, Outgoing, Protocol, Wording};
use crate::stop::Stop;
use crate::tally::{EventEnd, RequestOutcome};
use crate::usage::{Usage, require};
use calls::Calls;
use expect::{captured, looks_into_body, wrong};
use text::Moment;

/// Most workers of a run: each has numbers of its own between two of another's, as the virtual users of the k6 script have.
const STRIDE: u64 = 4096;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct OwnPlan {
    /// The label of the run.
    pub run_id: String,
    /// The file of prepared requests.
    pub file: PathBuf,
    /// Numbers of `{{counter}}` up to this one belong to earlier parts of the run.
    pub counter_base: u64,
    /// Places of the requests that an audit counts by themselves; empty: all count.
    pub counted: Vec<usize>,
    /// Seed of the random UUIDs.
    pub seed: u64,
}

impl OwnPlan {
    /// Checks it for `workers` concurrent workers.
    ///
    /// # Errors
    /// For more workers than there are numbers for.
    pub fn check(&self, workers: usize) -> Result<(), Usage> {
        require(
            (workers as u64) < STRIDE,
            format_args!(
                "--concurrency and --steps make {workers} workers: prepared requests have numbers for {} at most",
                STRIDE - 1
            ),
        )
    }
}

/// The prepared requests of a run.
#[derive(Debug)]
pub struct OwnSet {
    plan: OwnPlan,
    file: RequestFile,
    /// Variables of the environment that the file names.
    variables: BTreeMap<String, String>,
    /// REST: the lines of a head that belong to the target.
    head_lines: String,
    /// gRPC: a call's head without its method.
    endpoint: Endpoint,
    calls: Option<Calls>,
}

impl OwnSet {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, is for another protocol, or names a variable that is not set; a proto file that does not compile, or a
    /// server without reflection.
    pub fn prepare(
        plan: OwnPlan,
        wording: Wording<'_>,
        timeout: Duration,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let file = read(&plan.file)?;
        let speaks = match file.protocol {
            FileProtocol::Rest => Protocol::Rest,
            FileProtocol::Grpc => Protocol::Grpc,
        };
        ensure!(
            speaks == wording.protocol,
            "--requests-file {}: its requests go over {}, not {}",
            plan.file.display(),
            speaks.as_str(),
            wording.protocol.as_str()
        );
        let mut variables = BTreeMap::new();
        for name in &file.env {
            let value = std::env::var(format!("WEIR_ENV_{name}"))
                .or_else(|_| std::env::var(name))
                .with_context(|| {
                    format!("the environment variable {name} is not set: export it")
                })?;
            variables.insert(name.clone(), value);
        }
        let calls = match speaks {
            Protocol::Rest => None,
            Protocol::Grpc => Some(Calls::of(&file, wording.endpoint, timeout, stop)?),
        };
        Ok(Self {
            plan,
            variables,
            head_lines: wording.endpoint.head_lines(),
            endpoint: wording.endpoint.clone(),
            calls,
            file,
        })
    }
}

/// The longest time that a step of the file may take.
///
/// # Errors
/// The file cannot be read.
pub fn longest_timeout(file: &Path) -> anyhow::Result<Duration> {
    let file = read(file)?;
    let steps = file.requests.iter().flat_map(|request| &request.steps);
    let longest = steps.map(|step| step.timeout_ms).max().unwrap_or(1);
    Ok(Duration::from_millis(longest.max(1)))
}

fn read(path: &Path) -> anyhow::Result<RequestFile> {
    let said = || format!("--requests-file {}", path.display());
    let text = std::fs::read_to_string(path).with_context(said)?;
    let file: RequestFile = serde_json::from_str(&text).with_context(said)?;
    ensure!(
        file.schema == SCHEMA,
        "--requests-file {}: it has the form {}; {SCHEMA} is known",
        path.display(),
        file.schema
    );
    let known = file
        .sequence
        .iter()
        .all(|drawn| drawn.request < file.requests.len());
    ensure!(
        !file.sequence.is_empty() && known,
        "--requests-file {}: its sequence names no requests",
        path.display()
    );
    Ok(file)
}

/// One worker's sequence of requests.
#[derive(Debug)]
pub struct OwnSource {
    set: Arc<OwnSet>,
    worker: u64,
    place: usize,
    sent: u64,
    random: SplitMix64,
    captured: BTreeMap<String, Value>,
    /// What an audit counts of the last request.
    counted: Vec<EventEnd>,
}

impl OwnSource {
    /// The sequence of `worker`, counted from 0.
    pub fn new(set: Arc<OwnSet>, worker: usize) -> Self {
        let worker = worker as u64 + 1;
        let length = set.file.sequence.len();
        // Another run of the same seed has other ones.
        let stream = set.plan.run_id.bytes().fold(worker, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        Self {
            random: SplitMix64::of_stream(set.plan.seed, stream),
            place: (worker as usize).wrapping_mul(7919) % length,
            worker,
            sent: 0,
            set,
            captured: BTreeMap::new(),
            counted: Vec::new(),
        }
    }

    /// Sends the next request: its steps one after the other, until one is not answered as expected. They count as one.
    pub async fn exchange(&mut self, caller: &mut impl Caller) -> RequestOutcome {
        let set = Arc::clone(&self.set);
        let drawn = &set.file.sequence[self.place];
        self.place = (self.place + 1) % set.file.sequence.len();
        self.sent += 1;
        self.captured.clear();
        let counter = set.plan.counter_base + (self.sent - 1) * STRIDE + self.worker;
        let mut fate = RequestOutcome::Acknowledged;
        for step in &set.file.requests[drawn.request].steps {
            fate = self.step(&set, step, drawn, counter, caller).await;
            if fate != RequestOutcome::Acknowledged {
                break;
            }
        }
        self.counted.clear();
        if set.plan.counted.contains(&drawn.request) {
            self.counted.push(EventEnd {
                fate: fate.clone(),
                latency: None,
            });
        }
        fate
    }

    async fn step(
        &mut self,
        set: &OwnSet,
        step: &Step,
        drawn: &Drawn,
        counter: u64,
        caller: &mut impl Caller,
    ) -> RequestOutcome {
        let mut moment = Moment {
            counter,
            run: &set.plan.run_id,
            variables: &set.variables,
            captured: &self.captured,
            random: &mut self.random,
        };
        let outgoing = match set.outgoing(step, drawn, &mut moment) {
            Ok(outgoing) => outgoing,
            Err(error) => return RequestOutcome::NotSent(format!("{error:#}")),
        };
        let begun = Instant::now();
        let captures = &mut self.captured;
        let judge = |incoming: &Incoming<'_>| {
            let json = match looks_into_body(step) {
                true => set.json(step, incoming)?,
                false => None,
            };
            wrong(step, incoming, json.as_ref(), begun.elapsed())?;
            captured(step, incoming, json.as_ref(), captures)
        };
        caller.ask(&outgoing, judge).await
    }

    /// What an audit counts of the last request; none where it counts every request.
    pub fn counted(&self) -> Option<&[EventEnd]> {
        (!self.set.plan.counted.is_empty()).then_some(&self.counted[..])
    }
}

impl OwnSet {
    /// A step as it goes out now.
    fn outgoing(
        &self,
        step: &Step,
        drawn: &Drawn,
        moment: &mut Moment<'_>,
    ) -> anyhow::Result<Outgoing> {
        let Some(calls) = &self.calls else {
            return Ok(self.http(step, drawn, moment));
        };
        let path = format!("/{}", step.call);
        let (uri, mut headers): (Uri, HeaderMap) = grpc::target(&self.endpoint, &path)?;
        for (name, value) in &step.headers {
            let value = text::joined(value, &drawn.values, moment);
            headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        let message = match &step.body {
            Some(parts) => text::joined(parts, &drawn.values, moment),
            None => "{}".to_owned(),
        };
        Ok(Outgoing::Grpc {
            uri,
            headers,
            message: framed(&calls.encoded(&step.call, &message)?),
        })
    }

    fn http(&self, step: &Step, drawn: &Drawn, moment: &mut Moment<'_>) -> Outgoing {
        let mut bytes = BytesMut::with_capacity(512);
        let mut add = |text: &str| bytes.extend_from_slice(text.as_bytes());
        add(&step.method);
        add(" ");
        add(&text::joined(&step.path, &drawn.values, moment));
        add(" HTTP/1.1\r\n");
        // A header of the user's own takes precedence.
        let own = |line: &str| {
            let name = line.split(':').next().unwrap_or_default();
            step.headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        for line in self
            .head_lines
            .split_inclusive("\r\n")
            .filter(|line| !own(line))
        {
            add(line);
        }
        for (name, value) in &step.headers {
            add(name);
            add(": ");
            add(&text::joined(value, &drawn.values, moment));
            add("\r\n");
        }
        let body = step.body.as_ref();
        match body.map(|body| text::joined(body, &drawn.values, moment)) {
            Some(body) => {
                add(&format!("content-length: {}\r\n\r\n", body.len()));
                add(&body);
            }
            None if matches!(step.method.as_str(), "POST" | "PUT" | "PATCH") => {
                add("content-length: 0\r\n\r\n");
            }
            None => add("\r\n"),
        }
        Outgoing::Http {
            bytes: Bytes::from(bytes),
            head_only: step.method == "HEAD",
        }
    }

    /// The body, or the message, as JSON; none where it is none.
    fn json(&self, step: &Step, incoming: &Incoming<'_>) -> Result<Option<Value>, String> {
        match &self.calls {
            None => Ok(serde_json::from_slice(incoming.body).ok()),
            Some(_) if incoming.status != 0 => Ok(None),
            Some(calls) => calls
                .decoded(&step.call, incoming.body)
                .map(Some)
                .map_err(|_| "unreadable answer".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
