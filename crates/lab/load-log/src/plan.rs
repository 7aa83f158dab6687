//! What a run against the event log needs to know.

use std::path::PathBuf;

/// When an in-process append counts as done.
pub use group_commit::Durability;

use load_engine::plan::{Route, Timing, check_rate};
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
    /// Records of a topic, received by the members of a group while they are written.
    Consume,
    /// Entries of a partition, received by each of those who follow it while they are appended.
    Follow,
}

impl LogScenario {
    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Tail => "tail",
            Self::Verify => "verify",
            Self::Produce => "produce",
            Self::Consume => "consume",
            Self::Follow => "follow",
        }
    }

    /// Whether what is measured goes from a writer to receivers.
    pub fn delivers(self) -> bool {
        matches!(self, Self::Consume | Self::Follow)
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

/// Of a load that delivers: what is written meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Feed {
    /// Records or entries a second.
    pub rate: f64,
    /// Of the topic.
    pub partitions: u32,
    /// Consume: whether one member is cut off at the middle of the measured window.
    pub kill_member: bool,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            rate: 1000.0,
            partitions: 12,
            kill_member: false,
        }
    }
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
    /// Requests in flight; members of the group, or followers.
    pub concurrency: usize,
    /// How long, on how many threads.
    pub timing: Timing,
    /// Entries that tail and verify read.
    pub entries: u64,
    /// Produce: records in one request, answered one by one over a stream.
    pub batch: u64,
    /// Produce: acks, 0, 1 or -1.
    pub acks: i32,
    /// Consume and follow.
    pub feed: Feed,
}

impl LogPlan {
    /// Checks what the parts alone cannot know.
    ///
    /// # Errors
    /// A sentence that names the option and what it has to be.
    pub fn check(&self) -> Result<(), Usage> {
        let in_flight = match self.scenario {
            LogScenario::Append => "--concurrency",
            LogScenario::Tail
            | LogScenario::Verify
            | LogScenario::Produce
            | LogScenario::Consume
            | LogScenario::Follow => "--clients",
        };
        require(
            self.concurrency > 0,
            format_args!("{in_flight} must be at least 1"),
        )?;
        self.timing.check()?;
        require(self.entries > 0, "--entries must be at least 1")?;
        require([0, 1, -1].contains(&self.acks), "--acks must be 0, 1 or -1")?;
        require(
            !self.feed.kill_member
                || (self.scenario == LogScenario::Consume && self.concurrency > 1),
            "--kill-member goes with scenario consume and at least 2 --clients, one of which takes over",
        )?;
        if self.scenario.delivers() {
            self.check_feed()?;
        }
        if let Via::Grpc(route) = &self.via {
            route.check(in_flight, self.concurrency)?;
        }
        Ok(())
    }

    fn check_feed(&self) -> Result<(), Usage> {
        let partitions = self.feed.partitions;
        require(
            matches!(self.via, Via::Grpc(_)),
            format_args!(
                "scenario {} goes over a server: leave out --protocol direct",
                self.scenario.name()
            ),
        )?;
        check_rate(self.feed.rate)?;
        require(
            self.scenario == LogScenario::Follow || self.concurrency <= partitions as usize,
            format_args!(
                "--clients must be at most --partitions ({partitions}): a member without a partition receives nothing"
            ),
        )
    }

    /// Partitions of the run's topic; none where it has no topic.
    pub(super) fn partitions(&self) -> Option<u32> {
        match self.scenario {
            LogScenario::Produce => Some(1),
            LogScenario::Consume => Some(self.feed.partitions),
            LogScenario::Append | LogScenario::Tail | LogScenario::Verify | LogScenario::Follow => {
                None
            }
        }
    }

    /// How many receivers each record has.
    pub(super) fn receipts_each(&self) -> u32 {
        match self.scenario {
            LogScenario::Follow => u32::try_from(self.concurrency).unwrap_or(u32::MAX),
            _ => 1,
        }
    }

    /// The partition or topic.
    pub fn name(&self) -> String {
        format!("bench-{}", self.run_id)
    }

    /// Entries or records that a request stands for.
    pub fn per_request(&self) -> u64 {
        match self.scenario {
            LogScenario::Append | LogScenario::Consume | LogScenario::Follow => 1,
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
