//! The result: tables with the bound beside each figure, as Markdown and as JSON.
//!
//! - [`rows`]: what stands in the tables
//! - [`tables`]: how they look

mod rows;
mod tables;

use serde::Serialize;

use crate::logs::{self, LogKind, LogMeasurement};
use crate::machine::Machine;
use crate::pairs::{Pair, Ratio, Spread};
use crate::session::Session;
use crate::side::{Measurement, Side};
use crate::streams::{self, BoundRow, StreamMeasurement};
use load_engine::protocol::Protocol;
use rows::{cpu_rows, ratio_rows, side_rows};

/// A median of fewer says too little.
const FEWEST_PAIRS: u32 = 5;

/// Everything that a session gave.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
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
    bounds: Vec<BoundRow>,
    pairs: Vec<Pair>,
    streams: Vec<StreamMeasurement>,
    logs: Vec<LogMeasurement>,
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
    batch: u32,
    bulk_concurrency: u32,
    multi_row_clients: u32,
    balance_concurrency: u32,
    balance_grpc_connections: u32,
    subscribers: u32,
    feed_rate: u32,
    feed_connections: u32,
    replay_events: u32,
    log_entries: u64,
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
    pub(crate) fn new(session: &Session, interrupted: bool) -> Self {
        let args = session.args();
        let pairs = session.pairs().to_vec();
        let streams = session.streams().to_vec();
        let logs = session.logs().to_vec();
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
        faults.extend(streams.iter().filter_map(|it| it.fault.clone()));
        faults.extend(logs.iter().filter_map(|it| it.fault.clone()));
        if logs
            .iter()
            .any(|it| it.kind == LogKind::AppendDirect && it.ratio().is_none())
        {
            faults.push("python3 could not be measured".into());
        }
        if args.pairs < FEWEST_PAIRS {
            faults.push(format!(
                "fewer than {FEWEST_PAIRS} pairs: a trial, no result"
            ));
        }
        let mut bounds = streams::bounds(&streams);
        bounds.extend(logs::bounds(&logs));
        let complete = !interrupted && session.is_complete();
        let met = ratios.iter().all(|row| row.met)
            && cpu.iter().all(|row| row.met)
            && bounds.iter().all(|row| row.met);
        Self {
            schema: "weir.ratios/1",
            command: std::env::args().collect::<Vec<_>>().join(" "),
            interrupted,
            passed: complete && met && faults.is_empty(),
            machine: session.machine(),
            settings: Settings {
                pairs: args.pairs,
                seconds: args.seconds,
                warmup: args.warmup,
                keys: args.keys,
                concurrency: args.concurrency,
                grpc_connections: args.grpc_connections,
                pgbench_clients: args.pgbench_clients,
                pool_size: args.pool_size,
                batch: args.batch,
                bulk_concurrency: args.bulk_concurrency,
                multi_row_clients: args.multi_row_clients,
                balance_concurrency: args.balance_concurrency,
                balance_grpc_connections: args.balance_grpc_connections,
                subscribers: args.subscribers,
                feed_rate: args.feed_rate,
                feed_connections: args.feed_connections,
                replay_events: args.replay_events,
                log_entries: args.log_entries,
            },
            bounds,
            streams,
            logs,
            sides: side_rows(&measurements),
            ratios,
            cpu,
            faults,
            pairs,
        }
    }

    /// Whether every figure reaches its floor, nothing was lost, and nothing is missing.
    pub(crate) fn passed(&self) -> bool {
        self.passed
    }

    /// The tables with what they rest on.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        tables::write(self, &mut text).ok();
        text
    }
}
