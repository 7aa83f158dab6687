//! What stands in the tables: medians and spreads over the rounds.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::pairs::{Pair, Ratio, Spread, cpu_bound};
use crate::side::{Measurement, Side};
use load_engine::protocol::Protocol;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RatioRow {
    pub(super) ratio: Ratio,
    pub(super) what: String,
    pub(super) against: String,
    pub(super) value: Spread,
    pub(super) floor: f64,
    pub(super) met: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CpuRow {
    pub(super) protocol: Protocol,
    /// Microseconds of service CPU per event.
    pub(super) value: Spread,
    /// The same as a share of what PostgreSQL used for a transaction of pgbench directly before or after.
    pub(super) share: Spread,
    /// The most that the share may be.
    pub(super) bound: f64,
    pub(super) met: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SideRow {
    pub(super) side: Side,
    pub(super) rate: Spread,
    pub(super) latency_p50_ms: Option<f64>,
    pub(super) latency_p99_ms: Option<f64>,
    pub(super) latency_mean_ms: Option<f64>,
    pub(super) service_cpu_us: Option<f64>,
    pub(super) postgres_cpu_us: f64,
    pub(super) client_cpu_us: f64,
    pub(super) acknowledged: u64,
    pub(super) verified: u64,
    pub(super) lost: u64,
}

pub(super) fn ratio_rows(pairs: &[Pair]) -> Vec<RatioRow> {
    Ratio::ALL
        .into_iter()
        .filter_map(|ratio| {
            let values = pairs
                .iter()
                .filter(|pair| pair.ratio == ratio)
                .map(Pair::value);
            let value = Spread::of(values)?;
            let [first, second] = ratio.sides();
            Some(RatioRow {
                ratio,
                what: first.label(),
                against: second.label(),
                met: value.median >= ratio.floor(),
                floor: ratio.floor(),
                value,
            })
        })
        .collect()
}

pub(super) fn cpu_rows(pairs: &[Pair]) -> Vec<CpuRow> {
    let beside_pgbench = [
        (Ratio::RestPgbench, Protocol::Rest),
        (Ratio::GrpcPgbench, Protocol::Grpc),
    ];
    beside_pgbench
        .into_iter()
        .filter_map(|(ratio, protocol)| {
            let its = pairs.iter().filter(|pair| pair.ratio == ratio);
            let costs = its.filter_map(|pair| {
                let service = pair.first.service_cpu_us?;
                Some((service, service / pair.second.postgres_cpu_us))
            });
            let (value, share): (Vec<f64>, Vec<f64>) = costs.unzip();
            let share = Spread::of(share)?;
            let bound = cpu_bound(protocol);
            Some(CpuRow {
                protocol,
                value: Spread::of(value)?,
                met: share.median <= bound,
                share,
                bound,
            })
        })
        .collect()
}

pub(super) fn side_rows(measurements: &[&Measurement]) -> Vec<SideRow> {
    let mut by_side: BTreeMap<Side, Vec<&Measurement>> = BTreeMap::new();
    for measurement in measurements {
        by_side
            .entry(measurement.side)
            .or_default()
            .push(measurement);
    }
    by_side
        .into_iter()
        .filter_map(|(side, all)| {
            let median = |figure: fn(&Measurement) -> Option<f64>| {
                Spread::of(all.iter().filter_map(|one| figure(one))).map(|spread| spread.median)
            };
            let sum = |count: fn(&load_engine::events::ledger::Findings) -> u64| {
                all.iter()
                    .filter_map(|one| one.audit.as_ref())
                    .map(count)
                    .sum()
            };
            Some(SideRow {
                side,
                rate: Spread::of(all.iter().map(|one| one.rate))?,
                latency_p50_ms: median(|one| one.latency_p50_ms),
                latency_p99_ms: median(|one| one.latency_p99_ms),
                latency_mean_ms: median(|one| one.latency_mean_ms),
                service_cpu_us: median(|one| one.service_cpu_us),
                postgres_cpu_us: median(|one| Some(one.postgres_cpu_us))?,
                client_cpu_us: median(|one| Some(one.client_cpu_us))?,
                acknowledged: sum(|audit| audit.acknowledged),
                verified: sum(|audit| audit.verified),
                lost: sum(|audit| audit.lost),
            })
        })
        .collect()
}
