//! The event log: in-process and over gRPC, beside a plain Python program that does the same.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::pairs::Spread;
use crate::streams::BoundRow;
use load_engine::outcome::LoadOutcome;
use load_log::outcome::LogOutcome;
use load_log::plan::LogScenario;

/// Appends in flight.
pub(crate) const CONCURRENCY: usize = 100;
/// Appends in flight on one connection: as many as there are in ingestion.
const STREAMS_PER_CONNECTION: usize = 20;
/// Records that are sent together.
pub(crate) const BATCH: u64 = 100;
/// Syncs that say what one costs, and the bytes written before each: as much as 50 appends.
const SYNCS: usize = 500;
const SYNC_BYTES: usize = 12_500;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogKind {
    AppendDirect,
    AppendGrpc,
    VerifyDirect,
    VerifyGrpc,
    TailDirect,
    TailGrpc,
    ProduceDirect,
    ProduceGrpc,
}

impl LogKind {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 8] = [
        Self::AppendDirect,
        Self::AppendGrpc,
        Self::VerifyDirect,
        Self::VerifyGrpc,
        Self::TailDirect,
        Self::TailGrpc,
        Self::ProduceDirect,
        Self::ProduceGrpc,
    ];

    /// For people.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::AppendDirect => "append in-process, synced, 100 concurrent",
            Self::AppendGrpc => "append over gRPC, synced, 100 concurrent",
            Self::VerifyDirect => "verify in-process",
            Self::VerifyGrpc => "verify over gRPC",
            Self::TailDirect => "sequential read in-process",
            Self::TailGrpc => "sequential read over gRPC",
            Self::ProduceDirect => "produce in-process, buffered, one thread",
            Self::ProduceGrpc => "produce over a gRPC stream",
        }
    }

    pub(crate) fn over_grpc(self) -> bool {
        matches!(
            self,
            Self::AppendGrpc | Self::VerifyGrpc | Self::TailGrpc | Self::ProduceGrpc
        )
    }

    pub(crate) fn scenario(self) -> LogScenario {
        match self {
            Self::AppendDirect | Self::AppendGrpc => LogScenario::Append,
            Self::VerifyDirect | Self::VerifyGrpc => LogScenario::Verify,
            Self::TailDirect | Self::TailGrpc => LogScenario::Tail,
            Self::ProduceDirect | Self::ProduceGrpc => LogScenario::Produce,
        }
    }

    /// The least entries a second.
    fn least_rate(self) -> Option<f64> {
        match self {
            Self::AppendDirect | Self::ProduceGrpc => Some(100_000.0),
            Self::AppendGrpc => Some(20_000.0),
            // 5 us each.
            Self::ProduceDirect => Some(200_000.0),
            _ => None,
        }
    }

    /// The least ratio to the same in Python. Append has none: the one is synced, the other not.
    fn least_ratio(self) -> Option<f64> {
        match self {
            Self::VerifyDirect => Some(10.0),
            Self::TailDirect => Some(3.0),
            _ => None,
        }
    }
}

/// gRPC connections that the appends in flight share.
pub(crate) fn append_connections() -> usize {
    CONCURRENCY.div_ceil(STREAMS_PER_CONNECTION)
}

/// What stands beside the figures of a round, measured directly before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beside {
    /// None where it cannot be run.
    pub(crate) python: Option<Python>,
    /// What this disk takes for an `fdatasync` of a file that grows, the median in microseconds: no group commit is done
    /// in less.
    pub(crate) sync_us: f64,
}

/// The median time that an `fdatasync` takes after each growth of a file in `folder`, in microseconds.
pub(crate) fn sync_us(folder: &Path) -> std::io::Result<f64> {
    let path = folder.join("sync-probe");
    let mut file = File::create(&path)?;
    let batch = vec![b'.'; SYNC_BYTES];
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&batch)?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    std::fs::remove_file(&path)?;
    times.sort_unstable();
    Ok(times[SYNCS / 2].as_secs_f64() * 1e6)
}

/// What a plain Python program reaches, entries a second.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Python {
    append: f64,
    verify: f64,
    read: f64,
}

impl Python {
    /// Runs it in `folder`.
    pub(crate) async fn measure(folder: &Path, entries: u64) -> anyhow::Result<Self> {
        let (script, file) = (folder.join("chain.py"), folder.join("chain.jsonl"));
        std::fs::write(&script, include_str!("chain.py"))?;
        let output = tokio::process::Command::new("python3")
            .arg(&script)
            .arg(&file)
            .arg(entries.to_string())
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot start python3")?;
        std::fs::remove_file(&file).ok();
        let errors = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "chain.py failed: {errors}");
        serde_json::from_slice(&output.stdout).context("chain.py said something unexpected")
    }

    fn beside(self, kind: LogKind) -> Option<f64> {
        match kind {
            LogKind::AppendDirect | LogKind::AppendGrpc => Some(self.append),
            LogKind::VerifyDirect | LogKind::VerifyGrpc => Some(self.verify),
            LogKind::TailDirect | LogKind::TailGrpc => Some(self.read),
            LogKind::ProduceDirect | LogKind::ProduceGrpc => None,
        }
    }
}

/// What one measurement gave.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogMeasurement {
    pub(crate) kind: LogKind,
    /// From 1.
    pub(crate) round: u32,
    pub(crate) entries_per_second: f64,
    /// The same in Python, measured directly before; none where there is none.
    pub(crate) python_per_second: Option<f64>,
    /// Of appends: what an `fdatasync` took beside it, in microseconds.
    pub(crate) sync_us: Option<f64>,
    /// Of a request.
    pub(crate) latency_p50_ms: Option<f64>,
    pub(crate) latency_p99_ms: Option<f64>,
    pub(crate) errors: u64,
    /// Why it proves nothing, if so.
    pub(crate) fault: Option<String>,
}

impl LogMeasurement {
    pub(crate) fn new(kind: LogKind, round: u32, outcome: &LogOutcome, beside: Beside) -> Self {
        let errors = outcome.tally.whole.errors();
        let lost = outcome.audit.is_some_and(|audit| !audit.passed);
        let fault = match (lost, errors) {
            (true, _) => Some("what was acknowledged is not in the chain"),
            (false, 0) if outcome.generator_limited() => Some("the generator was the limit"),
            (false, 0) => None,
            (false, _) => Some("requests did not succeed"),
        };
        Self {
            kind,
            round,
            entries_per_second: outcome.rate(),
            python_per_second: beside.python.and_then(|python| python.beside(kind)),
            sync_us: (kind.scenario() == LogScenario::Append).then_some(beside.sync_us),
            latency_p50_ms: outcome.latency_ms(0.5),
            latency_p99_ms: outcome.latency_ms(0.99),
            errors,
            fault: fault.map(|fault| format!("{}: {fault}", kind.label())),
        }
    }

    /// How many times faster than Python.
    pub(crate) fn ratio(&self) -> Option<f64> {
        Some(self.entries_per_second / self.python_per_second?)
    }
}

/// The bounds of what was measured.
pub(crate) fn bounds(measurements: &[LogMeasurement]) -> Vec<BoundRow> {
    let mut rows = Vec::new();
    for kind in LogKind::ALL {
        let its = || measurements.iter().filter(move |it| it.kind == kind);
        let rates = Spread::of(its().map(|it| it.entries_per_second));
        if let (Some(value), Some(least)) = (rates, kind.least_rate()) {
            rows.push(BoundRow {
                what: format!("{}, entries a second", kind.label()),
                met: value.median >= least,
                value,
                unit: "/s",
                bound: format!(
                    "at least {}/s",
                    load_engine::progress::thousands(least as u64)
                ),
            });
        }
        // Over gRPC the ratio would compare a network with none.
        let ratios = its().filter(|it| !it.kind.over_grpc());
        if let Some(value) = Spread::of(ratios.filter_map(LogMeasurement::ratio)) {
            let least = kind.least_ratio();
            rows.push(BoundRow {
                what: format!("{}, to the same in Python, not synced", kind.label()),
                met: least.is_none_or(|least| value.median >= least),
                value,
                unit: "x",
                bound: least.map_or("-".into(), |least| format!("at least {least:.0} x")),
            });
        }
    }
    rows
}
