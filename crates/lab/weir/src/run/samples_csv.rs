//! The CSV of a run's samples, which stats-sidecar writes at the run's end: looked for, since a full disk leaves none.

use std::path::Path;

use anyhow::{Context, Result};
use lab_bench::progress::Progress;
use lab_model::files;
use metrics_db::{Check, Store};
use time::OffsetDateTime;
use time::macros::format_description;

use super::outcome::Outcome;

/// Says so, now and in the run, where a run's samples have no file.
pub(super) async fn check(
    store: &Store,
    root: &Path,
    outcome: &Outcome,
    progress: &Progress,
) -> Result<()> {
    let Some(id) = outcome.run else { return Ok(()) };
    if outcome.figures.is_none() || store.samples(id).await?.is_empty() {
        return Ok(());
    }
    let run = store.run(id).await?;
    let file = file_name(&run.api_name, &run.test_mode, run.started_at)?;
    let path = root.join(files::SUMMARIES).join(&run.api_name).join(&file);
    if path.is_file() {
        return Ok(());
    }
    let missing = missing(&file);
    let problem = lab_words::checks::words(&missing).detail;
    progress.say(&format!("Run {id}: {problem}"));
    let mut checks = run.checks;
    checks.push(missing);
    store
        .set_checks(id, &checks)
        .await
        .context("the missing file could not be recorded")
}

fn missing(file: &str) -> Check {
    Check::warn("samples_csv")
        .with("file", file)
        .with("folder", files::RESULTS)
}

/// As stats-sidecar names it.
fn file_name(target: &str, mode: &str, started: OffsetDateTime) -> Result<String> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let started = started.to_offset(time::UtcOffset::UTC).format(format)?;
    Ok(format!("{target}-{mode}-{started}-metrics.csv"))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_name_is_the_samplers() {
        let started = datetime!(2026-11-21 10:42:05.7 UTC);
        assert_eq!(
            file_name("producer-rest", "smoke", started).unwrap(),
            "producer-rest-smoke-20261121T104205Z-metrics.csv"
        );
    }
}
