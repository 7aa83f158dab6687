//! `weir import FILE|DIR`: runs that were made by hand.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use lab_bench::metrics;
use lab_host::environment;
use lab_host::environment::{cores, fingerprint};
use lab_model::allowance::Allowance;
use lab_model::scenario::Scenario;
use lab_model::targets::Targets;
use lab_trial::judged::{Measured, judge};
use lab_trial::summary::Summary;
use metrics_db::{MetricsDbConfig, NewRun, NewSession, RunStatus, Store};
use serde::Serialize;
use serde_json::json;

use crate::output::{self, Table};

/// Import summaries of k6 runs that were made by hand
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// A summary (SUMMARY_PATH of the k6 scripts), or a directory that is searched for them
    path: PathBuf,
    #[command(flatten)]
    metrics: MetricsDbConfig,
}

/// What became of one file.
#[derive(Debug, Serialize)]
struct Row {
    file: PathBuf,
    run: Option<i64>,
    result: String,
    #[serde(skip)]
    failed: bool,
}

/// Runs it. A summary whose run is known already is passed over; exit 1 where a file could not be imported.
pub async fn run(args: ImportArgs, root: &Path, json: bool) -> Result<ExitCode> {
    let files = summaries(&args.path)?;
    let targets = Targets::load(root)?;
    let rows = metrics::reading(root, &args.metrics, async |store| {
        all(store, &targets, root, files).await
    })
    .await?;
    let failed = rows.iter().any(|row| row.failed);
    if json {
        output::json(&rows)?;
    } else {
        let mut table = Table::new(&["File", "Run", "Result"]).numbers(&[1]);
        for row in &rows {
            let run = row.run.map_or_else(String::new, |run| run.to_string());
            table.row([row.file.display().to_string(), run, row.result.clone()]);
        }
        output::line(&table.to_string());
    }
    Ok(ExitCode::from(u8::from(failed)))
}

/// Imports the files one after the other, into one session.
async fn all(
    store: &Store,
    targets: &Targets,
    root: &Path,
    files: Vec<PathBuf>,
) -> Result<Vec<Row>> {
    store.migrate().await?;
    let mut session = None;
    let mut rows = Vec::new();
    for file in files {
        let (run, result) = match one(store, targets, root, &mut session, &file).await {
            Ok(Some(run)) => (Some(run), Ok("imported")),
            Ok(None) => (None, Ok("already there")),
            Err(error) => (None, Err(format!("{error:#}"))),
        };
        rows.push(Row {
            file,
            run,
            failed: result.is_err(),
            result: result.map_or_else(|error| error, str::to_owned),
        });
    }
    if let Some(session) = &session {
        store.finish_session(session).await?;
    }
    Ok(rows)
}

/// The file itself, or all JSON files below the directory that have the lab's part.
fn summaries(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(directory) = open.pop() {
        let entries =
            std::fs::read_dir(&directory).with_context(|| format!("{}", directory.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "json") && Summary::read(&path).is_ok()
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Imports a summary into the session of this import, which the first file begins.
async fn one(
    store: &Store,
    targets: &Targets,
    root: &Path,
    session: &mut Option<String>,
    file: &Path,
) -> Result<Option<i64>> {
    let summary = Summary::read(file)?;
    let header = &summary.weir;
    if store.run_by_label(&header.run_id).await?.is_some() {
        return Ok(None);
    }
    let session = match session {
        Some(session) => session.clone(),
        None => session.insert(begin_session(store, root).await?).clone(),
    };
    let target = targets.get(&header.target);
    let seed = header
        .seed
        .as_i64()
        .or_else(|| header.seed.as_str()?.parse().ok())
        .unwrap_or(0);
    let run = NewRun {
        session_id: Some(session),
        api_name: header.target.clone(),
        scenario: target.map_or(Scenario::Ingest, |t| t.scenario).to_string(),
        test_mode: header.mode.clone(),
        payload_size: header.payload.clone(),
        protocol: header.protocol.as_str().into(),
        language: target.and_then(|t| t.language.clone()),
        framework: target.and_then(|t| t.framework.clone()),
        run_label: header.run_id.clone(),
        seed,
        phase_scale: header.phase_scale,
        ..NewRun::default()
    };
    let run = store.create_run(&run).await?;
    let all = cores() as f64;
    let judged = judge(&Measured {
        generated: &summary.generated(),
        samples: &[],
        timed: header.mode != "smoke",
        boundaries: &[],
        paused: false,
        ceiling: None,
        allowance: Allowance {
            generator: all,
            database: Some(all),
            host: all,
        },
        sampled: false,
        debug_build: false,
        findings: &[],
        audit: None,
        criteria: &[],
    });
    let stored = judged.store(store, run).await;
    let (status, error) = match &stored {
        Ok(()) => (RunStatus::Completed, None),
        Err(error) => (RunStatus::Failed, Some(format!("{error:#}"))),
    };
    store
        .finish_run(
            run,
            status,
            Some(summary.measured_seconds()),
            error.as_deref(),
        )
        .await?;
    stored.map(|()| Some(run))
}

async fn begin_session(store: &Store, root: &Path) -> Result<String> {
    // Where the runs were made is not known: an empty environment equals no other.
    let environment = json!({ "imported": true });
    let session = NewSession {
        id: crate::session_id::session_id()?,
        command: "weir import".into(),
        seed: 0,
        runtime: "external".into(),
        git_commit: environment::git_commit(root).await,
        fingerprint: fingerprint(&environment),
        environment,
    };
    store.create_session(&session).await?;
    Ok(session.id)
}
