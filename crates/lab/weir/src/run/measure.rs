//! One measurement: its generator is prepared, the sampler told when it begins, the first phase begun at that moment, and
//! both watched to the end.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab_bench::k6::{Generator, Job, Watch};
use lab_bench::started::Started;
use lab_host::child::tail;
use lab_model::driver::Driver;
use lab_model::generators::Generators;
use lab_model::plan::Plan;
use lab_model::scenario::{Data, Scenario};
use lab_model::targets::Target;
use lab_trial::benchmark_result::{self, Part};
use lab_trial::generated::Generated;
use lab_trial::summary::Summary;
use metrics_db::{Role, Sampling, Store};
use time::OffsetDateTime;

use super::bench::Bench;
use super::by_benchmark;
use super::generators::{self, Begun};
use super::running::Running;
use super::script::{environment, script};
use crate::own::service::Part as Requests;

/// Preparing 2,000 virtual users with large payloads takes its time.
const PREPARE_LIMIT: Duration = Duration::from_secs(300);

/// From telling the sampler to the first phase: it asks five times a second.
const LEAD: Duration = Duration::from_millis(700);

/// What is said of a target that ended too soon.
const TARGET_ENDED: &str = "the service ended while it was measured";

/// How long the sampler may take to store the last boundary.
const LAST_SAMPLE_LIMIT: Duration = Duration::from_secs(4);

/// How long a measurement may take: its phases, and time to prepare, to end and to summarise.
pub(crate) fn limit(plan: &Plan, scenario: Scenario) -> Duration {
    let untimed = if plan.mode.is_timed() {
        Duration::ZERO
    } else {
        Duration::from_secs(300)
    };
    let pauses =
        by_benchmark::pause(scenario) * u32::try_from(plan.mode.phases.len()).unwrap_or(u32::MAX);
    plan.mode.expected(plan.phase_scale)
        + pauses
        + PREPARE_LIMIT
        + Duration::from_secs(180)
        + untimed
}

/// The boundaries of the phases in seconds from the start of the first, and whether pauses lie between them.
pub(crate) fn boundaries(bench: &Bench, target: &Target) -> (Vec<f64>, bool) {
    match bench.plan.driver_of(target) {
        Driver::K6 => (bench.plan.mode.boundaries(bench.plan.phase_scale), false),
        Driver::Benchmark => (by_benchmark::boundaries(&bench.plan, target.scenario), true),
    }
}

/// Runs it. The generator stays in `generator` until it has ended by itself.
pub(crate) async fn run(
    bench: &mut Bench,
    context: &Running<'_>,
    started: &Started,
    generator: &mut Option<Generator>,
) -> Result<Generated> {
    match bench.plan.driver_of(&context.cell.target) {
        Driver::K6 => by_k6(bench, context, started, generator).await,
        Driver::Benchmark => match bench.plan.request.generators.clone() {
            Some(all) => together(bench, context, started, &all).await,
            None => with_benchmark(bench, context, started, generator).await,
        },
    }
}

/// By several generators. All are stopped as soon as one of them dies.
async fn together(
    bench: &mut Bench,
    context: &Running<'_>,
    started: &Started,
    generators: &Generators,
) -> Result<Generated> {
    let Begun {
        mut group,
        at,
        results,
        skews,
    } = generators::begin(bench, generators, context, started).await?;
    let boundaries = tell_sampler(bench, context, started, None, at).await?;
    let ended = {
        let mut every = tokio::time::interval(Duration::from_secs(1));
        let mut ended = pin!(group.wait());
        loop {
            tokio::select! {
                ended = &mut ended => break ended,
                _ = every.tick() => {}
            }
            if let Err(error) = bench.backend.check_target() {
                break Err(error.context(TARGET_ENDED));
            }
        }
    };
    group.stop().await?;
    ended?;
    wait_for_samples(&bench.store, context.run, boundaries.len() - 1).await?;
    let parts: Vec<Part<'_>> = generators
        .each
        .iter()
        .zip(&results)
        .zip(skews)
        .map(|((one, result), skew)| Part {
            name: &one.name,
            result,
            skew,
            max_skew_ms: generators.max_skew_ms,
        })
        .collect();
    let mut generated = benchmark_result::read_all(&parts, &phase_names(&bench.plan))?;
    generated.of_batches(&context.cell.target);
    Ok(generated)
}

fn phase_names(plan: &Plan) -> Vec<String> {
    let phases = plan.mode.phases.iter();
    phases.map(|phase| phase.name.clone()).collect()
}

async fn with_benchmark(
    bench: &mut Bench,
    context: &Running<'_>,
    started: &Started,
    generator: &mut Option<Generator>,
) -> Result<Generated> {
    let result = context.results.with_extension("json");
    let begin = by_benchmark::begin(bench, context, started, generator, &result).await?;
    let running = generator
        .as_mut()
        .context("the generator was not started")?;
    let boundaries = tell_sampler(bench, context, started, Some(running), begin).await?;
    let mut every = tokio::time::interval(Duration::from_secs(1));
    let status = loop {
        tokio::select! {
            ended = running.process.wait() => break ended?,
            _ = every.tick() => {}
        }
        bench.backend.check_target().context(TARGET_ENDED)?;
    };
    by_benchmark::ended_well(&running.process, status)?;
    ensure!(
        result.is_file(),
        "benchmark left no result; its log {} says:\n{}",
        running.process.log().display(),
        tail(running.process.log(), 5)
    );
    *generator = None;
    if bench.plan.mode.is_timed() {
        wait_for_samples(&bench.store, context.run, boundaries.len() - 1).await?;
    }
    let mut generated = benchmark_result::read(&result, &phase_names(&bench.plan))?;
    generated.of_batches(&context.cell.target);
    Ok(generated)
}

/// Tells the sampler what to sample and when the first phase begins; answers the boundaries.
async fn tell_sampler(
    bench: &Bench,
    context: &Running<'_>,
    started: &Started,
    running: Option<&Generator>,
    begin: OffsetDateTime,
) -> Result<Vec<f64>> {
    let (boundaries, _) = boundaries(bench, &context.cell.target);
    let sampling = Sampling {
        target: started.probe.clone(),
        database: match context.cell.target.data() {
            Data::None => None,
            Data::Empty | Data::Seeded => bench.backend.database_probe(),
        },
        // Of several generators each says itself what it used.
        generator: running.map(|running| bench.backend.generator_probe(running)),
        measured_from_us: Some(i64::try_from(begin.unix_timestamp_nanos() / 1000)?),
        boundaries_s: boundaries.clone(),
        interval_s: 1.0,
    };
    bench.store.set_sampling(context.run, &sampling).await?;
    Ok(boundaries)
}

async fn by_k6(
    bench: &mut Bench,
    context: &Running<'_>,
    started: &Started,
    generator: &mut Option<Generator>,
) -> Result<Generated> {
    let summary = context.results.with_extension("json");
    let job = Job {
        script: script(bench, context)?,
        env: environment(bench, context, started, Requests::Measured)?,
        token: started.from_generator.access.token.clone(),
        summary: Some(summary.clone()),
        log: context.results.with_extension("k6.log"),
        paused: true,
        name: format!("weir-k6-{}", context.label),
    };
    let running = generator.insert(bench.backend.start_generator(&job).await?);
    running.wait_paused(PREPARE_LIMIT).await?;

    let begin = OffsetDateTime::now_utc() + LEAD;
    let boundaries = tell_sampler(bench, context, started, Some(running), begin).await?;
    let wait = begin - OffsetDateTime::now_utc();
    tokio::time::sleep(wait.try_into().unwrap_or_default()).await;
    running.resume().await?;

    watch(bench, context, running).await?;
    let status = running.process.wait().await?;
    running.judge_exit(status)?;
    *generator = None;
    ensure!(
        summary.is_file(),
        "k6 left no summary at {}",
        summary.display()
    );
    if bench.plan.mode.is_timed() {
        wait_for_samples(&bench.store, context.run, boundaries.len() - 1).await?;
    }
    let summary = Summary::read(&summary)?;
    let mut generated = summary.generated();
    if let Some(own) = &bench.own {
        generated.claims.counts = own.counts(&summary);
    }
    Ok(generated)
}

/// Shows the figures once a second until k6 ends; an error when the target ends first.
async fn watch(bench: &mut Bench, context: &Running<'_>, running: &mut Generator) -> Result<()> {
    let mode = bench.plan.mode.clone();
    let mut watch = Watch::new(context.cell.target.protocol, &mode, bench.plan.phase_scale);
    let mut every = tokio::time::interval(Duration::from_secs(1));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ended = running.process.wait() => {
                ended?;
                return Ok(());
            }
            _ = every.tick() => {}
        }
        bench.backend.check_target().context(TARGET_ENDED)?;
        if let Some(load) = watch.look(running).await {
            bench.progress.load(load);
        }
    }
}

/// Waits until the sampler has stored the last boundary. Where it never does, the checks say so.
async fn wait_for_samples(store: &Store, run: i64, last: usize) -> Result<()> {
    let last = i32::try_from(last)?;
    let deadline = tokio::time::Instant::now() + LAST_SAMPLE_LIMIT;
    loop {
        let samples = store.samples(run).await?;
        let stored = samples
            .iter()
            .any(|s| s.boundary == Some(last) && s.role == Role::Host);
        if stored || tokio::time::Instant::now() > deadline {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
