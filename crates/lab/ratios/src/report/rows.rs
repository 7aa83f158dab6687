//! What stands in the tables: medians and spreads over the rounds.

use std::collections::BTreeMap;

use super::{CpuRow, RatioRow, SideRow};
use crate::pairs::{Pair, Ratio, Spread, cpu_bound};
use crate::service::WriteMode;
use crate::side::{Measurement, Side};
use load_engine::protocol::Protocol;

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

pub(super) fn cpu_rows(measurements: &[&Measurement]) -> Vec<CpuRow> {
    [Protocol::Rest, Protocol::Grpc]
        .into_iter()
        .filter_map(|protocol| {
            let of_group = measurements
                .iter()
                .filter(|measurement| {
                    measurement.side.producer() == Some((protocol, WriteMode::Group))
                })
                .filter_map(|measurement| measurement.service_cpu_us);
            let value = Spread::of(of_group)?;
            let bound = cpu_bound(protocol);
            Some(CpuRow {
                protocol,
                met: value.median <= bound,
                bound,
                value,
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
