//! What is put beside what, and how a ratio comes from several pairs.

use clap::ValueEnum;
use serde::Serialize;

use crate::service::WriteMode;
use crate::side::{Measurement, Side};
use load_engine::protocol::Protocol;

/// What is measured together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Group {
    /// Durable ingestion against pgbench and against other ways of writing
    Ingest,
    /// Bulk and streaming ingestion against pgbench and multi-row upserts
    Bulk,
    /// Balances against pgbench, select by primary key
    Balance,
    /// A producer with TLS, principals and limits on, beside the same with them off; not part of all
    Protection,
    /// Live subscribers and a replay
    Stream,
    /// A thousand live subscribers, and ten thousand idle ones
    Crowd,
    /// Hash-chained partitions and topics, beside a Python program
    Log,
    /// What a request costs at each rate, beside an empty answer
    Rates,
    /// All of these but protection
    #[default]
    All,
}

impl Group {
    /// Whether `other` is part of this.
    pub(crate) fn holds(self, other: Self) -> bool {
        self == other || (self == Self::All && other != Self::Protection)
    }
}

/// A ratio with a floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ratio {
    /// REST with group commit to pgbench
    RestPgbench,
    /// gRPC with group commit to pgbench
    GrpcPgbench,
    /// REST with group commit to one upsert a request
    RestSingle,
    /// gRPC with group commit to one upsert a request
    GrpcSingle,
    /// REST with group commit to the flow that reads before it writes
    RestReadThenWrite,
    /// gRPC with group commit to the flow that reads before it writes
    GrpcReadThenWrite,
    /// REST with TLS, principals and limits to the same without
    RestProtected,
    /// gRPC with TLS, principals and limits to the same without
    GrpcProtected,
    /// Bulk over REST to pgbench
    BulkRestPgbench,
    /// ProcessEvents over gRPC to pgbench
    BulkGrpcPgbench,
    /// Bulk over REST to multi-row upserts
    BulkRestMultiRow,
    /// ProcessEvents over gRPC to multi-row upserts
    BulkGrpcMultiRow,
    /// Balances over REST to pgbench, select by primary key
    BalanceRest,
    /// Balances over gRPC to pgbench, select by primary key
    BalanceGrpc,
}

impl Ratio {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 14] = [
        Self::RestPgbench,
        Self::GrpcPgbench,
        Self::RestSingle,
        Self::GrpcSingle,
        Self::RestReadThenWrite,
        Self::GrpcReadThenWrite,
        Self::RestProtected,
        Self::GrpcProtected,
        Self::BulkRestPgbench,
        Self::BulkGrpcPgbench,
        Self::BulkRestMultiRow,
        Self::BulkGrpcMultiRow,
        Self::BalanceRest,
        Self::BalanceGrpc,
    ];

    /// What it is measured with.
    pub(crate) fn group(self) -> Group {
        match self {
            Self::BulkRestPgbench
            | Self::BulkGrpcPgbench
            | Self::BulkRestMultiRow
            | Self::BulkGrpcMultiRow => Group::Bulk,
            Self::RestProtected | Self::GrpcProtected => Group::Protection,
            Self::BalanceRest | Self::BalanceGrpc => Group::Balance,
            _ => Group::Ingest,
        }
    }

    /// The two sides: the first divided by the second.
    pub(crate) fn sides(self) -> [Side; 2] {
        match self {
            Self::RestPgbench => [Side::Rest(WriteMode::Group), Side::Pgbench],
            Self::GrpcPgbench => [Side::Grpc(WriteMode::Group), Side::Pgbench],
            Self::RestSingle => [Side::Rest(WriteMode::Group), Side::Rest(WriteMode::Single)],
            Self::GrpcSingle => [Side::Grpc(WriteMode::Group), Side::Grpc(WriteMode::Single)],
            Self::RestReadThenWrite => [
                Side::Rest(WriteMode::Group),
                Side::Rest(WriteMode::ReadThenWrite),
            ],
            Self::GrpcReadThenWrite => [
                Side::Grpc(WriteMode::Group),
                Side::Grpc(WriteMode::ReadThenWrite),
            ],
            Self::RestProtected => [
                Side::Protected(Protocol::Rest),
                Side::Rest(WriteMode::Group),
            ],
            Self::GrpcProtected => [
                Side::Protected(Protocol::Grpc),
                Side::Grpc(WriteMode::Group),
            ],
            Self::BulkRestPgbench => [Side::Bulk(Protocol::Rest), Side::Pgbench],
            Self::BulkGrpcPgbench => [Side::Bulk(Protocol::Grpc), Side::Pgbench],
            Self::BulkRestMultiRow => [Side::Bulk(Protocol::Rest), Side::MultiRow],
            Self::BulkGrpcMultiRow => [Side::Bulk(Protocol::Grpc), Side::MultiRow],
            Self::BalanceRest => [Side::Balance(Protocol::Rest), Side::PgbenchSelect],
            Self::BalanceGrpc => [Side::Balance(Protocol::Grpc), Side::PgbenchSelect],
        }
    }

    /// The least that the ratio has to be.
    pub(crate) fn floor(self) -> f64 {
        match self {
            Self::RestPgbench => 2.6,
            Self::GrpcPgbench => 1.8,
            Self::RestSingle => 4.0,
            Self::GrpcSingle => 2.8,
            Self::RestReadThenWrite => 6.0,
            Self::GrpcReadThenWrite => 4.0,
            // Shown, and a bound only against a price that nobody would pay.
            Self::RestProtected | Self::GrpcProtected => 0.5,
            Self::BulkRestPgbench | Self::BulkGrpcPgbench => 4.5,
            Self::BulkRestMultiRow | Self::BulkGrpcMultiRow => 0.8,
            Self::BalanceRest => 1.05,
            Self::BalanceGrpc => 0.65,
        }
    }
}

/// The most service CPU that an event may cost with group commit, as a share of what PostgreSQL uses for one transaction of
/// pgbench in the same run. Microseconds would be no bound: they move with the machine and the hour.
pub(crate) fn cpu_bound(protocol: Protocol) -> f64 {
    match protocol {
        Protocol::Rest => 0.17,
        Protocol::Grpc => 0.21,
    }
}

/// Both sides of a ratio, measured directly after each other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pair {
    pub(crate) ratio: Ratio,
    /// From 1.
    pub(crate) round: u32,
    pub(crate) first: Measurement,
    pub(crate) second: Measurement,
}

impl Pair {
    /// How many times faster the first side is.
    pub(crate) fn value(&self) -> f64 {
        self.first.rate / self.second.rate
    }
}

/// Whether the first side of a ratio goes first in this round: turns are taken, so that neither has the
/// warmer machine.
pub(crate) fn first_goes_first(round: u32) -> bool {
    round % 2 == 1
}

/// Median and spread of some figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// First and third quartile.
    pub(crate) q1: f64,
    pub(crate) q3: f64,
    pub(crate) count: usize,
}

impl Spread {
    /// None without any figure.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (&min, &max) = (figures.first()?, figures.last()?);
        Some(Self {
            median: quantile(&figures, 0.5),
            min,
            max,
            q1: quantile(&figures, 0.25),
            q3: quantile(&figures, 0.75),
            count: figures.len(),
        })
    }
}

/// By linear interpolation between the neighbours (the rule of most statistics packages); `sorted` is not empty.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (low, high) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_of_a_few() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0, 5.0]).unwrap();
        assert_eq!(
            (spread.min, spread.q1, spread.median, spread.q3, spread.max),
            (1.0, 2.0, 3.0, 4.0, 5.0)
        );
        assert_eq!(Spread::of([1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(Spread::of([7.0]).unwrap().q3, 7.0);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn sides_take_turns() {
        assert!(first_goes_first(1));
        assert!(!first_goes_first(2));
    }
}
