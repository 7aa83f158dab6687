//! A session: its row in the metrics database, its cells one after the other, its report.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lab_bench::backend::Backend;
use lab_bench::progress::Progress;
use lab_contract::application_db::ApplicationDb;
use lab_host::environment;
use lab_model::access::Access;
use lab_model::driver::Driver;
use lab_model::plan::Plan;
use metrics_db::{NewSession, RunStatus, Store};
use serde::Serialize;
use serde_json::json;

use super::bench::{Bench, record_plan};
use super::generators;
use super::outcome::Outcome;
use super::progression::{self, Ran};
use super::resume::{self, Resumed};
use super::samples_csv;
use super::stop::Stop;
use crate::output::counted;
use crate::own::home;
use crate::own::service::Own;
use crate::report::{self, ReportPaths};
use crate::session_id::session_id;

/// A session that has begun.
pub(crate) struct Session {
    bench: Bench,
    resumed: Option<Resumed>,
}

/// Where a session comes from.
pub(crate) struct Origin {
    /// The command line that repeats it.
    pub(crate) command: String,
    /// The session that it goes on with; none: it is new.
    pub(crate) resumed: Option<Resumed>,
    /// What is shown to targets that somebody else has started.
    pub(crate) access: Access,
}

/// What a session leaves, for the user and for `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct SessionReport {
    session: String,
    runtime: &'static str,
    cells: Vec<Outcome>,
    /// Cells that an earlier part of the session had finished.
    finished_before: usize,
    /// Cells that the user's stop left out.
    not_run: usize,
    /// Cells of a session that was decided before them.
    not_needed: usize,
    /// Rounds that ran again, because a run of theirs was not valid.
    rounds_repeated: usize,
    /// Whether every comparison was decided; none where the session was not to run until then.
    decided: Option<bool>,
    html: Option<PathBuf>,
    markdown: Option<PathBuf>,
    /// Why there is no report.
    report_error: Option<String>,
}

impl Session {
    /// Connects to the metrics database and records the session.
    pub(crate) async fn begin(
        root: &Path,
        plan: Plan,
        backend: Backend,
        origin: Origin,
        progress: Progress,
        stop: Stop,
        own: Option<Own>,
    ) -> Result<Self> {
        progress.step("recording the session");
        let prepared = prepare(root, &plan, &backend, &origin, &progress).await;
        let (store, id, environment) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                if let Err(stopping) = backend.shutdown(false).await {
                    tracing::warn!(error = %stopping, "could not stop everything");
                }
                return Err(error);
            }
        };
        let debug_build = match &backend {
            Backend::Native(native) => native.is_debug_build(),
            Backend::Docker(docker) => docker.is_debug_build(),
        };
        let bench = Bench {
            root: root.into(),
            session: id,
            plan,
            backend,
            store,
            environment,
            progress,
            stop,
            access: origin.access,
            debug_build,
            own,
        };
        Ok(Self {
            bench,
            resumed: origin.resumed,
        })
    }

    /// Runs all cells, writes the report and stops what was started.
    pub(crate) async fn run(self, keep: bool) -> Result<SessionReport> {
        let Self { mut bench, resumed } = self;
        let resumed = resumed.as_ref();
        if let Err(error) = bench.backend.start_sidecar().await {
            // Without it the runs are not valid, and their checks say so.
            let said = format!("No resources are sampled: {error:#}");
            bench.progress.say(&said);
        }
        let ran = progression::all_cells(&mut bench, resumed).await;
        bench.progress.cell("");
        bench.progress.left(None);
        if let Err(error) = bench.backend.stop_sidecar().await {
            tracing::warn!("stats-sidecar could not be stopped: {error:#}");
        }
        for outcome in &ran.outcomes {
            let looked = samples_csv::check(&bench.store, &bench.root, outcome, &bench.progress);
            if let Err(error) = looked.await {
                tracing::warn!("the samples' CSV was not looked for: {error:#}");
            }
        }
        bench.progress.step("writing the report");
        let written = report(&bench).await;
        let Ran {
            outcomes,
            finished_before,
            ended_at,
        } = ran;
        let left = (bench.plan.cells.len() - finished_before).saturating_sub(outcomes.len());
        let mut end = SessionReport {
            finished_before,
            not_run: if ended_at.is_some() { 0 } else { left },
            not_needed: if ended_at.is_some() { left } else { 0 },
            rounds_repeated: bench.plan.request.repeats.len(),
            decided: ended_at.map(|ended| ended.decided),
            session: bench.session.clone(),
            runtime: bench.backend.name(),
            cells: outcomes,
            html: None,
            markdown: None,
            report_error: None,
        };
        match written {
            Ok(paths) => {
                end.html = Some(paths.html);
                end.markdown = Some(paths.markdown);
            }
            Err(error) => end.report_error = Some(format!("{error:#}")),
        }
        close(bench, keep).await?;
        Ok(end)
    }
}

/// Closes the session's row and writes its report.
async fn report(bench: &Bench) -> Result<ReportPaths> {
    bench.store.finish_session(&bench.session).await?;
    let out_dir = home::results(&bench.root).join(&bench.session);
    report::write(&bench.store, &bench.session, &out_dir).await
}

/// Stops what was started; with `keep` the databases go on, and the user is told where.
async fn close(bench: Bench, keep: bool) -> Result<()> {
    if keep {
        let metrics = bench.backend.metrics_config();
        bench.progress.say(&format!(
            "The databases go on: {} and, with the metrics, postgresql://{}@{}:{}/{}",
            bench.backend.application_url(),
            metrics.user,
            metrics.host,
            metrics.port,
            metrics.name
        ));
    }
    bench.progress.step("stopping");
    drop(bench.store);
    bench
        .backend
        .shutdown(keep)
        .await
        .context("could not stop everything that was started")
}

/// The store with its schema, the recorded session's id, and what its fingerprint hashes.
async fn prepare(
    root: &Path,
    plan: &Plan,
    backend: &Backend,
    origin: &Origin,
    progress: &Progress,
) -> Result<(Store, String, serde_json::Value)> {
    let store = Store::connect(&backend.metrics_config()).await?;
    store.migrate().await?;
    store
        .abort_running_runs("weir ended without finishing this run")
        .await?;
    let database = ApplicationDb::connect(&backend.application_url()).await?;
    let mut environment = json!({
        "runtime": backend.name(),
        "machine": environment::machine().await,
        "database": database.describe().await?,
        "lab": backend.describe(&plan.targets()).await,
    });
    if plan.uses(Driver::Benchmark) {
        environment["lab"]["benchmark"] = backend.describe_benchmark().await;
    }
    if let Some(distance) = &plan.request.distance {
        environment["lab"]["distance"] = serde_json::to_value(distance)?;
    }
    if let Some(all) = &plan.request.generators {
        progress.step("asking the generators");
        environment["lab"]["generators"] = generators::describe(backend, all).await?;
    }
    let fingerprint = environment::fingerprint(&environment);
    if let Some(resumed) = &origin.resumed {
        resumed.require_same(&fingerprint, &environment)?;
        let id = resumed.session.id.clone();
        store.reopen_session(&id).await?;
        for run in &resumed.cut {
            let reason = "its round was cut and is repeated whole";
            store
                .finish_run(*run, RunStatus::Aborted, None, Some(reason))
                .await?;
        }
        return Ok((store, id, environment));
    }
    if let Some((id, left)) = resume::unfinished_like(&store, &plan.request).await? {
        progress.say(&format!(
            "Session {id} with these arguments was not finished: {} left. This is a new session; to go on with that one, \
             stop this one and add --resume.",
            counted(left, "run")
        ));
    }
    let session = NewSession {
        id: session_id()?,
        command: origin.command.clone(),
        seed: i64::try_from(plan.seed)?,
        runtime: backend.name().into(),
        git_commit: environment::git_commit(root).await,
        fingerprint,
        environment: environment.clone(),
    };
    store.create_session(&session).await?;
    record_plan(&store, &session.id, plan).await?;
    Ok((store, session.id, environment))
}

impl SessionReport {
    /// True where every cell of the plan was measured and passed its audit, and the report is there.
    pub(crate) fn all_passed(&self) -> bool {
        // A part of the session that failed before is in the report, and was this command's exit status then.
        self.not_run == 0
            && self.report_error.is_none()
            && self
                .cells
                .iter()
                .all(|cell| cell.status == RunStatus::Completed)
    }

    /// The last lines of a session.
    pub(crate) fn closing_words(&self) -> String {
        let with = |status| self.cells.iter().filter(|c| c.status == status).count();
        let completed = counted(with(RunStatus::Completed), "run");
        let (failed, aborted) = (with(RunStatus::Failed), with(RunStatus::Aborted));
        let mut words = match (failed, aborted + self.not_run) {
            (0, 0) => format!("{completed} completed."),
            (_, 0) => format!("{failed} of {} failed.", counted(self.cells.len(), "run")),
            _ => format!(
                "Stopped: {completed} completed, {failed} failed, {aborted} aborted, {} not begun.",
                self.not_run
            ),
        };
        if self.rounds_repeated > 0 {
            words += &format!(" {} repeated.", counted(self.rounds_repeated, "round"));
        }
        match self.decided {
            Some(true) => {
                words += &format!(
                    " Every comparison is decided: {} not needed.",
                    counted(self.not_needed, "run")
                )
            }
            Some(false) => words += " Not every comparison is decided.",
            None => {}
        }
        if self.finished_before > 0 {
            words += &format!(" {} finished before.", counted(self.finished_before, "run"));
        }
        if aborted + self.not_run > 0 {
            words += &format!(" To go on: the same command with --resume {}", self.session);
        }
        if let Some(error) = &self.report_error {
            words += &format!("\nThe report could not be written: {error}");
        }
        for (name, path) in [("Report:  ", &self.html), ("Markdown:", &self.markdown)] {
            if let Some(path) = path {
                words += &format!("\n{name} {}", path.display());
            }
        }
        words
    }
}
