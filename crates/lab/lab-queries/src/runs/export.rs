//! `weir runs export ID FILE`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use metrics_db::{MetricsDbConfig, Performance, Phase, ResourceSample, Run, Store};
use serde_json::{Value, json};

use lab_output as output;

/// Which run, and where to.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Number of the run, as `weir runs list` shows it
    #[arg(value_name = "ID")]
    id: i64,
    /// File to write
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Format [default: by the file's ending, json where it has none]
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    pub(super) metrics: MetricsDbConfig,
}

/// JSON holds everything, samples too; CSV one line a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The run, its figures, phases and samples
    Json,
    /// One line a phase, with the run's columns in each
    Csv,
}

impl ExportArgs {
    /// The form of the file: as named, else by the file's name.
    fn form(&self) -> Result<Format> {
        format_of(self.format, &self.file)
    }

    /// An error where the form is not known, before any database is looked for.
    pub(super) fn check(&self) -> Result<()> {
        self.form().map(drop)
    }
}

pub(super) async fn run(args: &ExportArgs, store: &Store, json: bool) -> Result<()> {
    let format = args.form()?;
    let run = store.run(args.id).await?;
    let performance = store.performance(args.id).await?;
    let phases = store.phases(args.id).await?;
    let text = match format {
        Format::Json => as_json(
            &run,
            performance.as_ref(),
            &phases,
            &store.samples(args.id).await?,
        )?,
        Format::Csv => as_csv(&run, performance.as_ref(), &phases)?,
    };
    std::fs::write(&args.file, &text)
        .with_context(|| format!("writing {}", args.file.display()))?;
    if json {
        return output::json(&json!({"run": args.id, "file": args.file, "bytes": text.len()}));
    }
    output::line(&format!(
        "run {} written to {}",
        args.id,
        args.file.display()
    ));
    Ok(())
}

fn format_of(given: Option<Format>, file: &Path) -> Result<Format> {
    if let Some(format) = given {
        return Ok(format);
    }
    match file.extension().and_then(|ending| ending.to_str()) {
        None | Some("json") => Ok(Format::Json),
        Some("csv") => Ok(Format::Csv),
        Some(other) => bail!(".{other} is neither .json nor .csv: name the format with --format"),
    }
}

fn as_json(
    run: &Run,
    performance: Option<&Performance>,
    phases: &[Phase],
    samples: &[ResourceSample],
) -> Result<String> {
    let all = json!({"run": run, "performance": performance, "phases": phases, "samples": samples});
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

/// One line a phase; a run without phases has one line all the same.
fn as_csv(run: &Run, performance: Option<&Performance>, phases: &[Phase]) -> Result<String> {
    const RUN: [&str; 12] = [
        "id",
        "session_id",
        "run_label",
        "api_name",
        "test_mode",
        "payload_size",
        "protocol",
        "trial",
        "phase_scale",
        "status",
        "valid",
        "started_at",
    ];
    let run_columns = serde_json::to_value(run)?;
    let mut header: Vec<String> = RUN.iter().map(|name| (*name).to_owned()).collect();
    let mut lines: Vec<Vec<String>> = Vec::new();
    let rows = match phases {
        [] => vec![serde_json::to_value(
            performance.cloned().unwrap_or_default(),
        )?],
        phases => phases
            .iter()
            .map(serde_json::to_value)
            .collect::<serde_json::Result<_>>()?,
    };
    for (place, row) in rows.iter().enumerate() {
        let mut columns = Vec::new();
        flatten("", row, &mut columns);
        if place == 0 {
            header.extend(columns.iter().map(|(name, _)| name.clone()));
        }
        let mut line: Vec<String> = RUN.iter().map(|name| text(&run_columns[*name])).collect();
        line.extend(columns.into_iter().map(|(_, value)| value));
        lines.push(line);
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header)?;
    for line in &lines {
        writer.write_record(line)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// Members of members get both names: `latency_p99`.
fn flatten(prefix: &str, value: &Value, into: &mut Vec<(String, String)>) {
    let Value::Object(members) = value else {
        return;
    };
    for (key, value) in members {
        let name = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}_{key}")
        };
        if value.is_object() {
            flatten(&name, value, into);
        } else {
            into.push((name, text(value)));
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
