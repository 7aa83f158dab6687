//! The CSV of a run: `TARGET-MODE-TIMESTAMP-metrics.csv`, one line a sample and role.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use metrics_db::{ResourceSample, RunningRun};
use serde::Serialize;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// One line. Memory in MiB; 100 % of CPU is one core; seconds of CPU are cumulative.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    role: &'a str,
    elapsed_seconds: f64,
    boundary: Option<i32>,
    cpu_percent: Option<f64>,
    memory_percent: Option<f64>,
    memory_used_mb: Option<f64>,
    memory_limit_mb: Option<f64>,
    cpu_seconds: f64,
    steal_seconds: Option<f64>,
    throttled_seconds: Option<f64>,
    network_rx_bytes: Option<i64>,
    network_tx_bytes: Option<i64>,
}

/// Writes the samples of a run under `directory/TARGET/`; answers the file's path.
///
/// # Errors
/// The directory or file cannot be written.
pub fn write(
    directory: &Path,
    run: &RunningRun,
    samples: &[ResourceSample],
) -> anyhow::Result<PathBuf> {
    let directory = directory.join(&run.api_name);
    fs::create_dir_all(&directory)
        .with_context(|| format!("STATS_CSV_DIR {}", directory.display()))?;
    let path = directory.join(file_name(run)?);
    // Renamed when complete, so that nobody reads half a file.
    let partial = path.with_extension("csv.partial");
    let mut csv =
        csv::Writer::from_path(&partial).with_context(|| partial.display().to_string())?;
    for sample in samples {
        csv.serialize(line(sample)?)?;
    }
    csv.flush()?;
    drop(csv);
    fs::rename(&partial, &path).with_context(|| path.display().to_string())?;
    Ok(path)
}

fn file_name(run: &RunningRun) -> anyhow::Result<String> {
    let started = run
        .started_at
        .to_offset(time::UtcOffset::UTC)
        .format(TIMESTAMP)?;
    Ok(format!(
        "{}-{}-{started}-metrics.csv",
        run.api_name, run.test_mode
    ))
}

fn line(sample: &ResourceSample) -> anyhow::Result<Line<'_>> {
    Ok(Line {
        timestamp: sample.sampled_at.format(&Rfc3339)?,
        role: sample.role.as_str(),
        elapsed_seconds: sample.elapsed_seconds,
        boundary: sample.boundary,
        cpu_percent: sample.cpu_percent,
        memory_percent: sample.memory_percent,
        memory_used_mb: sample.memory_used_mb,
        memory_limit_mb: sample.memory_limit_mb,
        cpu_seconds: sample.cpu_seconds,
        steal_seconds: sample.steal_seconds,
        throttled_seconds: sample.throttled_seconds,
        network_rx_bytes: sample.network_rx_bytes,
        network_tx_bytes: sample.network_tx_bytes,
    })
}

#[cfg(test)]
mod tests {
    use metrics_db::Role;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_file_per_run_with_a_header() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let run = RunningRun {
            id: 1,
            api_name: "producer-rest".into(),
            test_mode: "smoke".into(),
            started_at: datetime!(2026-11-21 12:42:05 +2),
            sampling: Ok(None),
        };
        let sample = ResourceSample {
            boundary: Some(0),
            cpu_seconds: 1.5,
            memory_used_mb: Some(12.5),
            ..ResourceSample::new(Role::Target, datetime!(2026-11-21 10:42:06.5 UTC), 0.25)
        };
        let path = write(directory.path(), &run, &[sample]).expect("written");
        assert_eq!(
            path,
            directory
                .path()
                .join("producer-rest/producer-rest-smoke-20261121T104205Z-metrics.csv")
        );
        assert_eq!(
            fs::read_to_string(path).expect("readable"),
            "timestamp,role,elapsed_seconds,boundary,cpu_percent,memory_percent,memory_used_mb,\
             memory_limit_mb,cpu_seconds,steal_seconds,throttled_seconds,network_rx_bytes,\
             network_tx_bytes\n2026-11-21T10:42:06.5Z,target,0.25,0,,,12.5,,1.5,,,,\n"
        );
    }
}
