//! `weir runs summary`.

use anyhow::Result;
use clap::Args;
use metrics_db::{MetricsDbConfig, RunFilter, RunWithPerformance, Store, Summary};
use serde_json::json;

use super::words::{count, figure, percent, standing, time};
use lab_output::{self as output, Table};
use lab_words::words;

/// How much to say.
#[derive(Args, Debug)]
pub struct SummaryArgs {
    /// The newest completed run of each target, mode and payload beside each other
    #[arg(long)]
    comparison: bool,
    #[command(flatten)]
    pub(super) metrics: MetricsDbConfig,
}

pub(super) async fn run(args: &SummaryArgs, store: &Store, json: bool) -> Result<()> {
    let summary = store.summary().await?;
    let latest = if args.comparison {
        store.latest_runs(&RunFilter::default()).await?
    } else {
        Vec::new()
    };
    if json {
        let mut answer = json!({"summary": summary});
        if args.comparison {
            answer["latest"] = serde_json::to_value(&latest)?;
        }
        return output::json(&answer);
    }
    output::line(&totals(&summary));
    if !summary.apis.is_empty() {
        output::line(&format!("\n{}", target_table(&summary)));
    }
    if args.comparison && !latest.is_empty() {
        output::line(
            "\nNewest completed run of each target. Runs of different sessions are no fair comparison.\n",
        );
        output::line(&comparison(&latest).to_string());
    }
    Ok(())
}

fn totals(summary: &Summary) -> String {
    let many = |number: i64, one: &str| words::plural(usize::try_from(number).unwrap_or(0), one);
    format!(
        "{}, {}, {}, {}, {} MB",
        many(summary.sessions, "session"),
        many(summary.runs, "run"),
        many(summary.phases, "phase"),
        many(summary.samples, "sample"),
        figure(Some(summary.database_bytes as f64 / 1e6)),
    )
}

fn target_table(summary: &Summary) -> Table {
    let mut table = Table::new(&[
        "Target",
        "Runs",
        "Completed",
        "Failed",
        "Aborted",
        "Not valid",
        "First (UTC)",
        "Newest (UTC)",
    ])
    .numbers(&[1, 2, 3, 4, 5]);
    for api in &summary.apis {
        table.row([
            api.api_name.clone(),
            count(Some(api.runs)),
            count(Some(api.completed)),
            count(Some(api.failed)),
            count(Some(api.aborted)),
            count(Some(api.invalid)),
            time(api.first_run),
            time(api.last_run),
        ]);
    }
    table
}

fn comparison(latest: &[RunWithPerformance]) -> Table {
    let mut table = Table::new(&[
        "Mode",
        "Payload",
        "Target",
        "Id",
        "Scale",
        "1/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "Errors",
        "Started (UTC)",
        "Status",
    ])
    .numbers(&[3, 4, 5, 6, 7, 8, 9]);
    for RunWithPerformance { run, performance } in latest {
        let figures = performance.as_ref();
        table.row([
            run.test_mode.clone(),
            run.payload_size.clone(),
            run.api_name.clone(),
            run.id.to_string(),
            run.phase_scale.to_string(),
            figure(figures.map(|p| p.throughput_per_sec)),
            figure(figures.and_then(|p| p.latency.p50)),
            figure(figures.and_then(|p| p.latency.p95)),
            figure(figures.and_then(|p| p.latency.p99)),
            percent(figures.map(|p| p.error_rate)),
            time(run.started_at),
            standing(run),
        ]);
    }
    table
}
