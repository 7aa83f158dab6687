//! What comes before a measurement: the target started, healthy, checked against its contract, and warm.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use lab_bench::k6::{Generator, Job};
use lab_bench::started::Started;
use lab_contract::application_db::ApplicationDb;
use lab_contract::audit::CountersAt;
use lab_contract::verify::{self, Finding};
use lab_model::driver::Driver;
use lab_model::endpoint::Endpoint;
use lab_model::targets::Target;

use super::bench::Bench;
use super::by_benchmark;
use super::running::Running;
use super::script::{environment, script, set};
use crate::own::service::Part;
use crate::own::tried::{self, Tried};

const HEALTHY_LIMIT: Duration = Duration::from_secs(60);

/// A smoke run warms up briefly, so that it exercises the same steps as a measurement.
const SMOKE_WARM_UP: u32 = 20;

/// Requests of other warm-ups by `benchmark`; those of k6 are in `load-test/k6/lib/modes.json`.
const WARM_UP: u32 = 1000;

/// Starts the target; one that has an address is there already.
pub(super) async fn start(bench: &mut Bench, target: &Target) -> Result<Started> {
    if let Some(endpoint) = target.address() {
        let endpoint = endpoint.given(&bench.access);
        let counters = target.counters.as_ref().map(|at| CountersAt {
            endpoint: Endpoint {
                port: at.port.unwrap_or(endpoint.port),
                ..endpoint.clone()
            },
            path: at.path.clone(),
            lag: at.lag.clone(),
        });
        return Ok(Started {
            counters,
            from_here: endpoint.clone(),
            from_generator: endpoint,
            probe: None,
        });
    }
    bench.backend.start_target(target).await
}

/// How long it may take to be healthy. A target that works from a log starts when the log has started.
pub(super) fn healthy_limit(target: &Target) -> Duration {
    HEALTHY_LIMIT * if target.is_done_later() { 3 } else { 1 }
}

/// Waits until it answers that it is healthy.
pub(super) async fn healthy(bench: &mut Bench, target: &Target, started: &Started) -> Result<()> {
    let backend = &mut bench.backend;
    let alive = || backend.check_target();
    let limit = healthy_limit(target);
    verify::wait_healthy(target, &started.from_here, limit, alive).await?;
    // Another process may own the port: check that our target is still alive.
    backend.check_target()
}

/// The cases of the target's contract; a user's own target is asked each of its requests once.
pub(super) async fn contract(
    bench: &mut Bench,
    context: &Running<'_>,
    started: &Started,
    database: Option<&ApplicationDb>,
    generator: &mut Option<Generator>,
) -> Result<Vec<Finding>> {
    let cell = context.cell;
    let Some(own) = &bench.own else {
        return verify::verify(&cell.target, &started.from_here, database).await;
    };
    if own.scenario(&cell.payload)?.script.is_some() {
        // Only the script knows what it expects.
        return Ok(Vec::new());
    }
    let of = (&cell.target, cell.payload.as_str());
    let log = context.results.with_extension("check.log");
    let seed = bench.plan.seed;
    let tried = tried::all(
        &mut bench.backend,
        own,
        of,
        started,
        (seed, log.clone()),
        generator,
    );
    let findings: Vec<Finding> = tried.await?.iter().map(Tried::finding).collect();
    fs::remove_file(&log).context("the log of the check")?;
    Ok(findings)
}

/// Makes load that no figure holds.
pub(super) async fn warm_up(
    bench: &mut Bench,
    context: &Running<'_>,
    started: &Started,
    generator: &mut Option<Generator>,
) -> Result<()> {
    if bench.plan.driver_of(&context.cell.target) == Driver::Benchmark {
        let iterations = if bench.plan.mode.is_timed() {
            WARM_UP
        } else {
            SMOKE_WARM_UP
        };
        return by_benchmark::warm(bench, context, started, generator, iterations.into()).await;
    }
    let mut env = environment(bench, context, started, Part::WarmUp)?;
    set(&mut env, "TEST_MODE", "warmup");
    set(&mut env, "RUN_ID", &format!("{}-w", context.label));
    if !bench.plan.mode.is_timed() {
        set(&mut env, "WARMUP_ITERATIONS", &SMOKE_WARM_UP.to_string());
    }
    let job = Job {
        script: script(bench, context)?,
        env,
        token: started.from_generator.access.token.clone(),
        summary: None,
        log: context.results.with_extension("k6.log"),
        paused: false,
        name: format!("weir-k6-{}-w", context.label),
    };
    let running = generator.insert(bench.backend.start_generator(&job).await?);
    let status = running.process.wait().await?;
    running.judge_exit(status)?;
    *generator = None;
    Ok(())
}
