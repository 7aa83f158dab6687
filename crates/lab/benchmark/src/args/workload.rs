//! Loads by name, with the criteria that they have to meet.

use std::time::Duration;

use clap::ValueEnum;

use super::scenario::Scenario;

/// A load with criteria.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Stream: 10 events a second for 60 s to 1 client
    Low,
    /// Stream: 100 a second for 60 s to 5 clients
    Medium,
    /// Stream: 500 a second for 60 s to 10 clients
    High,
    /// Stream: 1,000 a second for 10 s to 1 client
    Burst,
    /// Balance: 1, 10, 50, 100, 200 in flight; p99 under 100 ms at 50, no error at 100
    BalanceLevels,
}

/// What a stream workload asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLoad {
    /// Events a second to each client.
    pub rate: u32,
    /// For so long.
    pub duration: Duration,
    /// Subscribers.
    pub clients: usize,
}

impl Workload {
    /// The scenario that it belongs to.
    pub fn scenario(self) -> Scenario {
        match self {
            Self::BalanceLevels => Scenario::Balance,
            Self::Low | Self::Medium | Self::High | Self::Burst => Scenario::Stream,
        }
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Burst => "burst",
            Self::BalanceLevels => "balance-levels",
        }
    }

    /// What it asks of a stream; none for that of balances.
    pub fn stream(self) -> Option<StreamLoad> {
        let load = |rate, seconds, clients| {
            Some(StreamLoad {
                rate,
                duration: Duration::from_secs(seconds),
                clients,
            })
        };
        match self {
            Self::Low => load(10, 60, 1),
            Self::Medium => load(100, 60, 5),
            Self::High => load(500, 60, 10),
            Self::Burst => load(1000, 10, 1),
            Self::BalanceLevels => None,
        }
    }
}
