//! A measurement by the lab's own generator: what `benchmark` is told, when it begins, and that it ended well.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab_bench::benchmark::{BenchmarkJob, threads};
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

/// Until the first measured window: connections are opened, and load begins that is not measured.
const LEAD: Duration = Duration::from_secs(3);

/// Between two phases: connections are opened, and the rest is load that no figure holds.
pub(super) const PAUSE: Duration = Duration::from_secs(3);

/// The virtual users' load of a phase that iterations bound ends after this at the latest.
const ITERATIONS_LIMIT: Duration = Duration::from_secs(280);

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
}

/// Seconds from the start of the first phase to the start and the end of each, pauses between them.
pub(super) fn boundaries(plan: &Plan) -> Vec<f64> {
    plan.mode
        .boundaries_with_pauses(plan.phase_scale, PAUSE.as_secs_f64())
}

/// The arguments of a measurement under the plan's mode that begins at `begin_us` (microseconds since 1970; none: at once) and
/// leaves its result in `result`.
pub(super) fn arguments(
    aim: Aim<'_>,
    plan: &Plan,
    begin_us: Option<i128>,
    result: &str,
) -> Vec<String> {
    let mut all = common(aim, plan);
    all.push(format!("--steps={}", steps(&plan.mode, plan.phase_scale)));
    all.push(format!("--pause={}s", PAUSE.as_secs()));
    if let Some(iterations) = plan.mode.phases.first().and_then(|phase| phase.iterations) {
        all.extend([format!("--requests={iterations}"), "--warmup=0s".into()]);
    }
    if plan.mode.think_time_ms > 0.0 {
        all.push(format!(
            "--think-time={}us",
            (plan.mode.think_time_ms * 1000.0).round()
        ));
    }
    if let Some(rate) = plan.mode.rate_of(aim.target.scenario) {
        all.push(format!("--rate={rate}"));
    }
    all.extend(begin_us.map(|at| format!("--begin-at={at}")));
    all.push(format!("--json={result}"));
    all
}

/// The arguments of a warm-up: `iterations` requests by at most ten workers.
pub(super) fn warm_up(aim: Aim<'_>, plan: &Plan, iterations: u64) -> Vec<String> {
    let mut all = common(aim, plan);
    let workers = if plan.mode.is_timed() { 10 } else { 1 };
    all.extend([
        format!("--steps={workers}x{}s", ITERATIONS_LIMIT.as_secs()),
        format!("--requests={iterations}"),
        "--warmup=0s".into(),
    ]);
    all
}

fn common(aim: Aim<'_>, plan: &Plan) -> Vec<String> {
    let Aim {
        target,
        at,
        payload,
        run_id,
    } = aim;
    let mut all = vec![
        format!("--scenario={}", target.scenario),
        format!("--protocol={}", target.protocol.as_str()),
        format!("--url=http://{}:{}", at.url_host(), at.port),
        format!("--run-id={run_id}"),
        format!("--seed={}", plan.seed),
        format!("--threads={}", threads()),
        "--progress=plain".into(),
    ];
    if target.scenario == Scenario::Ingest {
        all.push(format!("--payload={payload}"));
    }
    all.extend(target.path().map(|path| format!("--path={path}")));
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
    let running = start(bench, context, arguments, generator)?;
    let status = running.process.wait().await?;
    ended_well(&running.process, status)?;
    *generator = None;
    Ok(())
}

/// Starts a measurement and answers the moment at which its first window begins.
pub(super) fn begin(
    bench: &mut Bench,
    context: &Running<'_>,
    started: &Started,
    generator: &mut Option<Generator>,
    result: &Path,
) -> Result<OffsetDateTime> {
    let begin = OffsetDateTime::now_utc() + LEAD;
    // A phase that iterations bound begins at once.
    let timed = bench.plan.mode.is_timed();
    let begin_us = timed.then(|| begin.unix_timestamp_nanos() / 1000);
    let aim = aim(context, started, &context.label);
    let result = result.to_string_lossy();
    let arguments = arguments(aim, &bench.plan, begin_us, &result);
    start(bench, context, arguments, generator)?;
    Ok(if timed {
        begin
    } else {
        OffsetDateTime::now_utc()
    })
}

fn start<'a>(
    bench: &mut Bench,
    context: &Running<'_>,
    arguments: Vec<String>,
    generator: &'a mut Option<Generator>,
) -> Result<&'a mut Generator> {
    let job = BenchmarkJob {
        arguments,
        log: context.results.with_extension("benchmark.log"),
    };
    Ok(generator.insert(bench.backend.start_benchmark(&job)?))
}

fn aim<'a>(context: &'a Running<'_>, started: &'a Started, run_id: &'a str) -> Aim<'a> {
    Aim {
        target: &context.cell.target,
        at: &started.from_generator,
        payload: &context.cell.payload,
        run_id,
    }
}

/// An error where it ended in a way that leaves no result. Status 1 says that nothing succeeded: the result shows that.
pub(super) fn ended_well(process: &Spawned, status: std::process::ExitStatus) -> Result<()> {
    ensure!(
        status.success() || status.code() == Some(1),
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

    fn plan(mode: &str, scale: f64) -> Plan {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let request = Request {
            mode: mode.into(),
            targets: Vec::new(),
            payloads: vec!["4k".into()],
            scenario: None,
            trials: None,
            rate: None,
            seed: 7,
            phase_scale: scale,
            cells: None,
            judging: Judging::default(),
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
        };
        arguments(aim, plan, Some(5), "out.json").join(" ")
    }

    #[test]
    fn every_mode_is_told_as_steps() {
        let saturation = told(&plan("saturation", 0.5));
        let steps = "--steps=10x60000000us,50x60000000us,100x60000000us,";
        assert!(
            saturation.contains(steps) && saturation.contains(",2000x60000000us"),
            "{saturation}"
        );
        assert!(
            saturation.contains("--payload=4k") && saturation.contains("--path=/api/v1/events")
        );
        assert!(told(&plan("full", 1.0)).contains("--think-time=100000us"));
        let compare = told(&plan("compare", 1.0));
        assert!(
            compare.contains("--rate=1000") && compare.contains("--steps=200x30000000us"),
            "{compare}"
        );
        assert!(compare.contains("--begin-at=5") && compare.ends_with("--json=out.json"));
        let smoke = told(&plan("smoke", 1.0));
        assert!(
            smoke.contains("--requests=5") && smoke.contains("--steps=1x"),
            "{smoke}"
        );
    }
}
