//! What a session gave, and whether it passed.

use serde::Serialize;

use super::figure::rate_figure;
use super::rows::{CpuRow, RatioRow, SideRow, cpu_rows, ratio_rows, side_rows};
use crate::logs::{self, LogKind, LogMeasurement};
use crate::machine::Machine;
use crate::pairs::Pair;
use crate::rates::{self, RateMeasurement};
use crate::session::Session;
use crate::side::Measurement;
use crate::streams::{self, BoundRow, StreamMeasurement};

/// A median of fewer says too little.
const FEWEST_PAIRS: u32 = 5;

/// Everything that a session gave.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(super) schema: &'static str,
    pub(super) command: String,
    pub(super) interrupted: bool,
    pub(super) passed: bool,
    pub(super) faults: Vec<String>,
    pub(super) machine: Machine,
    pub(super) settings: Settings,
    pub(super) ratios: Vec<RatioRow>,
    pub(super) cpu: Vec<CpuRow>,
    pub(super) sides: Vec<SideRow>,
    pub(super) bounds: Vec<BoundRow>,
    pub(super) pairs: Vec<Pair>,
    pub(super) streams: Vec<StreamMeasurement>,
    pub(super) logs: Vec<LogMeasurement>,
    pub(super) rates: Vec<RateMeasurement>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    pub(super) pairs: u32,
    pub(super) seconds: u32,
    pub(super) warmup: u32,
    pub(super) keys: u32,
    pub(super) concurrency: usize,
    pub(super) grpc_connections: usize,
    pub(super) pgbench_clients: u32,
    pub(super) pool_size: u32,
    pub(super) batch: u32,
    pub(super) bulk_concurrency: u32,
    pub(super) multi_row_clients: u32,
    pub(super) balance_concurrency: u32,
    pub(super) balance_grpc_connections: u32,
    pub(super) subscribers: u32,
    pub(super) crowd: u32,
    pub(super) idle_subscribers: u32,
    pub(super) feed_rate: u32,
    pub(super) feed_connections: u32,
    pub(super) replay_events: u32,
    pub(super) log_entries: u64,
}

impl Report {
    pub(crate) fn new(session: &Session, interrupted: bool) -> Self {
        let args = session.args();
        let pairs = session.pairs().to_vec();
        let streams = session.streams().to_vec();
        let logs = session.logs().to_vec();
        let by_rate = session.rates().to_vec();
        let measurements: Vec<&Measurement> = pairs
            .iter()
            .flat_map(|pair| [&pair.first, &pair.second])
            .collect();
        let ratios = ratio_rows(&pairs);
        let cpu = cpu_rows(&pairs);
        let mut faults: Vec<String> = measurements
            .iter()
            .filter_map(|measurement| measurement.fault())
            .collect();
        faults.extend(streams.iter().filter_map(|it| it.fault.clone()));
        faults.extend(logs.iter().filter_map(|it| it.fault.clone()));
        faults.extend(by_rate.iter().filter_map(|it| it.fault.clone()));
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
        bounds.extend(rates::bounds(&by_rate));
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
                crowd: args.crowd,
                idle_subscribers: args.idle_subscribers,
                feed_rate: args.feed_rate,
                feed_connections: args.feed_connections,
                replay_events: args.replay_events,
                log_entries: args.log_entries,
            },
            bounds,
            streams,
            logs,
            rates: by_rate,
            sides: side_rows(&measurements),
            ratios,
            cpu,
            faults,
            pairs,
        }
    }

    /// What a request costs at each rate, as SVG; `None` where no rate was measured.
    pub(crate) fn figure(&self) -> Option<String> {
        rate_figure(&self.rates)
    }

    /// Whether every figure reaches its floor, nothing was lost, and nothing is missing.
    pub(crate) fn passed(&self) -> bool {
        self.passed
    }
}
