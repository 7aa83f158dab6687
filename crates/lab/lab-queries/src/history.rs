//! `weir history`: a figure of one target over its sessions, and where it changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use lab_host::environment::fingerprint;
use lab_report::history::{Asked, Change, Figure, History, Measured, Series, build, short};
use lab_report::history_page::page;
use lab_report::input::{RunRows, SessionRows};
use lab_words::words;
use metrics_db::{MetricsDbConfig, RunFilter, RunStatus, Store};
use serde_json::Value;

use lab_output::{self as output, Table};
use usage_error::Usage;

/// Show a figure of a target over its sessions, and at which commits it changed
///
/// A point is a session: the median of its trials that count. Sessions that differ in mode, payload, scale, rate, generator or
/// conditions (the fingerprint without what a commit changes: the builds) are series of their own.
#[derive(Args, Debug)]
pub struct HistoryArgs {
    /// The target, as in targets.toml
    #[arg(value_name = "TARGET")]
    target: String,
    /// What to follow [default: the rate; at a fixed rate the service's CPU]
    #[arg(value_enum, value_name = "FIGURE")]
    figure: Option<Followed>,
    /// Only sessions of this mode
    #[arg(long)]
    mode: Option<String>,
    /// Only this payload
    #[arg(long)]
    payload: Option<String>,
    /// Probability of naming a change in a stretch that has none
    #[arg(long, value_name = "LEVEL", default_value = "0.01", value_parser = crate::judge::share)]
    alpha: f64,
    /// Changes within this margin are not reported
    #[arg(long, value_name = "PERCENT", default_value = "3%", value_parser = crate::judge::share)]
    margin: f64,
    /// Write a page too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    metrics: MetricsDbConfig,
}

/// A figure that can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Followed {
    /// Successes a second
    Rate,
    /// CPU of the service for each success
    Cpu,
    /// Median latency
    P50,
    /// 99th percentile of the latency
    P99,
    /// Highest memory of the service
    Memory,
}

impl Followed {
    fn figure(self) -> Figure {
        match self {
            Self::Rate => Figure::Rate,
            Self::Cpu => Figure::Cpu,
            Self::P50 => Figure::P50,
            Self::P99 => Figure::P99,
            Self::Memory => Figure::Memory,
        }
    }
}

/// Runs `weir history`.
///
/// # Errors
/// The metrics database cannot be reached, no run of the target fits, or the page cannot be written.
pub async fn run(args: HistoryArgs, root: &Path, json: bool) -> Result<()> {
    let store = lab_bench::metrics::connect(root, &args.metrics).await?;
    let measured = read(&store, &args).await?;
    let asked = Asked {
        figure: args.figure.map(Followed::figure),
        level: args.alpha,
        margin: args.margin,
    };
    let history = build(&args.target, &measured, &asked);
    if let Some(path) = &args.html {
        std::fs::write(path, page(&history)?)
            .with_context(|| format!("--html: writing {}", path.display()))?;
    }
    if json {
        return output::json(&history);
    }
    output::line(&text(&history));
    if let Some(path) = &args.html {
        output::line(&format!("\n{}", path.display()));
    }
    Ok(())
}

/// The sessions of the target, with its runs.
async fn read(store: &Store, args: &HistoryArgs) -> Result<Vec<Measured>> {
    let filter = RunFilter {
        api: Some(args.target.clone()),
        mode: args.mode.clone(),
        payload: args.payload.clone(),
        status: Some(RunStatus::Completed),
        ..RunFilter::default()
    };
    let mut sessions: BTreeMap<String, Vec<RunRows>> = BTreeMap::new();
    for found in store.runs_with_performance(&filter).await? {
        let Some(session) = found.run.session_id.clone() else {
            continue;
        };
        let phases = store.phases(found.run.id).await?;
        sessions.entry(session).or_default().push(RunRows {
            run: found.run,
            performance: found.performance,
            phases,
            samples: Vec::new(),
        });
    }
    if sessions.is_empty() {
        return Err(Usage::new(format!(
            "no completed run of a target {:?} fits; `weir runs summary` lists the targets that were measured",
            args.target
        ))
        .into());
    }
    let mut measured = Vec::new();
    for (id, runs) in sessions {
        if let Some(session) = store.session(&id).await? {
            let conditions = conditions(&session.environment, &args.target);
            measured.push(Measured {
                conditions: fingerprint(&conditions),
                rows: SessionRows { session, runs },
            });
        }
    }
    Ok(measured)
}

/// The environment without what a commit changes (builds and their compiler), and without the session's other targets.
fn conditions(environment: &Value, target: &str) -> Value {
    let mut left = environment.clone();
    if let Some(machine) = left.get_mut("machine").and_then(Value::as_object_mut) {
        machine.remove("rustc");
    }
    let targets = left.pointer_mut("/lab/targets");
    if let Some(targets) = targets.and_then(Value::as_object_mut) {
        targets.retain(|name, _| name == target);
        for own in targets.values_mut().filter_map(Value::as_object_mut) {
            own.remove("binary_sha256");
            own.remove("image");
        }
    }
    left
}

fn text(history: &History) -> String {
    let series = history.series.iter();
    let blocks: Vec<String> = series.map(block).collect();
    if blocks.is_empty() {
        return format!("No trial of {} counts in any session.", history.target);
    }
    blocks.join("\n\n")
}

fn block(series: &Series) -> String {
    let mut head = vec![series.mode.clone()];
    if series.phase_scale != 1.0 {
        head.push(format!("scale {}", series.phase_scale));
    }
    head.push(format!("payload {}", series.payload));
    let rate = series.intended_rate;
    head.extend(rate.map(|rate| format!("{} arrivals/s", words::figure(rate))));
    head.push(series.driver.clone());
    head.push(format!("conditions {}", series.conditions));
    let mut table = Table::new(&["Begun (UTC)", "Commit", "Trials", "Median", "Interval", ""])
        .numbers(&[2, 3, 4]);
    for (index, point) in series.points.iter().enumerate() {
        let change = series.changes.iter().find(|change| change.index == index);
        table.row([
            point.started_at.clone(),
            short(point.commit.as_deref()),
            point.trials.to_string(),
            words::figure(point.value),
            point.interval.map_or("-".to_owned(), |interval| {
                let [low, high] = [interval.low, interval.high].map(words::figure);
                format!("{low} to {high}")
            }),
            change.map_or(String::new(), |change| {
                format!("<- {} times", lab_verdict::words::ratio(change.ratio))
            }),
        ]);
    }
    let mut lines = vec![
        format!("{}: {}", series.figure_words, head.join(", ")),
        table.to_string(),
    ];
    lines.extend(series.changes.iter().map(sentence));
    if series.points.len() < series.points_needed {
        lines.push(format!(
            "{} of the {} sessions that a change takes to be found.",
            series.points.len(),
            series.points_needed
        ));
    } else if series.changes.is_empty() {
        lines.push("No change found.".to_owned());
    }
    lines.join("\n")
}

fn sentence(change: &Change) -> String {
    let [before, after] = [change.before, change.after].map(words::figure);
    format!(
        "{}: {} times from {} to {}: {before} to {after} ({})",
        if change.is_better { "Better" } else { "Worse" },
        lab_verdict::words::ratio(change.ratio),
        short(change.commit_before.as_deref()),
        short(change.commit.as_deref()),
        lab_verdict::words::p_value(change.p)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn another_build_and_another_opponent_are_the_same_conditions() {
        let environment = |sha: &str, pool: i32, cores: i32, opponent: &str| {
            json!({"machine": {"cores": cores, "rustc": sha}, "lab": {"k6": "1.1.0", "targets": {
                "own": {"binary_sha256": sha, "image": sha, "pool_size": pool}, opponent: {"pool_size": 3}}}})
        };
        let of = |environment: Value| fingerprint(&conditions(&environment, "own"));
        let first = of(environment("a", 10, 2, "x"));
        assert_eq!(first, of(environment("b", 10, 2, "y")));
        assert_ne!(first, of(environment("a", 20, 2, "x")), "its own setting");
        assert_ne!(first, of(environment("a", 10, 4, "x")), "the machine");
        assert_eq!(of(json!({})), of(Value::Object(Default::default())));
    }
}
