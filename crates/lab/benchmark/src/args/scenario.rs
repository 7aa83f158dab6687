//! What is asked of a target, and over what.

use clap::ValueEnum;

use load_engine::protocol::Protocol;
use load_log::plan::LogScenario;

/// What is asked of the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Events for producer-rest and producer-grpc
    #[default]
    Ingest,
    /// Balances of the accounts that `weir seed` makes
    Balance,
    /// Subscriptions to the stream of transactions
    Stream,
    /// Entries at the end of a hash-chained partition
    Append,
    /// A hash-chained partition read from its first entry to its last
    Tail,
    /// A hash-chained partition checked
    Verify,
    /// Records at the end of a topic
    Produce,
    /// Records of a topic from their writing at --rate to their receipt by a group of --clients members
    Consume,
    /// Entries of a hash-chained partition from their appending at --rate to their receipt by --clients followers
    Follow,
    /// Records one by one, each on the disk before it is answered, as sessions of `weir` measure a topic or a chain
    Log,
    /// Requests of a weir.toml, from a file that `weir` has prepared (--requests-file)
    Own,
}

impl Scenario {
    /// The scenario of this name.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Ingest, Self::Balance, Self::Stream];
        all.into_iter().find(|scenario| scenario.name() == name)
    }

    /// What is asked of the event log; none for the other scenarios.
    pub fn log(self) -> Option<LogScenario> {
        match self {
            Self::Append => Some(LogScenario::Append),
            Self::Tail => Some(LogScenario::Tail),
            Self::Verify => Some(LogScenario::Verify),
            Self::Produce => Some(LogScenario::Produce),
            Self::Consume => Some(LogScenario::Consume),
            Self::Follow => Some(LogScenario::Follow),
            Self::Ingest | Self::Balance | Self::Stream | Self::Log | Self::Own => None,
        }
    }

    /// Whether an event log answers it.
    pub fn is_of_log(self) -> bool {
        self == Self::Log || self.log().is_some()
    }

    /// The name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Balance => "balance",
            Self::Stream => "stream",
            Self::Append => "append",
            Self::Tail => "tail",
            Self::Verify => "verify",
            Self::Produce => "produce",
            Self::Consume => "consume",
            Self::Follow => "follow",
            Self::Log => "log",
            Self::Own => "own",
        }
    }
}

/// How a target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Interface {
    /// JSON over HTTP/1.1, server-sent events
    Rest,
    /// gRPC over HTTP/2
    Grpc,
    /// The event log in this process, on a folder of its own
    Direct,
}

impl Interface {
    /// The protocol that goes over the network; none in-process.
    pub fn protocol(self) -> Option<Protocol> {
        match self {
            Self::Rest => Some(Protocol::Rest),
            Self::Grpc => Some(Protocol::Grpc),
            Self::Direct => None,
        }
    }
}
