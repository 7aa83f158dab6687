//! One cell of the matrix: stop all others, fresh database, start, healthy, verify, warm up, measure, audit,
//! import, stop. Each step has a time limit; a failure ends the cell and not the session.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab_contract::audit::{Baseline, CountersAt};
use lab_contract::{audit, verify};
use lab_model::endpoint::Endpoint;
use lab_model::files;
use lab_model::plan::Cell;
use lab_model::targets::Target;
use metrics_db::{NewRun, RunStatus};

use super::backend::Started;
use super::data::{fresh, settle};
use super::k6::{Generator, Job};
use super::measure;
use super::outcome::{Figures, Outcome};
use super::script::{environment, set};
use super::session::{Session, timestamp};
use crate::audit::recorded_as;
use crate::import;
use crate::summary::Summary;

const STOP_LIMIT: Duration = Duration::from_secs(90);
const DATABASE_LIMIT: Duration = Duration::from_secs(120);
const START_LIMIT: Duration = Duration::from_secs(240);
const HEALTHY_LIMIT: Duration = Duration::from_secs(60);
const VERIFY_LIMIT: Duration = Duration::from_secs(60);
const WARM_UP_LIMIT: Duration = Duration::from_secs(180);
const AUDIT_LIMIT: Duration = Duration::from_secs(900);
const IMPORT_LIMIT: Duration = Duration::from_secs(60);

/// A smoke run needs no warm service, only one that has been warmed up like any other.
const SMOKE_WARM_UP: u32 = 20;

/// What the steps of a cell share.
pub(crate) struct Running<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) run: i64,
    pub(crate) label: String,
    /// Path of the results without extension.
    pub(crate) results: PathBuf,
}

/// Runs a cell to its end, whatever that is.
pub(crate) async fn run(session: &mut Session, cell: &Cell) -> Outcome {
    let mut outcome = Outcome {
        order: cell.order,
        target: cell.target.name.clone(),
        payload: cell.payload.clone(),
        trial: cell.trial,
        run: None,
        status: RunStatus::Failed,
        error: None,
        figures: None,
    };
    session
        .progress
        .cell(&outcome.name(session.plan.cells.len()));
    let context = match begin(session, cell).await {
        Ok(context) => context,
        Err(error) => {
            outcome.error = Some(format!("could not be recorded: {error:#}"));
            return outcome;
        }
    };
    outcome.run = Some(context.run);

    let mark = session.backend.log_mark();
    let mut generator = None;
    let measured = steps(session, &context, &mut generator).await;
    let stopped = session.stop.is_requested() && measured.is_err();
    let mut duration = None;
    match measured {
        Ok((figures, seconds)) => {
            duration = Some(seconds);
            if figures.passed {
                outcome.status = RunStatus::Completed;
            } else {
                outcome.error = Some(figures.audit_sentence.clone());
            }
            outcome.figures = Some(figures);
        }
        Err(_) if stopped => {
            outcome.status = RunStatus::Aborted;
            outcome.error = Some("stopped by the user".into());
        }
        Err(error) => {
            let trouble = session.backend.database_trouble(&mark).await;
            let trouble = trouble.map_or_else(String::new, |why| format!("; {why}"));
            outcome.error = Some(format!("{error:#}{trouble}"));
        }
    }
    if let Err(error) = clean_up(session, &context, generator, outcome.status).await {
        let problem = format!("could not be stopped: {error:#}");
        outcome.error = Some(
            outcome
                .error
                .map_or(problem.clone(), |first| format!("{first}; {problem}")),
        );
        if outcome.status == RunStatus::Completed {
            outcome.status = RunStatus::Failed;
        }
    }
    let error = outcome.error.as_deref();
    if let Err(problem) = session
        .store
        .finish_run(context.run, outcome.status, duration, error)
        .await
    {
        session.progress.say(&format!(
            "run {} could not be recorded: {problem}",
            context.run
        ));
        outcome.status = RunStatus::Failed;
    }
    outcome
}

/// The row of the run, and the names of its files.
async fn begin<'a>(session: &Session, cell: &'a Cell) -> Result<Running<'a>> {
    let target = &cell.target;
    let label = session.label(cell);
    let run = NewRun {
        session_id: Some(session.id.clone()),
        api_name: target.name.clone(),
        scenario: target.scenario.to_string(),
        test_mode: session.plan.mode_name.clone(),
        payload_size: cell.payload.clone(),
        protocol: target.protocol.as_str().into(),
        language: target.language.clone(),
        framework: target.framework.clone(),
        driver: "k6".into(),
        run_label: label.clone(),
        trial: i32::try_from(cell.trial)?,
        run_order: i32::try_from(cell.order)?,
        seed: i64::try_from(session.plan.seed)?,
        phase_scale: session.plan.phase_scale,
    };
    let directory = session.root.join(files::SUMMARIES).join(&target.name);
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let file = format!(
        "{}-{}-{}-{}",
        target.name,
        session.plan.mode_name,
        cell.payload,
        timestamp()?
    );
    let run = session.store.create_run(&run).await?;
    Ok(Running {
        cell,
        run,
        label,
        results: directory.join(file),
    })
}

/// A step under its name and time limit, given up as soon as the user stops the session.
macro_rules! step {
    ($session:expr, $name:literal, $limit:expr, $work:expr) => {{
        $session.progress.step($name);
        let stop = $session.stop.clone();
        let limit: Duration = $limit;
        match stop
            .or(async { Ok(tokio::time::timeout(limit, $work).await) })
            .await?
        {
            Ok(done) => done.context($name)?,
            Err(_) => bail!("{}: not done within {} s", $name, limit.as_secs()),
        }
    }};
}

/// All steps but the last. A generator that has to be stopped is left in `generator`.
async fn steps(
    session: &mut Session,
    context: &Running<'_>,
    generator: &mut Option<Generator>,
) -> Result<(Figures, f64)> {
    let target = &context.cell.target;
    step!(
        session,
        "stopping all others",
        STOP_LIMIT,
        session.backend.stop_targets()
    );
    let database = step!(
        session,
        "preparing the data",
        DATABASE_LIMIT,
        fresh(session, target)
    );
    let started = step!(session, "starting", START_LIMIT, start(session, target));
    step!(
        session,
        "waiting until healthy",
        HEALTHY_LIMIT + Duration::from_secs(5),
        healthy(session, target, &started)
    );
    let findings = step!(
        session,
        "verifying the contract",
        VERIFY_LIMIT,
        verify::verify(target, &started.from_here, database.as_ref())
    );
    verify::require_all(&findings)?;
    step!(
        session,
        "warming up",
        WARM_UP_LIMIT,
        warm_up(session, context, &started, generator)
    );
    // What verification and warm-up have written goes too: each measurement begins with an empty table.
    let subject = audit::Subject {
        target,
        at: &started.from_here,
        counters: started.counters.as_ref(),
        database: database.as_ref(),
        run_label: &context.label,
    };
    let (before, baseline) = step!(session, "preparing the data", DATABASE_LIMIT, async {
        let before = match &database {
            Some(database) => {
                settle(database, target.scenario).await?;
                Some(database.counters().await?)
            }
            None => None,
        };
        Ok::<_, anyhow::Error>((before, Baseline::take(subject).await?))
    });

    let limit = measure::limit(&session.plan);
    let measured = step!(
        session,
        "measuring",
        limit,
        measure::run(session, context, &started, generator)
    );
    let summary = Summary::read(&measured.summary)?;
    let audit = step!(
        session,
        "auditing",
        AUDIT_LIMIT,
        audit::audit(subject, &baseline, &summary.claims())
    );
    let counts = audit.counts.as_ref().map(recorded_as);
    if let Some(counts) = &counts {
        session.store.set_audit(context.run, counts).await?;
    }
    if let Some(stats) = &audit.stats {
        session.store.set_scenario_stats(context.run, stats).await?;
    }
    if let (Some(database), Some(before)) = (&database, &before) {
        let stats = database.stats_since(before).await?;
        session
            .store
            .set_database_stats(context.run, &stats)
            .await?;
    }

    let facts = import::Facts {
        timed: session.plan.mode.is_timed(),
        boundaries: session.plan.mode.boundaries(session.plan.phase_scale),
        allowance: session.backend.allowance(),
        sampled: started.probe.is_some(),
        debug_build: session.debug_build,
        findings: &findings,
        scenario: target.scenario,
        audit: Some(&audit),
    };
    let store = session.store.clone();
    let imported = step!(
        session,
        "importing",
        IMPORT_LIMIT,
        import::import(&store, context.run, &summary, &facts)
    );
    let per_request = summary.weir.events_per_iteration.unwrap_or(1) as f64;
    let figures = Figures {
        scenario: target.scenario,
        timed: facts.timed,
        throughput_per_sec: imported.performance.throughput_per_sec * per_request,
        p95_ms: imported.performance.latency.p95,
        errors: imported.performance.failed_requests,
        audit: counts,
        passed: audit.passed,
        audit_sentence: audit.sentence,
        invalid_reasons: imported.invalid_reasons,
    };
    Ok((figures, summary.measured_seconds()))
}

async fn start(session: &mut Session, target: &Target) -> Result<Started> {
    if let Some(endpoint) = target.address() {
        let counters = target.counters.as_ref().map(|at| CountersAt {
            endpoint: Endpoint {
                port: at.port.unwrap_or(endpoint.port),
                ..endpoint.clone()
            },
            path: at.path.clone(),
        });
        return Ok(Started {
            counters,
            from_here: endpoint.clone(),
            from_generator: endpoint,
            probe: None,
        });
    }
    session.backend.start_target(target).await
}

async fn healthy(session: &mut Session, target: &Target, started: &Started) -> Result<()> {
    let backend = &mut session.backend;
    let alive = || backend.check_target();
    verify::wait_healthy(target, &started.from_here, HEALTHY_LIMIT, alive).await?;
    // What answered may be somebody else on a port that the target found taken.
    backend.check_target()
}

async fn warm_up(
    session: &mut Session,
    context: &Running<'_>,
    started: &Started,
    generator: &mut Option<Generator>,
) -> Result<()> {
    let mut env = environment(session, context, started);
    set(&mut env, "TEST_MODE", "warmup");
    set(&mut env, "RUN_ID", &format!("{}-w", context.label));
    if !session.plan.mode.is_timed() {
        set(&mut env, "WARMUP_ITERATIONS", &SMOKE_WARM_UP.to_string());
    }
    let job = Job {
        script: context.cell.target.script.clone(),
        env,
        summary: None,
        log: context.results.with_extension("k6.log"),
        paused: false,
        name: format!("weir-k6-{}-w", context.label),
    };
    let running = generator.insert(session.backend.start_generator(&job).await?);
    let status = running.process.wait().await?;
    running.judge_exit(status)?;
    *generator = None;
    Ok(())
}

/// Stops generator and target. The logs of a cell that did not complete are kept beside its results.
async fn clean_up(
    session: &mut Session,
    context: &Running<'_>,
    generator: Option<Generator>,
    status: RunStatus,
) -> Result<()> {
    session.progress.step("stopping");
    let generator_stopped = match generator {
        Some(generator) => session.backend.stop_generator(generator).await,
        None => Ok(()),
    };
    if status == RunStatus::Failed {
        let log = context.results.with_extension("service.log");
        if let Err(error) = session.backend.save_logs(&log).await {
            tracing::warn!(%error, "the service's log could not be kept");
        }
    } else {
        // k6 says the same in its summary.
        let log = context.results.with_extension("k6.log");
        if status == RunStatus::Completed && log.exists() {
            fs::remove_file(&log)?;
        }
    }
    session.backend.stop_targets().await?;
    generator_stopped
}
