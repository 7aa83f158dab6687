//! The result: a table with the floor beside each figure, as Markdown and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::machine::Machine;
use super::pairs::{Pair, Ratio, Spread, cpu_bound};
use super::service::WriteMode;
use super::session::Session;
use super::side::{Measurement, Side};
use crate::progress::thousands;
use crate::protocol::Protocol;

/// A median of fewer says too little.
const FEWEST_PAIRS: u32 = 5;

/// Everything that a session gave.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    schema: &'static str,
    command: String,
    interrupted: bool,
    passed: bool,
    faults: Vec<String>,
    machine: Machine,
    settings: Settings,
    ratios: Vec<RatioRow>,
    cpu: Vec<CpuRow>,
    sides: Vec<SideRow>,
    pairs: Vec<Pair>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    pairs: u32,
    seconds: u32,
    warmup: u32,
    keys: u32,
    concurrency: usize,
    grpc_connections: usize,
    pgbench_clients: u32,
    pool_size: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RatioRow {
    ratio: Ratio,
    what: String,
    against: String,
    value: Spread,
    floor: f64,
    met: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CpuRow {
    protocol: Protocol,
    /// Microseconds of service CPU per event.
    value: Spread,
    bound: f64,
    met: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SideRow {
    side: Side,
    rate: Spread,
    latency_p50_ms: Option<f64>,
    latency_p99_ms: Option<f64>,
    latency_mean_ms: Option<f64>,
    service_cpu_us: Option<f64>,
    postgres_cpu_us: f64,
    client_cpu_us: f64,
    acknowledged: u64,
    verified: u64,
    lost: u64,
}

impl Report {
    pub(super) fn new(session: &Session, interrupted: bool) -> Self {
        let args = session.args();
        let pairs = session.pairs().to_vec();
        let measurements: Vec<&Measurement> = pairs
            .iter()
            .flat_map(|pair| [&pair.first, &pair.second])
            .collect();
        let ratios = ratio_rows(&pairs);
        let cpu = cpu_rows(&measurements);
        let mut faults: Vec<String> = measurements
            .iter()
            .filter_map(|measurement| measurement.fault())
            .collect();
        if args.pairs < FEWEST_PAIRS {
            faults.push(format!(
                "fewer than {FEWEST_PAIRS} pairs: a trial, no result"
            ));
        }
        let complete = !interrupted && pairs.len() == args.ratios().len() * args.pairs as usize;
        let met = ratios.iter().all(|row| row.met) && cpu.iter().all(|row| row.met);
        Self {
            schema: "weir.ratios/1",
            command: std::env::args().collect::<Vec<_>>().join(" "),
            interrupted,
            passed: complete && met && faults.is_empty(),
            machine: session.machine().clone(),
            settings: Settings {
                pairs: args.pairs,
                seconds: args.seconds,
                warmup: args.warmup,
                keys: args.keys,
                concurrency: args.concurrency,
                grpc_connections: args.grpc_connections,
                pgbench_clients: args.pgbench_clients,
                pool_size: args.pool_size,
            },
            sides: side_rows(&measurements),
            ratios,
            cpu,
            faults,
            pairs,
        }
    }

    /// Whether every figure reaches its floor, nothing was lost, and nothing is missing.
    pub(super) fn passed(&self) -> bool {
        self.passed
    }

    /// The tables with what they rest on.
    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        self.sections(&mut text).ok();
        text
    }

    fn sections(&self, text: &mut String) -> std::fmt::Result {
        if self.interrupted {
            writeln!(
                text,
                "Interrupted: only what had been measured until then.\n"
            )?;
        }
        if self.machine.build == "debug" {
            writeln!(text, "Debug build: the figures mean nothing.\n")?;
        }
        self.ratio_table(text)?;
        self.cpu_table(text)?;
        self.side_table(text)?;
        for fault in &self.faults {
            writeln!(text, "- Fault: {fault}")?;
        }
        self.footing(text)
    }

    fn ratio_table(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "| what | against | ratio, median | least to greatest | middle half | floor | met |"
        )?;
        writeln!(text, "|---|---|---|---|---|---|---|")?;
        for row in &self.ratios {
            let value = &row.value;
            writeln!(
                text,
                "| {} | {} | {:.2} x | {:.2} to {:.2} | {:.2} to {:.2} | {:.1} x | {} |",
                row.what,
                row.against,
                value.median,
                value.min,
                value.max,
                value.q1,
                value.q3,
                row.floor,
                yes(row.met)
            )?;
        }
        Ok(())
    }

    fn cpu_table(&self, text: &mut String) -> std::fmt::Result {
        if self.cpu.is_empty() {
            return Ok(());
        }
        writeln!(
            text,
            "\n| service CPU per event | median | least to greatest | at most | met |"
        )?;
        writeln!(text, "|---|---|---|---|---|")?;
        for row in &self.cpu {
            let value = &row.value;
            writeln!(
                text,
                "| {}, group commit | {:.1} us | {:.1} to {:.1} | {:.0} us | {} |",
                protocol_name(row.protocol),
                value.median,
                value.min,
                value.max,
                row.bound,
                yes(row.met)
            )?;
        }
        Ok(())
    }

    fn side_table(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\n| medians | events/s | p50 / p99 ms | CPU us per event: service / PostgreSQL / client | \
             acknowledged | found | lost |"
        )?;
        writeln!(text, "|---|---|---|---|---|---|---|")?;
        for row in &self.sides {
            let latency = match (row.latency_p50_ms, row.latency_p99_ms, row.latency_mean_ms) {
                (Some(p50), Some(p99), _) => format!("{p50:.1} / {p99:.1}"),
                (_, _, Some(mean)) => format!("mean {mean:.1}"),
                _ => "-".into(),
            };
            let service = row
                .service_cpu_us
                .map_or("-".into(), |us| format!("{us:.1}"));
            let audited = row.side.service().is_some();
            let count = |count: u64| {
                if audited {
                    thousands(count)
                } else {
                    "-".into()
                }
            };
            writeln!(
                text,
                "| {} | {} | {latency} | {service} / {:.1} / {:.1} | {} | {} | {} |",
                row.side.label(),
                thousands(row.rate.median.round() as u64),
                row.postgres_cpu_us,
                row.client_cpu_us,
                count(row.acknowledged),
                count(row.verified),
                count(row.lost)
            )?;
        }
        Ok(())
    }

    fn footing(&self, text: &mut String) -> std::fmt::Result {
        let (machine, settings) = (&self.machine, &self.settings);
        writeln!(
            text,
            "\nPairs per ratio: {}; sides in alternating order, {} s each after {} s of warm-up; the table emptied and a \
             checkpoint taken before each. Events of 400 bytes of attributes over {} keys. Load: REST {} connections; \
             gRPC {} in flight over {} connections; pgbench {} clients. Services: pool of {}.",
            settings.pairs,
            settings.seconds,
            settings.warmup,
            thousands(settings.keys.into()),
            settings.concurrency,
            settings.concurrency,
            settings.grpc_connections,
            settings.pgbench_clients,
            settings.pool_size
        )?;
        writeln!(
            text,
            "\n{} cores ({}), {} MiB, Linux {}; commit {}.",
            machine.cores,
            machine.cpu,
            thousands(machine.memory_mib),
            machine.kernel,
            machine.commit.as_deref().unwrap_or("unknown")
        )?;
        let postgres: Vec<String> = machine
            .postgres
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        writeln!(text, "PostgreSQL: {}.", postgres.join(", "))
    }
}

fn ratio_rows(pairs: &[Pair]) -> Vec<RatioRow> {
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

fn cpu_rows(measurements: &[&Measurement]) -> Vec<CpuRow> {
    [Protocol::Rest, Protocol::Grpc]
        .into_iter()
        .filter_map(|protocol| {
            let of_group = measurements
                .iter()
                .filter(|measurement| {
                    measurement.side.service() == Some((protocol, WriteMode::Group))
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

fn side_rows(measurements: &[&Measurement]) -> Vec<SideRow> {
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
            let sum = |count: fn(&crate::events::ledger::Findings) -> u64| {
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

fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Rest => "REST",
        Protocol::Grpc => "gRPC",
    }
}

fn yes(met: bool) -> &'static str {
    if met { "yes" } else { "NO" }
}
