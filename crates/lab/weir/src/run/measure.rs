//! One measurement: k6 is prepared, the sampler told when it begins, the first phase begun at that moment, and
//! both watched to the end.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab_bench::k6::{Generator, Job, Watch};
use lab_bench::started::Started;
use lab_model::plan::Plan;
use lab_model::scenario::Data;
use metrics_db::{Role, Sampling, Store};
use time::OffsetDateTime;

use super::bench::Bench;
use super::running::Running;
use super::script::environment;

/// Preparing 2,000 virtual users with large payloads takes its time.
const PREPARE_LIMIT: Duration = Duration::from_secs(300);

/// From telling the sampler to the first phase: it asks five times a second.
const LEAD: Duration = Duration::from_millis(700);

/// How long the sampler may take to store the last boundary.
const LAST_SAMPLE_LIMIT: Duration = Duration::from_secs(4);

/// What a measurement leaves.
pub(crate) struct Measured {
    /// k6's summary.
    pub(crate) summary: PathBuf,
}

/// How long a measurement may take: its phases, and time to prepare, to end and to summarise.
pub(crate) fn limit(plan: &Plan) -> Duration {
    let untimed = if plan.mode.is_timed() {
        Duration::ZERO
    } else {
        Duration::from_secs(300)
    };
    plan.mode.expected(plan.phase_scale) + PREPARE_LIMIT + Duration::from_secs(180) + untimed
}

/// Runs it. The generator stays in `generator` until it has ended by itself.
pub(crate) async fn run(
    bench: &mut Bench,
    context: &Running<'_>,
    started: &Started,
    generator: &mut Option<Generator>,
) -> Result<Measured> {
    let summary = context.results.with_extension("json");
    let job = Job {
        script: context.cell.target.script.clone(),
        env: environment(bench, context, started),
        token: started.from_generator.access.token.clone(),
        summary: Some(summary.clone()),
        log: context.results.with_extension("k6.log"),
        paused: true,
        name: format!("weir-k6-{}", context.label),
    };
    let running = generator.insert(bench.backend.start_generator(&job).await?);
    running.wait_paused(PREPARE_LIMIT).await?;

    let begin = OffsetDateTime::now_utc() + LEAD;
    let boundaries = bench.plan.mode.boundaries(bench.plan.phase_scale);
    let sampling = Sampling {
        target: started.probe.clone(),
        database: match context.cell.target.scenario.data() {
            Data::None => None,
            Data::Empty | Data::Seeded => bench.backend.database_probe(),
        },
        generator: Some(bench.backend.generator_probe(running)),
        measured_from_us: Some(i64::try_from(begin.unix_timestamp_nanos() / 1000)?),
        boundaries_s: boundaries.clone(),
        interval_s: 1.0,
    };
    bench.store.set_sampling(context.run, &sampling).await?;
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
    Ok(Measured { summary })
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
        bench
            .backend
            .check_target()
            .context("the service ended while it was measured")?;
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
