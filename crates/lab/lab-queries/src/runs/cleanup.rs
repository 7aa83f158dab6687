//! `weir runs cleanup`.

use anyhow::Result;
use clap::{ArgGroup, Args};
use metrics_db::{MetricsDbConfig, Run, Store};
use serde_json::json;

use super::words::{standing, time};
use lab_output::{self as output, Table, counted};

/// What to delete. With both bounds a run must be beyond both.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("bound").required(true).multiple(true).args(["days", "keep"])))]
pub struct CleanupArgs {
    /// Delete runs that began more than N days ago
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    days: Option<i32>,
    /// Keep the N newest runs of each target
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    keep: Option<i64>,
    /// Delete; without it nothing is deleted
    #[arg(long)]
    execute: bool,
    #[command(flatten)]
    pub(super) metrics: MetricsDbConfig,
}

/// Lines shown of a long list.
const SHOWN: usize = 20;

pub(super) async fn run(args: &CleanupArgs, store: &Store, json: bool) -> Result<()> {
    let runs = store.cleanup_candidates(args.days, args.keep).await?;
    let ids: Vec<i64> = runs.iter().map(|run| run.id).collect();
    let deleted = if args.execute {
        store.delete_runs(&ids).await?
    } else {
        0
    };
    if json {
        return output::json(
            &json!({"candidates": ids, "deleted": deleted, "executed": args.execute}),
        );
    }
    if runs.is_empty() {
        output::line("nothing to delete");
        return Ok(());
    }
    output::line(&table(&runs).to_string());
    if runs.len() > SHOWN {
        output::line(&format!("... and {} more", runs.len() - SHOWN));
    }
    if args.execute {
        output::line(&format!(
            "deleted {}",
            counted(usize::try_from(deleted)?, "run")
        ));
    } else {
        output::line(&format!(
            "would delete {}: nothing was deleted, add --execute",
            counted(runs.len(), "run")
        ));
    }
    Ok(())
}

fn table(runs: &[Run]) -> Table {
    let mut table =
        Table::new(&["Id", "Started (UTC)", "Target", "Mode", "Payload", "Status"]).numbers(&[0]);
    for run in runs.iter().take(SHOWN) {
        table.row([
            run.id.to_string(),
            time(run.started_at),
            run.api_name.clone(),
            run.test_mode.clone(),
            run.payload_size.clone(),
            standing(run),
        ]);
    }
    table
}
