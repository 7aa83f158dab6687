//! The trials of one target under one payload, and the medians over them.

use super::model::{
    CostRow, CpuPerRequest, Latency, Metric, PhaseRow, RunInfo, Standing, Target, ThroughputRow,
    TrialRate, WireRow,
};
use lab_verdict::quantile::{median, median_interval};

/// The trials that a figure is made of: those that count, or else all that were finished, which are shown and never
/// ranked. Where fewer than two targets have trials that count under a payload, all of them show all that were finished:
/// the undisturbed trials of one are not to be set against the disturbed ones of another.
pub struct Cell<'a> {
    /// Payload.
    pub payload: &'a str,
    /// Index into the report's targets.
    pub target: usize,
    /// In the order run.
    pub runs: Vec<&'a RunInfo>,
    /// Whether only trials that count are among them.
    pub counts: bool,
    /// Why the cell takes part in no ranking; none where it does.
    pub reason: Option<String>,
}

/// The cells that have a trial to show, by payload, then target.
pub fn cells<'a>(
    runs: &'a [RunInfo],
    payloads: &'a [String],
    targets: usize,
    by_peak: bool,
) -> Vec<Cell<'a>> {
    let mut cells = Vec::new();
    let counted = |run: &&RunInfo| run.standing == Standing::Counted;
    for payload in payloads {
        let of = |target: usize| -> Vec<&RunInfo> {
            let finished = runs.iter().filter(|run| {
                let standing = run.standing != Standing::LeftOut;
                run.target == target && run.payload == *payload && standing && run.rate.is_some()
            });
            finished.collect()
        };
        let finished = (0..targets).map(|target| (target, of(target)));
        let finished: Vec<_> = finished.filter(|(_, runs)| !runs.is_empty()).collect();
        let reliable = finished.iter().filter(|(_, runs)| runs.iter().any(counted));
        let reliable = reliable.count();
        let is_fair = reliable == finished.len() || reliable > 1;
        for (target, mut runs) in finished {
            let counts = is_fair && runs.iter().any(counted);
            let reason = (!counts).then(|| not_counted(&runs));
            if counts {
                runs.retain(counted);
            }
            cells.push(Cell {
                payload,
                target,
                counts,
                reason: limited(&runs, by_peak).or(reason),
                runs,
            });
        }
    }
    cells
}

/// How many of these trials do not count, and why the first of them does not.
fn not_counted(finished: &[&RunInfo]) -> String {
    let mut invalid = finished
        .iter()
        .filter(|run| run.standing == Standing::Invalid);
    let number = invalid.clone().count();
    let Some(first) = invalid.next() else {
        return "no trial of another target counts".to_owned();
    };
    let reason = first.reasons.first().map_or("", String::as_str);
    match finished.len() {
        1 => reason.to_owned(),
        all => format!("{number} of {all} trials do not count, the first because {reason}"),
    }
}

/// Says in how many phases that make up the rate the generator was the limit.
fn limited(runs: &[&RunInfo], by_peak: bool) -> Option<String> {
    let hit = runs.iter().any(|run| match (by_peak, peak(run)) {
        (true, Some(peak)) => run.generator_limited.contains(&peak),
        _ => !run.generator_limited.is_empty(),
    });
    hit.then(|| "the generator was the limit".to_owned())
}

/// The number of the phase with the highest rate.
fn peak(run: &RunInfo) -> Option<i32> {
    run.phases
        .iter()
        .max_by(|a, b| a.rate.total_cmp(&b.rate))
        .map(|phase| phase.phase.number)
}

impl Cell<'_> {
    /// Rates of the trials.
    pub fn rates(&self) -> Vec<f64> {
        self.values(Metric::Rate)
    }

    /// A figure of each trial.
    pub fn values(&self, metric: Metric) -> Vec<f64> {
        self.runs.iter().filter_map(|run| metric.of(run)).collect()
    }

    /// Bytes of what comes back: none where the scenario's payload is chosen by whoever measures.
    pub fn wire(&self, target: &Target) -> Option<WireRow> {
        let (unit, expected_bytes) = expected_bytes(target)?;
        let cost = self.cost();
        Some(WireRow {
            scenario: target.scenario.clone(),
            target: self.target,
            unit,
            payload_bytes: middle(&self.runs, |run| run.payload_bytes),
            expected_bytes,
            received_bytes: cost.bytes_received,
            sent_bytes: cost.bytes_sent,
        })
    }

    /// Their median.
    pub fn rate(&self) -> f64 {
        median(&self.rates()).unwrap_or(0.0)
    }

    /// The row of the throughput figure; `best` is the highest median under the payload.
    pub fn throughput(&self, best: f64) -> ThroughputRow {
        let rate = self.rate();
        ThroughputRow {
            payload: self.payload.to_owned(),
            target: self.target,
            median: rate,
            interval: median_interval(&self.rates()),
            relative: if best > 0.0 { rate / best } else { 0.0 },
            rank: None,
            trials: self
                .runs
                .iter()
                .filter_map(|run| {
                    Some(TrialRate {
                        run: run.id,
                        trial: run.trial,
                        rate: run.rate?,
                    })
                })
                .collect(),
            ranked: self.reason.is_none(),
            reason: self.reason.clone(),
        }
    }

    /// One row a phase.
    pub fn phase_rows(&self) -> Vec<PhaseRow> {
        let mut numbers: Vec<i32> = self
            .runs
            .iter()
            .flat_map(|run| run.phases.iter().map(|row| row.phase.number))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
            .into_iter()
            .filter_map(|number| self.phase_row(number))
            .collect()
    }

    fn phase_row(&self, number: i32) -> Option<PhaseRow> {
        let rows: Vec<&PhaseRow> = self
            .runs
            .iter()
            .flat_map(|run| run.phases.iter().filter(|row| row.phase.number == number))
            .collect();
        let first = rows.first()?;
        let mid = |of: fn(&PhaseRow) -> Option<f64>| middle(&rows, of);
        Some(PhaseRow {
            payload: self.payload.to_owned(),
            target: self.target,
            phase: first.phase.clone(),
            trials: rows.len(),
            requests: mid(|row| Some(row.requests))?,
            rate: mid(|row| Some(row.rate))?,
            // Failures of all trials together: a median would hide those of one.
            error_rate: share(
                rows.iter().map(|row| row.error_rate * row.requests).sum(),
                rows.iter().map(|row| row.requests).sum(),
            ),
            latency: Latency {
                avg: mid(|row| row.latency.avg),
                min: mid(|row| row.latency.min),
                max: mid(|row| row.latency.max),
                p50: mid(|row| row.latency.p50),
                p90: mid(|row| row.latency.p90),
                p95: mid(|row| row.latency.p95),
                p99: mid(|row| row.latency.p99),
                p999: mid(|row| row.latency.p999),
            },
            cpu_avg_percent: mid(|row| row.cpu_avg_percent),
            cpu_peak_percent: mid(|row| row.cpu_peak_percent),
            memory_avg_mb: mid(|row| row.memory_avg_mb),
            memory_peak_mb: mid(|row| row.memory_peak_mb),
            generator_share: mid(|row| row.generator_share),
            generator_limited: rows.iter().any(|row| row.generator_limited),
            cpu_us: CpuPerRequest {
                target: mid(|row| row.cpu_us.target),
                database: mid(|row| row.cpu_us.database),
                generator: mid(|row| row.cpu_us.generator),
            },
            cpu_percent_per_request: mid(|row| row.cpu_percent_per_request),
            ram_mb_per_request: mid(|row| row.ram_mb_per_request),
        })
    }

    /// What a request costs, all phases together.
    pub fn cost(&self) -> CostRow {
        let mid = |of: fn(&RunInfo) -> Option<f64>| middle(&self.runs, of);
        CostRow {
            payload: self.payload.to_owned(),
            target: self.target,
            cpu_us: CpuPerRequest {
                target: mid(|run| run.cpu_us.target),
                database: mid(|run| run.cpu_us.database),
                generator: mid(|run| run.cpu_us.generator),
            },
            bytes_sent: mid(|run| per_request(run.bytes_sent.map(|bytes| bytes as f64), run)),
            bytes_received: mid(|run| {
                per_request(run.bytes_received.map(|bytes| bytes as f64), run)
            }),
            cpu_avg_percent: mid(|run| weighted(run, |row| row.cpu_avg_percent)),
            cpu_peak_percent: mid(|run| {
                let peaks = run.phases.iter().filter_map(|row| row.cpu_peak_percent);
                peaks.reduce(f64::max)
            }),
            memory_avg_mb: mid(|run| weighted(run, |row| row.memory_avg_mb)),
            memory_peak_mb: mid(|run| run.memory_peak_mb),
            wal_bytes: mid(|run| {
                Some(run.wal_bytes? / run.audit_stored.filter(|n| *n > 0)? as f64)
            }),
            cpu_percent_per_request: mid(|run| {
                per_request(area(run, |row| row.cpu_avg_percent), run)
            }),
            ram_mb_per_request: mid(|run| per_request(area(run, |row| row.memory_avg_mb), run)),
        }
    }
}

fn share(part: f64, all: f64) -> f64 {
    if all > 0.0 { part / all } else { 0.0 }
}

/// What an answer or an event was expected to take before anything was measured: half as much over gRPC.
fn expected_bytes(target: &Target) -> Option<(&'static str, f64)> {
    let rest = target.protocol == "rest";
    match target.scenario.as_str() {
        "balance" => Some(("balance", if rest { 100.0 } else { 50.0 })),
        "stream" => Some(("event", if rest { 200.0 } else { 100.0 })),
        _ => None,
    }
}

fn per_request(total: Option<f64>, run: &RunInfo) -> Option<f64> {
    let requests = run.requests.filter(|requests| *requests > 0)? as f64;
    Some(total? / (requests * run.events_per_request))
}

/// Value times duration, summed over the phases; none where a phase has no value.
fn area(run: &RunInfo, of: fn(&PhaseRow) -> Option<f64>) -> Option<f64> {
    run.phases
        .iter()
        .map(|row| Some(of(row)? * row.phase.duration_seconds))
        .sum::<Option<f64>>()
        .filter(|_| !run.phases.is_empty())
}

/// Mean over the phases, weighted by their duration.
fn weighted(run: &RunInfo, of: fn(&PhaseRow) -> Option<f64>) -> Option<f64> {
    let seconds: f64 = run
        .phases
        .iter()
        .map(|row| row.phase.duration_seconds)
        .sum();
    Some(area(run, of)? / Some(seconds).filter(|seconds| *seconds > 0.0)?)
}

/// The median of what the items have to say.
fn middle<T>(items: &[&T], of: fn(&T) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = items.iter().filter_map(|item| of(item)).collect();
    median(&values)
}
