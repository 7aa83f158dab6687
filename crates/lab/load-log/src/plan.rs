//! What a run against the event log needs to know.

use std::path::PathBuf;

/// When an in-process append counts as done.
pub use group_commit::Durability;

use load_engine::plan::{Route, Timing};
use load_engine::usage::{Usage, require};

/// What is asked of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogScenario {
    /// An entry at the end of a hash-chained partition.
    Append,
    /// A partition read from its first entry to its last.
    Tail,
    /// A partition checked, hash by hash.
    Verify,
    /// Records at the end of a topic.
    Produce,
}

impl LogScenario {
    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Tail => "tail",
            Self::Verify => "verify",
            Self::Produce => "produce",
        }
    }
}

/// How the log is reached.
#[derive(Clone, Debug)]
pub enum Via {
    /// In this process.
    Direct(Direct),
    /// A server.
    Grpc(Route),
}

/// The log in this process.
#[derive(Clone, Debug)]
pub struct Direct {
    /// Where a folder is made, and removed afterwards; none: where the system has its temporary files.
    pub folder: Option<PathBuf>,
    /// When an append or a record counts as done.
    pub durability: Durability,
}

/// Everything that one run needs to know.
#[derive(Clone, Debug)]
pub struct LogPlan {
    /// What is asked.
    pub scenario: LogScenario,
    /// Of whom.
    pub via: Via,
    /// In the name of the partition or topic, which is new.
    pub run_id: String,
    /// Requests in flight.
    pub concurrency: usize,
    /// How long, on how many threads.
    pub timing: Timing,
    /// Entries that tail and verify read.
    pub entries: u64,
    /// Produce: records in one request, answered one by one over a stream.
    pub batch: u64,
    /// Produce: acks, 0, 1 or -1.
    pub acks: i32,
}

impl LogPlan {
    /// Checks what the parts alone cannot know.
    ///
    /// # Errors
    /// A sentence that names the option and what it has to be.
    pub fn check(&self) -> Result<(), Usage> {
        let in_flight = match self.scenario {
            LogScenario::Append => "--concurrency",
            LogScenario::Tail | LogScenario::Verify | LogScenario::Produce => "--clients",
        };
        require(
            self.concurrency > 0,
            format_args!("{in_flight} must be at least 1"),
        )?;
        self.timing.check()?;
        require(self.entries > 0, "--entries must be at least 1")?;
        require([0, 1, -1].contains(&self.acks), "--acks must be 0, 1 or -1")?;
        if let Via::Grpc(route) = &self.via {
            route.check(in_flight, self.concurrency)?;
        }
        Ok(())
    }

    /// The partition or topic.
    pub fn name(&self) -> String {
        format!("bench-{}", self.run_id)
    }

    /// Entries or records that a request stands for.
    pub fn per_request(&self) -> u64 {
        match self.scenario {
            LogScenario::Append => 1,
            LogScenario::Tail | LogScenario::Verify => self.entries,
            LogScenario::Produce => self.batch,
        }
    }

    /// `direct` or `grpc`.
    pub fn via_name(&self) -> &'static str {
        match self.via {
            Via::Direct(_) => "direct",
            Via::Grpc(_) => "grpc",
        }
    }

    /// The appends that come before a run that reads.
    pub(super) fn to_fill(&self) -> Self {
        Self {
            scenario: LogScenario::Append,
            ..self.clone()
        }
    }
}

/// The data of entry `number` of `worker`: JSON of about 150 bytes, as the chains of the seeds hold.
pub(super) fn data(worker: usize, number: u64) -> String {
    format!(
        "{{\"event\":\"sale\",\"id\":\"{worker}-{number}\",\"amount\":129.95,\"quantity\":3,\"store\":\"store-17\",\
         \"items\":[{{\"sku\":\"A-1001\",\"price\":39.99}},{{\"sku\":\"B-2002\",\"price\":49.97}}]}}"
    )
}
