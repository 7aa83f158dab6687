//! `weir runs list`.

use anyhow::Result;
use clap::Args;
use metrics_db::{MetricsDbConfig, RunFilter, RunWithPerformance, Store};

use super::words::{audit, count, figure, percent, standing, time};
use lab_output::{self as output, Table};

/// Filters; all that are given must hold.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Runs of this target
    #[arg(long, visible_alias = "api", value_name = "NAME")]
    pub(super) target: Option<String>,
    /// Runs of this mode: smoke, full, saturation, compare
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// Runs with this payload: default, 4k, 8k, 32k, 64k
    #[arg(long, value_name = "SIZE")]
    payload: Option<String>,
    /// Runs of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Show at most N runs
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    limit: i64,
    #[command(flatten)]
    pub(super) metrics: MetricsDbConfig,
}

/// `target`: the name under which its runs are stored.
pub(super) async fn run(
    args: &ListArgs,
    target: Option<String>,
    store: &Store,
    json: bool,
) -> Result<()> {
    let filter = RunFilter {
        api: target,
        mode: args.mode.clone(),
        payload: args.payload.clone(),
        session: args.session.clone(),
        limit: Some(args.limit),
        ..RunFilter::default()
    };
    let runs = store.runs_with_performance(&filter).await?;
    if json {
        return output::json(&runs);
    }
    if runs.is_empty() {
        output::line("no such run");
        return Ok(());
    }
    output::line(&table(&runs).to_string());
    Ok(())
}

fn table(runs: &[RunWithPerformance]) -> Table {
    let mut table = Table::new(&[
        "Id",
        "Started (UTC)",
        "Target",
        "Mode",
        "Payload",
        "Trial",
        "Requests",
        "1/s",
        "p95 ms",
        "Errors",
        "Audit",
        "Status",
    ])
    .numbers(&[0, 5, 6, 7, 8, 9]);
    for RunWithPerformance { run, performance } in runs {
        let figures = performance.as_ref();
        table.row([
            run.id.to_string(),
            time(run.started_at),
            run.api_name.clone(),
            run.test_mode.clone(),
            run.payload_size.clone(),
            run.trial.to_string(),
            count(figures.map(|p| p.total_requests)),
            figure(figures.map(|p| p.throughput_per_sec)),
            figure(figures.and_then(|p| p.latency.p95)),
            percent(figures.map(|p| p.error_rate)),
            audit(run),
            standing(run),
        ]);
    }
    table
}
