//! A measurement by the lab's own generator: what `benchmark` is told, when it begins, and that it ended well.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab_bench::backend::Backend;
use lab_bench::benchmark::{BenchmarkJob, threads};
use lab_bench::generators::leaves_a_result;
use lab_bench::k6::Generator;
use lab_bench::started::Started;
use lab_host::child::{Spawned, tail};
use lab_model::endpoint::Endpoint;
use lab_model::modes::{Mode, Phase};
use lab_model::plan::Plan;
use lab_model::scenario::Scenario;
use lab_model::targets::Target;
use time::OffsetDateTime;

use super::bench::Bench;
use super::running::Running;
use crate::own::service::{Part, Told};

/// Until the first measured window: connections are opened, and load begins that is not measured.
pub(super) const LEAD: Duration = Duration::from_secs(3);

/// The same in Docker, where a container has to start first.
const LEAD_OF_CONTAINERS: Duration = Duration::from_secs(15);

/// Between two phases: connections are opened, and the rest is load that no figure holds.
const PAUSE: Duration = Duration::from_secs(3);

/// The same where streams are measured: the last events of a phase are waited for, 5 s at most.
const STREAM_PAUSE: Duration = Duration::from_secs(10);

/// The virtual users' load of a phase that iterations bound ends after this at the latest.
const ITERATIONS_LIMIT: Duration = Duration::from_secs(280);

/// Live transactions a second where the mode has no rate.
const FEED_RATE: f64 = 100.0;

/// What makes the load of one cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim<'a> {
    /// What is measured.
    pub(super) target: &'a Target,
    /// Where it listens, as the generator sees it.
    pub(super) at: &'a Endpoint,
    /// Payload name.
    pub(super) payload: &'a str,
    /// What the events carry.
    pub(super) run_id: &'a str,
    /// Threads that make the load.
    pub(super) threads: usize,
}

/// The pause between two phases.
pub(super) fn pause(scenario: Scenario) -> Duration {
    match scenario {
        Scenario::Stream => STREAM_PAUSE,
        Scenario::Ingest | Scenario::Balance | Scenario::Log | Scenario::Own => PAUSE,
    }
}

/// Seconds from the start of the first phase to the start and the end of each, pauses between them.
pub(super) fn boundaries(plan: &Plan, scenario: Scenario) -> Vec<f64> {
    plan.mode
        .boundaries_with_pauses(plan.phase_scale, pause(scenario).as_secs_f64())
}

/// The arguments of a measurement under the plan's mode that begins at `begin_us` (microseconds since 1970; none: at once).
pub(super) fn arguments(aim: Aim<'_>, plan: &Plan, begin_us: Option<i128>) -> Vec<String> {
    let scenario = aim.target.scenario;
    let mut all = common(aim, plan);
    all.push(format!("--steps={}", steps(&plan.mode, plan.phase_scale)));
    all.push(format!("--pause={}s", pause(scenario).as_secs()));
    match scenario {
        Scenario::Stream => all.extend(of_streams(plan)),
        Scenario::Ingest | Scenario::Balance | Scenario::Log | Scenario::Own => {
            all.extend(of_requests(plan, aim.target));
        }
    }
    all.extend(begin_us.map(|at| format!("--begin-at={at}")));
    all
}

/// How many requests, at which distances. A rate is one of events, whatever a request holds of them.
fn of_requests(plan: &Plan, target: &Target) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(iterations) = plan.mode.phases.first().and_then(|phase| phase.iterations) {
        all.extend([format!("--requests={iterations}"), "--warmup=0s".into()]);
    }
    if plan.mode.think_time_ms > 0.0 {
        all.push(format!(
            "--think-time={}us",
            (plan.mode.think_time_ms * 1000.0).round()
        ));
    }
    let rate = plan.mode.rate_of(target.scenario);
    let rate = rate.map(|events| events / f64::from(target.batch.unwrap_or(1)));
    all.extend(rate.map(|rate| format!("--rate={rate}")));
    all
}

/// Subscribers of live transactions, so that delivery counts from the commit; a phase that iterations bound replays so many
/// of those that are there.
fn of_streams(plan: &Plan) -> Vec<String> {
    match plan.mode.phases.first().and_then(|phase| phase.iterations) {
        Some(events) => vec![format!("--limit={events}")],
        None => {
            let rate = plan.mode.rate_of(Scenario::Stream).unwrap_or(FEED_RATE);
            vec!["--live".into(), format!("--feed-rate={rate}")]
        }
    }
}

/// The arguments of a warm-up: `iterations` requests by at most ten workers, or so many events to as many subscribers.
pub(super) fn warm_up(aim: Aim<'_>, plan: &Plan, iterations: u64) -> Vec<String> {
    let mut all = common(aim, plan);
    let workers = if plan.mode.is_timed() { 10 } else { 1 };
    all.push(format!("--steps={workers}x{}s", ITERATIONS_LIMIT.as_secs()));
    match aim.target.scenario {
        Scenario::Stream => all.push(format!("--limit={iterations}")),
        Scenario::Ingest | Scenario::Balance | Scenario::Log | Scenario::Own => {
            all.extend([format!("--requests={iterations}"), "--warmup=0s".into()]);
        }
    }
    all
}

fn common(aim: Aim<'_>, plan: &Plan) -> Vec<String> {
    let Aim {
        target,
        at,
        payload,
        run_id,
        threads,
    } = aim;
    let mut all = vec![
        format!("--scenario={}", target.scenario),
        format!("--protocol={}", target.protocol.as_str()),
        format!(
            "--url={}://{}:{}",
            at.access.scheme(),
            at.url_host(),
            at.port
        ),
        format!("--run-id={run_id}"),
        format!("--threads={threads}"),
        "--progress=plain".into(),
    ];
    if target.scenario == Scenario::Ingest {
        all.push(format!("--payload={payload}"));
        all.extend(target.batch.map(|batch| format!("--batch={batch}")));
    }
    if matches!(
        target.scenario,
        Scenario::Ingest | Scenario::Balance | Scenario::Own
    ) {
        all.push(format!("--seed={}", plan.seed));
    }
    if target.scenario != Scenario::Own {
        all.extend(target.path().map(|path| format!("--path={path}")));
    }
    all
}

/// `10x120000000us,50x120000000us`.
fn steps(mode: &Mode, scale: f64) -> String {
    let step = |phase: &Phase| {
        let length = phase.seconds.map_or(ITERATIONS_LIMIT, |seconds| {
            Duration::from_secs_f64(seconds * scale)
        });
        format!("{}x{}us", phase.vus, length.as_micros())
    };
    mode.phases.iter().map(step).collect::<Vec<_>>().join(",")
}

/// Warms the target up.
pub(super) async fn warm(
    bench: &mut Bench,
    context: &Running<'_>,
    started: &Started,
    generator: &mut Option<Generator>,
    iterations: u64,
) -> Result<()> {
    let run_id = format!("{}-w", context.label);
    let arguments = warm_up(aim(context, started, &run_id), &bench.plan, iterations);
    let own = own_requests(bench, context, Part::WarmUp)?;
    let job = job(context, started, arguments, own, None);
    let running = start(bench, job, generator).await?;
    let status = running.process.wait().await?;
    ended_well(&running.process, status)?;
    *generator = None;
    Ok(())
}

/// Starts a measurement and answers the moment at which its first window begins.
pub(super) async fn begin(
    bench: &mut Bench,
    context: &Running<'_>,
    started: &Started,
    generator: &mut Option<Generator>,
    result: &Path,
) -> Result<OffsetDateTime> {
    let lead = match &bench.backend {
        Backend::Docker(_) => LEAD_OF_CONTAINERS,
        Backend::Native(_) => LEAD,
    };
    let begin = OffsetDateTime::now_utc() + lead;
    // A phase that iterations bound begins at once.
    let timed = bench.plan.mode.is_timed();
    let begin_us = timed.then(|| begin.unix_timestamp_nanos() / 1000);
    let arguments = arguments(aim(context, started, &context.label), &bench.plan, begin_us);
    let own = own_requests(bench, context, Part::Measured)?;
    let job = job(context, started, arguments, own, Some(result));
    start(bench, job, generator).await?;
    Ok(if timed {
        begin
    } else {
        OffsetDateTime::now_utc()
    })
}

/// What is told besides of the requests of a user's own file.
pub(super) fn own_requests(bench: &Bench, context: &Running<'_>, part: Part) -> Result<Told> {
    let cell = context.cell;
    match &bench.own {
        Some(own) => own.for_benchmark(&cell.target, &cell.payload, bench.plan.seed, part),
        None => Ok(Told::default()),
    }
}

/// What the runtime is to start. A container of the warm-up may not be gone yet when that of the measurement begins.
fn job(
    context: &Running<'_>,
    started: &Started,
    mut arguments: Vec<String>,
    own: Told,
    result: Option<&Path>,
) -> BenchmarkJob {
    arguments.extend(own.arguments);
    let part = if result.is_some() { "" } else { "-w" };
    BenchmarkJob {
        arguments,
        env: own.variables,
        access: started.from_generator.access.clone(),
        inserts: context.cell.target.scenario == Scenario::Stream,
        result: result.map(Path::to_path_buf),
        log: context.results.with_extension("benchmark.log"),
        name: format!("weir-benchmark-{}{part}", context.label),
    }
}

async fn start<'a>(
    bench: &mut Bench,
    job: BenchmarkJob,
    generator: &'a mut Option<Generator>,
) -> Result<&'a mut Generator> {
    Ok(generator.insert(bench.backend.start_benchmark(&job).await?))
}

pub(super) fn aim<'a>(context: &'a Running<'_>, started: &'a Started, run_id: &'a str) -> Aim<'a> {
    Aim {
        target: &context.cell.target,
        at: &started.from_generator,
        payload: &context.cell.payload,
        run_id,
        threads: threads(),
    }
}

/// An error where it ended in a way that leaves no result.
pub(super) fn ended_well(process: &Spawned, status: std::process::ExitStatus) -> Result<()> {
    ensure!(
        leaves_a_result(status),
        "benchmark failed ({status}); its log {} says:\n{}",
        process.log().display(),
        tail(process.log(), 5)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use lab_model::driver::Driver;
    use lab_model::judging::Judging;
    use lab_model::modes::Modes;
    use lab_model::plan::Request;
    use lab_model::targets::Targets;

    use super::*;

    fn plan(mode: &str, target: &str, scale: f64) -> Plan {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let request = Request {
            mode: mode.into(),
            targets: vec![target.into()],
            payloads: Vec::new(),
            scenario: None,
            trials: None,
            rate: None,
            seed: 7,
            phase_scale: scale,
            cells: None,
            judging: Judging::default(),
            distance: None,
            generators: None,
            driver: Some(Driver::Benchmark),
            repeats: Vec::new(),
        };
        let (modes, targets) = (Modes::load(&root).unwrap(), Targets::load(&root).unwrap());
        Plan::new(&request, &modes, &targets).unwrap()
    }

    fn told(plan: &Plan) -> String {
        let at = Endpoint::local(8081);
        let target = &plan.cells[0].target;
        let aim = Aim {
            target,
            at: &at,
            payload: "4k",
            run_id: "r",
            threads: 1,
        };
        arguments(aim, plan, Some(5)).join(" ")
    }

    #[test]
    fn every_mode_is_told_as_steps() {
        let saturation = told(&plan("saturation", "producer-rest", 0.5));
        let steps = "--steps=10x60000000us,50x60000000us,100x60000000us,";
        assert!(
            saturation.contains(steps) && saturation.contains(",2000x60000000us"),
            "{saturation}"
        );
        assert!(
            saturation.contains("--payload=4k") && saturation.contains("--path=/api/v1/events")
        );
        assert!(told(&plan("full", "producer-rest", 1.0)).contains("--think-time=100000us"));
        let compare = told(&plan("compare", "producer-rest", 1.0));
        assert!(
            compare.contains("--rate=1000") && compare.contains("--steps=200x30000000us"),
            "{compare}"
        );
        assert!(compare.ends_with("--begin-at=5"), "{compare}");
        let smoke = told(&plan("smoke", "producer-rest", 1.0));
        assert!(
            smoke.contains("--requests=5") && smoke.contains("--steps=1x"),
            "{smoke}"
        );
    }

    #[test]
    fn a_rate_of_bulk_requests_is_one_of_events() {
        let told = told(&plan("compare", "producer-rest-bulk-10", 1.0));
        for part in ["--batch=10", "--rate=100", "--path=/api/v1/events"] {
            assert!(told.split(' ').any(|one| one == part), "{part}: {told}");
        }
    }

    #[test]
    fn streams_are_live_but_in_a_smoke_run() {
        let compare = told(&plan("compare", "stream-sse", 1.0));
        for part in [
            "--scenario=stream",
            "--live",
            "--feed-rate=20",
            "--pause=10s",
        ] {
            assert!(compare.contains(part), "{part}: {compare}");
        }
        assert!(!compare.contains("--rate="), "{compare}");
        let full = told(&plan("full", "stream-grpc", 1.0));
        assert!(
            full.contains("--feed-rate=100") && !full.contains("--think-time"),
            "{full}"
        );
        let smoke = told(&plan("smoke", "stream-sse", 1.0));
        assert!(
            smoke.contains("--limit=5") && !smoke.contains("--live"),
            "{smoke}"
        );
    }

    #[test]
    fn a_log_is_asked_for_the_records_of_the_k6_scripts_and_tls_by_its_scheme() {
        let log = told(&plan("compare", "event-log-topics", 1.0));
        let path = "--path=/takhin.v1.TakhinService/ProduceMessage";
        assert!(
            log.contains("--scenario=log") && log.contains(path),
            "{log}"
        );
        let plan = plan("full", "producer-grpc-tls", 1.0);
        let at = Endpoint::local(9490).with(lab_model::access::Access::secure(None));
        let aim = Aim {
            target: &plan.cells[0].target,
            at: &at,
            payload: "default",
            run_id: "r",
            threads: 1,
        };
        let told = arguments(aim, &plan, None).join(" ");
        assert!(told.contains("--url=https://127.0.0.1:9490"), "{told}");
    }
}
