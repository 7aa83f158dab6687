//! `weir report`: reads the rows of sessions and has `lab-report` write them as files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use lab_gate::VerdictFile;
use lab_model::judging::Figure;
use lab_report::input::SessionRows;
use lab_report::model::{Metric, Report};
use lab_report::{Options, export, html, markdown, verdict_file};
use metrics_db::{MetricsDbConfig, Store};

use crate::noise;
use crate::output;
use crate::session_rows;
use crate::usage::UsageError;

/// `weir report`: write the report of a session anew.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// Session ids; several are shown as one, with their differing settings called out [default: the newest]
    #[arg(value_name = "SESSION")]
    sessions: Vec<String>,
    /// Directory to write to; left out: the session's own below load-test/results
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["html", "markdown"])]
    format: Vec<Format>,
    /// Ratios within this margin of 1 count as equal [default: as the session was run with, else 3%]
    #[arg(long, value_name = "PERCENT", value_parser = crate::judge::share)]
    margin: Option<f64>,
    /// Compare the other targets with this one only; name it before you look at the figures [default: as the session was
    /// run with]
    #[arg(long, value_name = "TARGET")]
    reference: Option<String>,
    /// The figure that decides, named before you look; the others describe [default: as the session was run with]
    #[arg(long, value_enum, value_name = "FIGURE")]
    primary: Option<Primary>,
    /// Show sessions of different machines or builds side by side: in each, every target against its own session's
    /// --reference; their figures are not compared with each other
    #[arg(long, requires = "reference")]
    across_machines: bool,
    #[command(flatten)]
    metrics: MetricsDbConfig,
}

/// A figure that targets are compared in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Primary {
    /// Successes a second (full, saturation)
    Rate,
    /// CPU of the service for each success (compare)
    Cpu,
    /// 99th percentile of the latency (compare)
    P99,
}

impl Primary {
    /// The same where plans name it.
    pub(crate) fn figure(self) -> Figure {
        match self {
            Self::Rate => Figure::Rate,
            Self::Cpu => Figure::Cpu,
            Self::P99 => Figure::P99,
        }
    }
}

/// A form that the report can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One self-contained page: report.html
    Html,
    /// The page's twin in text: report.md
    #[value(alias = "md")]
    Markdown,
    /// The model behind both: report.json
    Json,
    /// One line a run: report.csv
    Csv,
    /// One test case a run, for CI: report.junit.xml
    Junit,
    /// What the first sentence says, with its rounds, for `weir gate`: verdict.json
    Verdict,
}

/// Where the two files are.
#[derive(Clone, Debug)]
pub struct ReportPaths {
    /// The self-contained page.
    pub html: PathBuf,
    /// The Markdown twin.
    pub markdown: PathBuf,
}

/// Runs `weir report`.
pub(crate) async fn run(args: ReportArgs, root: &Path, json: bool) -> Result<()> {
    let store = lab_bench::metrics::connect(root, &args.metrics).await?;
    let mut sessions = args.sessions;
    if sessions.is_empty() {
        sessions.push(newest(&store).await?);
    }
    let mut named = std::collections::HashSet::new();
    sessions.retain(|session| named.insert(session.clone()));
    let rows = session_rows::read(&store, &sessions).await?;
    let out_dir = args
        .out
        .unwrap_or_else(|| root.join("load-test/results").join(sessions.join("+")));
    let named = Options::named_beforehand(rows.iter().map(|rows| &rows.session));
    let options = Options {
        margin: args.margin.unwrap_or(named.margin),
        reference: args.reference.or(named.reference.clone()),
        primary: args.primary.map(|p| p.figure().into()).or(named.primary),
        noise: noise::of(&store, &rows).await?,
        across_machines: args.across_machines,
        ..named
    };
    check(&options, &rows)?;
    let report = lab_report::build(&rows, &options);
    let mut paths = Vec::new();
    for format in &args.format {
        paths.push(save(&out_dir, *format, &text(&report, &options, *format)?)?);
    }
    announce(&report, &args.format, &paths, json)
}

/// Id of the newest session.
pub(crate) async fn newest(store: &Store) -> Result<String> {
    let newest = store.latest_session().await?;
    let newest = newest.context("the metrics database holds no session yet")?;
    Ok(newest.id)
}

/// What is named must be there.
fn check(options: &Options, rows: &[SessionRows]) -> Result<()> {
    let runs = || rows.iter().flat_map(|session| &session.runs);
    if let Some(name) = &options.reference
        && runs().all(|rows| rows.run.api_name != *name)
    {
        let mut known: Vec<&str> = runs().map(|rows| rows.run.api_name.as_str()).collect();
        known.sort_unstable();
        known.dedup();
        return Err(UsageError::plain(format!(
            "--reference: these sessions have no target {name:?}; they have {}",
            known.join(", ")
        ))
        .into());
    }
    let open_model = runs().any(|rows| {
        let performance = rows.performance.as_ref();
        performance.is_some_and(|p| p.intended_per_sec.is_some())
    });
    let fits = |metric: Metric| (metric == Metric::Rate) != open_model;
    if options.primary.is_some_and(|metric| !fits(metric)) {
        let figures = if open_model { "cpu and p99" } else { "rate" };
        return Err(UsageError::plain(format!(
            "--primary: these sessions are compared in {figures}"
        ))
        .into());
    }
    Ok(())
}

/// Writes page, twin and verdict file of `session` into `out_dir`.
///
/// # Errors
/// No such session, the metrics database cannot be read, or a file cannot be written.
pub async fn write(store: &Store, session: &str, out_dir: &Path) -> Result<ReportPaths> {
    let rows = session_rows::read(store, &[session.to_owned()]).await?;
    let options = Options {
        noise: noise::of(store, &rows).await?,
        ..Options::named_beforehand(rows.iter().map(|rows| &rows.session))
    };
    let report = lab_report::build(&rows, &options);
    let write = |format| save(out_dir, format, &text(&report, &options, format)?);
    write(Format::Verdict)?;
    Ok(ReportPaths {
        html: write(Format::Html)?,
        markdown: write(Format::Markdown)?,
    })
}

/// The verdict file of a session.
///
/// # Errors
/// No such session, or the metrics database cannot be read.
pub(crate) async fn verdict(store: &Store, session: &str) -> Result<VerdictFile> {
    let rows = session_rows::read(store, &[session.to_owned()]).await?;
    let options = Options::named_beforehand(rows.iter().map(|rows| &rows.session));
    let report = lab_report::build(&rows, &options);
    Ok(verdict_of(&report, &options))
}

fn verdict_of(report: &Report, options: &Options) -> VerdictFile {
    verdict_file::of(report, options, crate::TOOL)
}

fn text(report: &Report, options: &Options, format: Format) -> Result<String> {
    match format {
        Format::Html => html::page(report),
        Format::Markdown => markdown::text(report),
        Format::Json => export::json(report),
        Format::Csv => export::csv(report),
        Format::Junit => export::junit(report),
        Format::Verdict => Ok(verdict_of(report, options).to_json()?),
    }
}

fn save(directory: &Path, format: Format, text: &str) -> Result<PathBuf> {
    let name = match format {
        Format::Html => "report.html",
        Format::Markdown => "report.md",
        Format::Json => "report.json",
        Format::Csv => "report.csv",
        Format::Junit => "report.junit.xml",
        Format::Verdict => "verdict.json",
    };
    let path = directory.join(name);
    std::fs::create_dir_all(directory)
        .with_context(|| format!("creating {}", directory.display()))?;
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// Says where the files are and what the first sentence is.
fn announce(report: &Report, formats: &[Format], paths: &[PathBuf], json: bool) -> Result<()> {
    if json {
        let files: serde_json::Map<String, serde_json::Value> = formats
            .iter()
            .zip(paths)
            .filter_map(|(format, path)| {
                Some((
                    format.to_possible_value()?.get_name().to_owned(),
                    path.to_string_lossy().into(),
                ))
            })
            .collect();
        return output::json(
            &serde_json::json!({"verdict": report.verdict.text(), "files": files}),
        );
    }
    output::line(&report.verdict.text());
    for path in paths {
        output::line(&path.display().to_string());
    }
    Ok(())
}
