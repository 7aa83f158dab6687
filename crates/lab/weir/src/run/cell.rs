//! One cell of the matrix: stop all others, fresh database, start, healthy, verify, warm up, measure, audit,
//! import, stop. Each step has a time limit; a failure ends the cell and not the session.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab_bench::k6::Generator;
use lab_bench::started::Started;
use lab_contract::audit::Baseline;
use lab_contract::{audit, verify};
use lab_model::allowance::Allowance;
use lab_model::driver::Driver;
use lab_model::files;
use lab_model::plan::layout::Cell;
use lab_model::scenario::Data;
use lab_model::targets::Target;
use lab_trial::ceiling;
use lab_trial::judged::{self, Measured, judge};
use metrics_db::{NewRun, RunStatus};
use serde_json::Value;

use super::bench::Bench;
use super::clean_up::clean_up;
use super::data::{fresh, settle};
use super::distance;
use super::measure;
use super::outcome::{Figures, Outcome};
use super::ready::{contract, healthy, healthy_limit, start, warm_up};
use super::running::Running;
use crate::audit::recorded_as;
use crate::own::around;
use crate::session_id::timestamp;

const STOP_LIMIT: Duration = Duration::from_secs(90);
const DATABASE_LIMIT: Duration = Duration::from_secs(120);
const START_LIMIT: Duration = Duration::from_secs(240);
const VERIFY_LIMIT: Duration = Duration::from_secs(60);
const WARM_UP_LIMIT: Duration = Duration::from_secs(180);
const AUDIT_LIMIT: Duration = Duration::from_secs(900);
const IMPORT_LIMIT: Duration = Duration::from_secs(60);

/// Runs a cell to its end, whatever that is.
pub(crate) async fn run(bench: &mut Bench, cell: &Cell, label: String) -> Outcome {
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
    bench.progress.cell(&outcome.name(bench.plan.cells.len()));
    let context = match begin(bench, cell, label).await {
        Ok(context) => context,
        Err(error) => {
            outcome.error = Some(format!("could not be recorded: {error:#}"));
            return outcome;
        }
    };
    outcome.run = Some(context.run);

    let mark = bench.backend.log_mark();
    let mut generator = None;
    let measured = steps(bench, &context, &mut generator).await;
    let stopped = bench.stop.is_requested() && measured.is_err();
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
            let trouble = bench.backend.database_trouble(&mark).await;
            let trouble = trouble.map_or_else(String::new, |why| format!("; {why}"));
            outcome.error = Some(format!("{error:#}{trouble}"));
        }
    }
    if let Err(error) = clean_up(bench, &context, generator, outcome.status).await {
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
    if let Err(problem) = bench
        .store
        .finish_run(context.run, outcome.status, duration, error)
        .await
    {
        bench.progress.say(&format!(
            "run {} could not be recorded: {problem}",
            context.run
        ));
        outcome.status = RunStatus::Failed;
    }
    outcome
}

/// The row of the run, and the names of its files.
async fn begin<'a>(bench: &Bench, cell: &'a Cell, label: String) -> Result<Running<'a>> {
    let target = &cell.target;
    let run = NewRun {
        session_id: Some(bench.session.clone()),
        api_name: target.name.clone(),
        scenario: target.scenario.to_string(),
        test_mode: bench.plan.mode_name.clone(),
        payload_size: cell.payload.clone(),
        protocol: target.protocol.as_str().into(),
        language: target.language.clone(),
        framework: target.framework.clone(),
        driver: bench.plan.driver_of(target).as_str().into(),
        run_label: label.clone(),
        trial: i32::try_from(cell.trial)?,
        run_order: i32::try_from(cell.order)?,
        seed: i64::try_from(bench.plan.seed)?,
        phase_scale: bench.plan.phase_scale,
    };
    let directory = bench.root.join(files::SUMMARIES).join(&target.name);
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let file = format!(
        "{}-{}-{}-{}",
        target.name,
        bench.plan.mode_name,
        cell.payload,
        timestamp()?
    );
    let run = bench.store.create_run(&run).await?;
    Ok(Running {
        cell,
        run,
        label,
        results: directory.join(file),
    })
}

/// A step under its name and time limit, given up as soon as the user stops the session.
macro_rules! step {
    ($bench:expr, $name:literal, $limit:expr, $work:expr) => {{
        $bench.progress.step($name);
        let stop = $bench.stop.clone();
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
    bench: &mut Bench,
    context: &Running<'_>,
    generator: &mut Option<Generator>,
) -> Result<(Figures, f64)> {
    let target = &context.cell.target;
    step!(
        bench,
        "stopping all others",
        STOP_LIMIT,
        bench.backend.stop_targets()
    );
    let database = step!(
        bench,
        "preparing the data",
        DATABASE_LIMIT,
        fresh(bench, target)
    );
    if let Some(own) = &bench.own {
        let setup = &own.project.setup;
        let trial = context.trial(None);
        step!(bench, "setting up", AUDIT_LIMIT, around::all(setup, &trial));
    }
    let mut started = step!(bench, "starting", START_LIMIT, start(bench, target));
    step!(
        bench,
        "waiting until healthy",
        healthy_limit(target) + Duration::from_secs(5),
        healthy(bench, target, &started)
    );
    let findings = step!(
        bench,
        "verifying the contract",
        VERIFY_LIMIT,
        contract(bench, context, &started, database.as_ref(), generator)
    );
    verify::require_all(&findings)?;
    // The contract is checked without it: its limits are for a target that is near.
    let (distance, seed) = (bench.plan.request.distance, bench.plan.seed);
    let _network = distance::between(distance, seed, &mut started).await?;
    step!(
        bench,
        "warming up",
        WARM_UP_LIMIT,
        warm_up(bench, context, &started, generator)
    );
    caught_up(bench, &started).await?;
    // What verification and warm-up have written goes too: each measurement begins with an empty table.
    let subject = audit::Subject {
        target,
        at: &started.from_here,
        counters: started.counters.as_ref(),
        database: database.as_ref(),
        run_label: &context.label,
    };
    let (before, baseline) = step!(bench, "preparing the data", DATABASE_LIMIT, async {
        let before = match &database {
            Some(database) => {
                settle(database, target.scenario).await?;
                Some(database.counters().await?)
            }
            None => None,
        };
        Ok::<_, anyhow::Error>((before, Baseline::take(subject).await?))
    });

    let look = bench
        .own
        .as_ref()
        .and_then(|own| own.project.audit.as_ref());
    let look = look.map(|audit| audit.look.clone());
    let during = context.trial(Some(&started));
    let found_before = match &look {
        Some(look) => Some(
            step!(
                bench,
                "looking before",
                AUDIT_LIMIT,
                around::number(look, &during)
            )
            .0,
        ),
        None => None,
    };

    let limit = measure::limit(&bench.plan, target.scenario);
    let measured = step!(
        bench,
        "measuring",
        limit,
        measure::run(bench, context, &started, generator)
    );
    let waited = caught_up(bench, &started).await?;
    // Before the audit, whose own writes are none of the run's.
    if let (Some(database), Some(before)) = (&database, &before) {
        let stats = database.stats_since(before).await?;
        bench.store.set_database_stats(context.run, &stats).await?;
    }
    let audit = step!(bench, "auditing", AUDIT_LIMIT, async {
        match (&look, found_before) {
            (Some(look), Some(before)) => {
                let (after, how) = around::number(look, &during).await?;
                Ok(audit::of_own(
                    &measured.claims.counts,
                    Some((after - before, &how)),
                ))
            }
            _ => audit::audit(subject, &baseline, &measured.claims).await,
        }
    })
    .after_waiting(waited);
    let counts = audit.counts.as_ref().map(recorded_as);
    if let Some(counts) = &counts {
        bench.store.set_audit(context.run, counts).await?;
    }
    if let Some(stats) = together(measured.all_stats().as_ref(), audit.stats.as_ref()) {
        bench.store.set_scenario_stats(context.run, &stats).await?;
    }

    let timed = bench.plan.mode.is_timed();
    let (boundaries, paused) = measure::boundaries(bench, target);
    let ceiling = match target.null {
        true => None,
        false => {
            let driver = bench.plan.driver_of(target);
            let payload = &context.cell.payload;
            ceiling::of(&bench.store, &bench.environment, driver, target, payload).await?
        }
    };
    let samples = judged::samples(&bench.store, context.run, timed, &boundaries).await?;
    let judged = judge(&Measured {
        generated: &measured,
        samples: &samples,
        timed,
        boundaries: &boundaries,
        paused,
        ceiling,
        allowance: allowance(bench, target),
        sampled: started.probe.is_some(),
        debug_build: bench.debug_build,
        findings: &findings,
        audit: Some(&audit),
        criteria: &bench.plan.mode.criteria,
    });
    let store = bench.store.clone();
    step!(
        bench,
        "importing",
        IMPORT_LIMIT,
        judged.store(&store, context.run)
    );
    let figures = Figures {
        scenario: target.scenario,
        timed,
        throughput_per_sec: judged.performance.throughput_per_sec * measured.events_per_request,
        p95_ms: judged.performance.latency.p95,
        errors: judged.performance.failed_requests,
        audit: counts,
        passed: audit.passed,
        audit_sentence: judged.words("audit").unwrap_or_default(),
        invalid_reasons: judged.reasons(),
    };
    Ok((figures, measured.measured_seconds))
}

/// What generator and audit say beside the figures that all scenarios have; where both say it, the audit's word counts.
fn together(generated: Option<&Value>, audited: Option<&Value>) -> Option<Value> {
    let objects = [generated, audited].map(|stats| stats.and_then(Value::as_object));
    let all: serde_json::Map<String, Value> = objects
        .into_iter()
        .flatten()
        .flat_map(|stats| stats.clone())
        .collect();
    (!all.is_empty()).then_some(Value::Object(all))
}

/// Waits until a target that acknowledges first has done its work; how long that took.
async fn caught_up(bench: &mut Bench, started: &Started) -> Result<Option<Duration>> {
    match &started.counters {
        Some(at) if at.lag.is_some() => Ok(step!(
            bench,
            "waiting until the lag is zero",
            AUDIT_LIMIT,
            at.caught_up()
        )),
        _ => Ok(None),
    }
}

/// What each part may use: `benchmark` has as many cores as threads.
fn allowance(bench: &Bench, target: &Target) -> Allowance {
    let mut allowance = bench.backend.allowance();
    if target.scenario.data() == Data::None {
        allowance.database = None;
    }
    if bench.plan.driver_of(target) == Driver::Benchmark {
        allowance.generator = lab_bench::benchmark::threads() as f64;
    }
    allowance
}
