//! The end of a cell, whatever became of it.

use std::fs;

use anyhow::{Context, Result};
use lab_bench::k6::Generator;
use metrics_db::RunStatus;

use super::bench::Bench;
use super::generators::log_of;
use super::running::Running;
use crate::own::around;

/// Stops generator and target. The logs of a cell that did not complete are kept beside its results.
pub(super) async fn clean_up(
    bench: &mut Bench,
    context: &Running<'_>,
    generator: Option<Generator>,
    status: RunStatus,
) -> Result<()> {
    bench.progress.step("stopping");
    let generator_stopped = match generator {
        Some(generator) => bench.backend.stop_generator(generator).await,
        None => Ok(()),
    };
    if status == RunStatus::Failed {
        let log = context.results.with_extension("service.log");
        if let Err(error) = bench.backend.save_logs(&log).await {
            tracing::warn!(%error, "the service's log could not be kept");
        }
    } else {
        // The generator says the same in its summary.
        let several = bench.plan.request.generators.iter();
        let several = several.flat_map(|all| &all.each);
        let logs = ["k6.log", "benchmark.log"].map(str::to_owned);
        for log in logs.into_iter().chain(several.map(log_of)) {
            let log = context.results.with_extension(log);
            if status == RunStatus::Completed && log.exists() {
                fs::remove_file(&log)?;
            }
        }
    }
    bench.backend.stop_targets().await?;
    if let Some(own) = &bench.own {
        let after = context.trial(None);
        let torn_down = around::all(&own.project.teardown, &after);
        torn_down.await.context("tearing down")?;
    }
    generator_stopped
}
