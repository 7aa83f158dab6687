//! `weir runs show ID`.

use anyhow::Result;
use clap::Args;
use lab_words::checks::{self, Described};
use metrics_db::{
    CheckStatus, MetricsDbConfig, Performance, Phase, ResourceSample, Role, Run, Store,
};
use serde_json::{Value, json};

use super::words::{audit, count, figure, percent, standing, time};
use lab_output::{self as output, Table};

/// Which run.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Number of the run, as `weir runs list` shows it
    #[arg(value_name = "ID")]
    id: i64,
    #[command(flatten)]
    pub(super) metrics: MetricsDbConfig,
}

pub(super) async fn run(args: &ShowArgs, store: &Store, json: bool) -> Result<()> {
    let run = store.run(args.id).await?;
    let performance = store.performance(args.id).await?;
    let phases = store.phases(args.id).await?;
    let samples = store.samples(args.id).await?;
    if json {
        return output::json(&json!({
            "run": described(&run)?,
            "performance": performance,
            "phases": phases,
            "resources": resources(&samples).into_iter().map(Used::json).collect::<Vec<_>>(),
        }));
    }
    output::line(&about(&run));
    if let Some(figures) = &performance {
        output::line(&overall(figures));
    }
    if !phases.is_empty() {
        output::line(&format!("\n{}", phase_table(&phases)));
    }
    if !samples.is_empty() {
        output::line(&format!("\n{}", resource_table(&samples)));
    }
    if !run.checks.is_empty() {
        output::line(&format!("\n{}", check_table(&run)));
    }
    Ok(())
}

/// The run as JSON, its checks and the reasons with their words.
fn described(run: &Run) -> Result<Value> {
    let mut document = serde_json::to_value(run)?;
    let described: Vec<Described> = run.checks.iter().map(Described::of).collect();
    document["checks"] = serde_json::to_value(described)?;
    document["invalid_reasons"] = checks::reasons(&run.checks, &run.invalid_reasons).into();
    Ok(document)
}

/// What it is, a line a fact.
fn about(run: &Run) -> String {
    let mut facts = vec![
        ("run", format!("{} ({})", run.id, run.run_label)),
        (
            "session",
            run.session_id.clone().unwrap_or_else(|| "-".to_owned()),
        ),
        ("target", format!("{}, {}", run.api_name, run.protocol)),
        (
            "mode",
            format!(
                "{}, scale {}, by {}",
                run.test_mode, run.phase_scale, run.driver
            ),
        ),
        ("payload", run.payload_size.clone()),
        (
            "trial",
            format!("{} (order {}, seed {})", run.trial, run.run_order, run.seed),
        ),
        ("started", format!("{} UTC", time(run.started_at))),
        ("measured", format!("{} s", figure(run.duration_seconds))),
        ("status", standing(run)),
        ("audit", audit(run)),
    ];
    facts.extend(
        run.error_message
            .iter()
            .map(|message| ("error", message.clone())),
    );
    facts.extend(
        checks::reasons(&run.checks, &run.invalid_reasons)
            .into_iter()
            .map(|reason| ("not valid", reason)),
    );
    let lines: Vec<String> = facts
        .iter()
        .map(|(name, value)| format!("{name:<10} {value}"))
        .collect();
    lines.join("\n")
}

fn overall(figures: &Performance) -> String {
    let latency = &figures.latency;
    format!(
        "{:<10} {} requests, {} failed ({}), {}/s\n{:<10} p50 {}, p90 {}, p95 {}, p99 {}, p99.9 {}, max {} ms",
        "figures",
        count(Some(figures.total_requests)),
        count(Some(figures.failed_requests)),
        percent(Some(figures.error_rate)),
        figure(Some(figures.throughput_per_sec)),
        "latency",
        figure(latency.p50),
        figure(latency.p90),
        figure(latency.p95),
        figure(latency.p99),
        figure(latency.p999),
        figure(latency.max),
    )
}

fn phase_table(phases: &[Phase]) -> Table {
    let mut table = Table::new(&[
        "Phase", "VUs", "Seconds", "Requests", "1/s", "Errors", "p50 ms", "p95 ms", "p99 ms",
        "CPU %", "Peak", "MiB", "Peak",
    ])
    .numbers(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    for phase in phases {
        table.row([
            format!("{} {}", phase.phase_number, phase.phase_name),
            phase.target_vus.to_string(),
            figure(Some(phase.duration_seconds)),
            count(Some(phase.total_requests)),
            figure(Some(phase.throughput_per_sec)),
            percent(Some(phase.error_rate)),
            figure(phase.latency.p50),
            figure(phase.latency.p95),
            figure(phase.latency.p99),
            figure(phase.target_cpu_avg_percent),
            figure(phase.target_cpu_peak_percent),
            figure(phase.target_memory_avg_mb),
            figure(phase.target_memory_peak_mb),
        ]);
    }
    table
}

/// What one role used from the first sample of the measurement to the last.
struct Used {
    role: Role,
    samples: usize,
    cpu_seconds: f64,
    cpu_peak_percent: Option<f64>,
    memory_peak_mb: Option<f64>,
}

impl Used {
    fn json(self) -> serde_json::Value {
        json!({
            "role": self.role,
            "samples": self.samples,
            "cpu_seconds": self.cpu_seconds,
            "cpu_peak_percent": self.cpu_peak_percent,
            "memory_peak_mb": self.memory_peak_mb,
        })
    }
}

fn resources(samples: &[ResourceSample]) -> Vec<Used> {
    let of = |role: Role| {
        let mine: Vec<&ResourceSample> = samples
            .iter()
            .filter(|s| s.role == role && s.elapsed_seconds >= 0.0)
            .collect();
        let (first, last) = (mine.first()?, mine.last()?);
        Some(Used {
            role,
            samples: mine.len(),
            cpu_seconds: last.cpu_seconds - first.cpu_seconds,
            cpu_peak_percent: mine.iter().filter_map(|s| s.cpu_percent).reduce(f64::max),
            memory_peak_mb: mine
                .iter()
                .filter_map(|s| s.memory_used_mb)
                .reduce(f64::max),
        })
    };
    Role::ALL.into_iter().filter_map(of).collect()
}

fn resource_table(samples: &[ResourceSample]) -> Table {
    let mut table = Table::new(&["Role", "Samples", "CPU seconds", "CPU % peak", "MiB peak"])
        .numbers(&[1, 2, 3, 4]);
    for used in resources(samples) {
        table.row([
            used.role.to_string(),
            used.samples.to_string(),
            figure(Some(used.cpu_seconds)),
            figure(used.cpu_peak_percent),
            figure(used.memory_peak_mb),
        ]);
    }
    table
}

fn check_table(run: &Run) -> Table {
    let mut table = Table::new(&["Check", "", "Figure", "Detail"]);
    for check in &run.checks {
        let mark = match check.status {
            CheckStatus::Ok => "ok",
            CheckStatus::Warn => "note",
            CheckStatus::Bad => "BAD",
        };
        let words = checks::words(check);
        table.row([&words.label, mark, &words.figure, &words.detail]);
    }
    table
}
