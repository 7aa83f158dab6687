//! Loads of requests: one, or one after the other at rising concurrency.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::run::{self, Report};
use crate::aim::Aim;
use crate::args::workload::Workload;
use crate::args::{LoadArgs, Scenario};
use crate::record::{Counted, Figures, Head};
use load_engine::accounts::AccountPlan;
use load_engine::criteria::{self, Criterion};
use load_engine::ending::Ending;
use load_engine::events::EventPlan;
use load_engine::outcome::LoadOutcome;
use load_engine::own::{self, OwnPlan};
use load_engine::plan::{Route, Timing};
use load_engine::protocol::Protocol;
use load_engine::records::RecordPlan;
use load_engine::requests::outcome::Outcome;
use load_engine::requests::plan::{Pacing, Plan};
use load_engine::requests::start;
use load_engine::result::{FORMAT, RunResult};
use load_engine::stop::Stop;
use load_engine::summary;
use load_engine::work::Work;

/// Connections that a gRPC load uses unless told otherwise.
const GRPC_CONNECTIONS: usize = 10;
/// Requests in flight of the levels of `balance-levels`.
const LEVELS: [usize; 5] = [1, 10, 50, 100, 200];

/// Makes the load and writes its result.
pub(super) async fn run(
    args: &LoadArgs,
    aim: &Aim,
    run_id: String,
    stop: &Stop,
) -> anyhow::Result<Ending> {
    let levels = args.workload() == Some(Workload::BalanceLevels);
    let steps = !args.pacing.steps.is_empty();
    let mut plans: Vec<Plan> = match (levels, steps) {
        (true, _) => LEVELS.map(|level| plan(args, aim, &run_id, level)).into(),
        (false, true) => self::steps(args, aim, &run_id)?,
        (false, false) => vec![plan(args, aim, &run_id, args.concurrency())],
    };
    if let (Some(first), Some(begin)) = (plans.first_mut(), args.pacing.begin()?)
        && !steps
    {
        first.pacing.measured_from = Some(begin);
    }
    if let Some(file) = &args.own.requests_file {
        // A step that takes longer than its own limit has failed; nobody waits longer than for the most patient one.
        let longest = own::longest_timeout(file)?;
        plans
            .iter_mut()
            .for_each(|plan| plan.route.timeout = longest);
    }
    for plan in &plans {
        plan.check()?;
    }
    let head = head(aim, &plans);
    let loads = run::make_all(args, plans.clone(), start, stop);
    let name = aim.target.as_ref().map(|target| target.name.clone());
    run::run(
        args,
        head,
        loads,
        |outcomes| report(&outcomes, levels, steps, name),
        stop,
    )
    .await
}

fn report(
    outcomes: &[Outcome],
    levels: bool,
    steps: bool,
    name: Option<String>,
) -> anyhow::Result<Report> {
    let counted = |outcome: &Outcome| Counted {
        failed: outcome.tally.measured.errors(),
        missed: outcome.missed(),
        open: outcome.plan.concurrency,
        intended_per_sec: outcome.plan.rate,
    };
    let figures = Figures::of(outcomes, "in flight", counted, None)?;
    let some = outcomes.iter().any(|it| it.tally.whole.acknowledged > 0);
    match outcomes {
        [outcome] if !levels && !steps => {
            let result = RunResult::new(outcome, name)?;
            Report::new(summary::render(outcome), &result, figures, some)
        }
        _ => {
            let criteria = if levels { judge(outcomes) } else { Vec::new() };
            let passed = criteria::passed(&criteria);
            let results = outcomes.iter().map(|it| RunResult::new(it, name.clone()));
            let result = LevelsResult {
                schema: "weir.benchmark-levels/1",
                format: FORMAT,
                passed,
                criteria: &criteria,
                levels: results.collect::<anyhow::Result<_>>()?,
            };
            let mut text = summary::levels(outcomes);
            if levels {
                text += &criteria::render(&criteria);
            }
            Report::new(text, &result, figures, some && passed)
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LevelsResult<'a> {
    schema: &'static str,
    format: u32,
    passed: bool,
    criteria: &'a [Criterion],
    levels: Vec<RunResult>,
}

fn plan(args: &LoadArgs, aim: &Aim, run_id: &str, concurrency: usize) -> Plan {
    let levels = args.workload() == Some(Workload::BalanceLevels);
    let (duration, warmup) = if levels { (10, 2) } else { (60, 5) };
    let connections = match (aim.protocol, args.connections) {
        (Protocol::Rest, None) => concurrency,
        // The option is for the highest level; the others have less in flight.
        (Protocol::Rest, Some(_)) if levels => concurrency,
        (Protocol::Grpc, asked) if levels || asked.is_none() => {
            concurrency.min(asked.unwrap_or(GRPC_CONNECTIONS))
        }
        (_, asked) => asked.unwrap_or(concurrency),
    };
    Plan {
        protocol: aim.protocol,
        route: Route {
            endpoint: aim.endpoint.clone(),
            connections,
            timeout: args.timeout,
        },
        timing: Timing {
            threads: if levels {
                args.threads.min(connections)
            } else {
                args.threads
            },
            warmup: args.warmup.unwrap_or(Duration::from_secs(warmup)),
            duration: args.duration.unwrap_or(Duration::from_secs(duration)),
        },
        path: aim.path.clone(),
        concurrency,
        rate: args.rate,
        work: work(args, aim, run_id),
        pacing: Pacing {
            think_time: args.pacing.think_time,
            requests: args.pacing.requests,
            first_worker: args.first_worker(),
            ..Pacing::default()
        },
    }
}

/// One load a step: the first begins when it is told, or after its warm-up; each other a pause after the one before.
fn steps(args: &LoadArgs, aim: &Aim, run_id: &str) -> anyhow::Result<Vec<Plan>> {
    let mut first_worker = args.first_worker();
    let mut begin = args.pacing.begin()?;
    let mut plans = Vec::new();
    for step in &args.pacing.steps {
        let mut plan = plan(args, aim, run_id, step.concurrency);
        plan.route.connections = step.concurrency;
        plan.timing.threads = args.threads.min(step.concurrency);
        plan.timing.duration = step.duration;
        plan.pacing.first_worker = first_worker;
        plan.pacing.measured_from = begin;
        if !plans.is_empty() {
            plan.timing.warmup = args.pacing.pause;
        }
        first_worker += step.concurrency;
        begin = begin.map(|begin| begin + step.duration + args.pacing.pause);
        plans.push(plan);
    }
    Ok(plans)
}

fn work(args: &LoadArgs, aim: &Aim, run_id: &str) -> Work {
    let run_id = run_id.to_owned();
    let grpc = aim.target.as_ref().and_then(|target| target.grpc.as_ref());
    match aim.scenario {
        Scenario::Balance => Work::Balance(AccountPlan {
            run_id,
            seed: args.seed,
            accounts: args.accounts,
        }),
        Scenario::Log => Work::Records(RecordPlan { run_id }),
        Scenario::Own => Work::Own(OwnPlan {
            run_id,
            // It was required when the options were checked.
            file: args.own.requests_file.clone().unwrap_or_default(),
            counter_base: args.own.counter_base,
            counted: args.own.counted.clone(),
            seed: args.seed,
        }),
        _ => Work::Ingest(EventPlan {
            payload: args.payload,
            run_id,
            seed: args.seed,
            keys: args.keys,
            batch: args.batch,
            attributes: grpc.map(|grpc| grpc.attributes).unwrap_or_default(),
        }),
    }
}

fn head<'a>(aim: &'a Aim, plans: &'a [Plan]) -> Head<'a> {
    let first = &plans[0];
    let each = |figure: fn(&Plan) -> usize| plans.iter().map(figure).collect::<Vec<_>>();
    Head {
        aim,
        run_id: first.work.run_id(),
        payload: first.work.payload(),
        seed: first.work.seed(),
        settings: json!({
            "concurrency": each(|plan| plan.concurrency),
            "connections": each(|plan| plan.route.connections),
            "threads": first.timing.threads,
            "ratePerSecond": first.rate,
        }),
    }
}

/// The criteria for balances: p99 under 100 ms at 50 in flight, no error at 100.
fn judge(outcomes: &[Outcome]) -> Vec<Criterion> {
    let at = |level| outcomes.iter().find(|it| it.plan.concurrency == level);
    let p99 = at(50).and_then(|outcome| outcome.latency_ms(0.99));
    let errors = at(100).map(|outcome| outcome.tally.whole.errors());
    let answered = at(100).is_some_and(|outcome| outcome.tally.measured.acknowledged > 0);
    let not = || "not measured".to_owned();
    vec![
        Criterion::new(
            "p99 at 50 in flight",
            "under 100 ms",
            p99.map_or_else(not, |p99| format!("{p99:.2} ms")),
            p99.is_some_and(|p99| p99 < 100.0),
        ),
        Criterion::new(
            "errors at 100 in flight",
            "0",
            errors.map_or_else(not, |errors| errors.to_string()),
            errors == Some(0) && answered,
        ),
    ]
}
