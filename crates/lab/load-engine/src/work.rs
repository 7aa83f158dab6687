//! What a load asks of its target: events to take in, accounts to answer for, records to append, or the
//! requests of a user's own file.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use crate::accounts::{AccountPlan, AccountSet, AccountSource};
use crate::events::ledger::Ledger;
use crate::events::{EventPlan, EventSet, EventSource};
use crate::own::{OwnPlan, OwnSet, OwnSource};
use crate::protocol::{Caller, Protocol, Wording};
use crate::records::{RecordPlan, RecordSet, RecordSource};
use crate::stop::Stop;
use crate::tally::{EventEnd, RequestOutcome};
use crate::usage::Usage;

/// What is asked.
#[derive(Clone, Debug)]
pub enum Work {
    /// Scenario `ingest`.
    Ingest(EventPlan),
    /// Scenario `balance`.
    Balance(AccountPlan),
    /// Scenario `log`.
    Records(RecordPlan),
    /// Scenario `own`.
    Own(OwnPlan),
}

impl Work {
    /// The scenario's name in results.
    pub fn scenario(&self) -> &'static str {
        match self {
            Self::Ingest(_) => "ingest",
            Self::Balance(_) => "balance",
            Self::Records(_) => "log",
            Self::Own(_) => "own",
        }
    }

    /// Checks what the parts alone cannot know, for `workers` concurrent workers.
    ///
    /// # Errors
    /// A sentence that names the option and what it has to be.
    pub fn check(&self, workers: usize) -> Result<(), Usage> {
        match self {
            Self::Ingest(plan) => plan.check(workers),
            Self::Balance(plan) => plan.check(),
            Self::Records(_) => Ok(()),
            Self::Own(plan) => plan.check(workers),
        }
    }

    /// The label of the run.
    pub fn run_id(&self) -> &str {
        match self {
            Self::Ingest(plan) => &plan.run_id,
            Self::Balance(plan) => &plan.run_id,
            Self::Records(plan) => &plan.run_id,
            Self::Own(plan) => &plan.run_id,
        }
    }

    /// The seed of whatever is random.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Ingest(plan) => plan.seed,
            Self::Balance(plan) => plan.seed,
            // Nothing of it is random.
            Self::Records(_) => 1,
            Self::Own(plan) => plan.seed,
        }
    }

    /// The size of the events; a read and a record have one size.
    pub fn payload(&self) -> &'static str {
        match self {
            Self::Ingest(plan) => plan.payload.name(),
            Self::Balance(_) | Self::Records(_) | Self::Own(_) => "default",
        }
    }

    /// Events in one request; none where a request is one event, or a read.
    pub fn batch(&self) -> Option<u32> {
        match self {
            Self::Ingest(plan) => plan.batch,
            Self::Balance(_) | Self::Records(_) | Self::Own(_) => None,
        }
    }

    /// Entities that events repeat over.
    pub fn keys(&self) -> Option<u32> {
        match self {
            Self::Ingest(plan) => plan.keys,
            Self::Balance(_) | Self::Records(_) | Self::Own(_) => None,
        }
    }

    /// Accounts that are asked for.
    pub fn accounts(&self) -> Option<u32> {
        match self {
            Self::Ingest(_) | Self::Records(_) | Self::Own(_) => None,
            Self::Balance(plan) => Some(plan.accounts),
        }
    }

    /// The path of its calls, for REST with `{id}` where the account goes.
    pub fn default_path(scenario: &str, protocol: Protocol) -> &'static str {
        match (scenario, protocol) {
            ("balance", Protocol::Rest) => "/api/v1/accounts/{id}/balance",
            ("balance", Protocol::Grpc) => "/benchmark.BalanceService/GetBalance",
            ("log", Protocol::Rest) => "/api/v1/logs/{partition}",
            ("log", Protocol::Grpc) => "/immutablelog.ImmutableLogService/Append",
            (_, Protocol::Rest) => "/api/v1/events",
            (_, Protocol::Grpc) => "/com.example.grpc.EventService/ProcessEvent",
        }
    }
}

impl Work {
    /// The path of calls with several events, beside `path` of those with one.
    pub fn batch_path(path: &str, protocol: Protocol) -> String {
        match protocol {
            Protocol::Rest => format!("{}/bulk", path.trim_end_matches('/')),
            Protocol::Grpc => {
                let service = path.rsplit_once('/').map_or(path, |(service, _)| service);
                format!("{service}/ProcessEvents")
            }
        }
    }
}

/// The prepared requests of a run, shared by all its workers.
#[derive(Debug)]
pub enum Requests {
    /// Of [`Work::Ingest`].
    Events(Arc<EventSet>),
    /// Of [`Work::Balance`].
    Accounts(Arc<AccountSet>),
    /// Of [`Work::Records`].
    Records(Arc<RecordSet>),
    /// Of [`Work::Own`].
    Own(Arc<OwnSet>),
}

impl Requests {
    /// Prepares the requests for `workers` concurrent workers. A server that has to describe its calls is asked, within
    /// `timeout`.
    ///
    /// # Errors
    /// When the plan asks for what its parts cannot do.
    pub fn prepare(
        work: &Work,
        workers: usize,
        wording: Wording<'_>,
        timeout: Duration,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        Ok(match work {
            Work::Ingest(plan) => {
                let set = EventSet::prepare(plan.clone(), workers, wording)?;
                Self::Events(Arc::new(set))
            }
            Work::Balance(plan) => {
                let set = AccountSet::prepare(plan.clone(), wording)?;
                Self::Accounts(Arc::new(set))
            }
            Work::Records(plan) => {
                let set = RecordSet::prepare(plan.clone(), wording)?;
                Self::Records(Arc::new(set))
            }
            Work::Own(plan) => {
                let set = OwnSet::prepare(plan.clone(), wording, timeout, stop)?;
                Self::Own(Arc::new(set))
            }
        })
    }
}

/// One worker's sequence of requests, and what their answers have to be.
#[derive(Debug)]
pub enum Source {
    /// Of [`Requests::Events`].
    Events(EventSource),
    /// Of [`Requests::Accounts`].
    Accounts(AccountSource),
    /// Of [`Requests::Records`].
    Records(RecordSource),
    /// Of [`Requests::Own`].
    Own(Box<OwnSource>),
}

impl Source {
    /// The sequence of `worker`, counted from 0.
    pub fn new(requests: &Requests, worker: usize) -> Self {
        match requests {
            Requests::Events(set) => Self::Events(EventSource::new(Arc::clone(set), worker)),
            Requests::Accounts(set) => Self::Accounts(AccountSource::new(Arc::clone(set), worker)),
            Requests::Records(set) => Self::Records(RecordSource::new(Arc::clone(set), worker)),
            Requests::Own(set) => Self::Own(Box::new(OwnSource::new(Arc::clone(set), worker))),
        }
    }

    /// Sends the next request over `caller`, out of `buffer`, and waits for its answer. Each call is followed by one
    /// [`Self::settle`].
    pub async fn exchange(
        &mut self,
        caller: &mut impl Caller,
        buffer: &mut BytesMut,
    ) -> RequestOutcome {
        if let Self::Own(source) = self {
            return source.exchange(caller).await;
        }
        self.next(buffer);
        let check = |answer: &[u8]| self.check(answer);
        caller.call(buffer, check).await
    }

    /// Writes the next request to the end of `buffer`.
    fn next(&mut self, buffer: &mut BytesMut) {
        match self {
            Self::Events(source) => source.next(buffer),
            Self::Accounts(source) => source.next(buffer),
            Self::Records(source) => source.next(buffer),
            // It has steps, which `exchange` sends one after the other.
            Self::Own(_) => {}
        }
    }

    /// Says what is wrong with the answer to the last request: the body over REST, the message over gRPC.
    fn check(&mut self, answer: &[u8]) -> Result<(), &'static str> {
        match self {
            Self::Events(source) => source.check(answer),
            Self::Accounts(source) => source.check(answer),
            Self::Records(source) => source.check(answer),
            Self::Own(_) => Ok(()),
        }
    }

    /// Notes how the request ended. Gives that of each of its events, where it had several.
    pub fn settle(&mut self, fate: RequestOutcome) -> (RequestOutcome, Option<&[EventEnd]>) {
        match self {
            Self::Events(source) => source.settle(fate),
            Self::Accounts(_) | Self::Records(_) => (fate, None),
            Self::Own(source) => (fate, source.counted()),
        }
    }

    /// What was written to repeating keys; none for whatever leaves no such trace.
    pub fn into_ledger(self) -> Option<Ledger> {
        match self {
            Self::Events(source) => source.into_ledger(),
            Self::Accounts(_) | Self::Records(_) | Self::Own(_) => None,
        }
    }
}
