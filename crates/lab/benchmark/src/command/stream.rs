//! A run of subscribers.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::run::{self, Report};
use crate::aim::Aim;
use crate::args::LoadArgs;
use crate::args::workload::Workload;
use crate::record::{Counted, Figures, Head};
use load_engine::criteria::{self, Criterion};
use load_engine::ending::Ending;
use load_engine::plan::{Route, Timing};
use load_engine::protocol::Protocol;
use load_engine::result::FORMAT;
use load_engine::stop::Stop;
use load_engine::usage::{Usage, require};
use load_stream::outcome::StreamOutcome;
use load_stream::plan::{LivePlan, SEEDED_SINCE, SlowPlan, StreamPlan};
use load_stream::result::{StreamResult, scenario_stats};
use load_stream::{summary, verdict};

/// Connections that gRPC streams use unless told otherwise.
const GRPC_CONNECTIONS: usize = 10;

/// Subscribes, and writes the result.
pub(super) async fn run(
    args: &LoadArgs,
    aim: &Aim,
    run_id: String,
    stop: &Stop,
) -> anyhow::Result<Ending> {
    let steps = !args.pacing.steps.is_empty();
    let mut plans = match steps {
        true => self::steps(args, aim, &run_id)?,
        false => vec![plan(args, aim, run_id)?],
    };
    if let (Some(first), Some(begin)) = (plans.first_mut(), args.pacing.begin()?)
        && !steps
    {
        first.measured_from = Some(begin);
    }
    for plan in &plans {
        plan.check()?;
    }
    let head = head(aim, &plans);
    let loads = run::make_all(args, plans.clone(), load_stream::start, stop);
    let name = aim.target.as_ref().map(|target| target.name.clone());
    let workload = args.workload().map(Workload::name);
    let report = |outcomes: Vec<StreamOutcome>| report(&outcomes, steps, name, workload);
    run::run(args, head, loads, report, stop).await
}

fn report(
    outcomes: &[StreamOutcome],
    steps: bool,
    name: Option<String>,
    workload: Option<&'static str>,
) -> anyhow::Result<Report> {
    let mut text = String::new();
    let mut results = Vec::new();
    let mut passed = true;
    for outcome in outcomes {
        let criteria = verdict::judge(outcome);
        passed &= criteria::passed(&criteria);
        text += &summary::render(outcome);
        text += &criteria::render(&criteria);
        results.push(StreamResult::new(
            outcome,
            &criteria,
            name.clone(),
            workload,
        )?);
    }
    let figures = figures(outcomes)?;
    match (results.pop(), steps) {
        (Some(only), false) => Report::new(text, &only, figures, passed),
        (last, _) => {
            results.extend(last);
            let result = StepsResult {
                schema: "weir.benchmark-stream-levels/1",
                format: FORMAT,
                passed,
                criteria: &[],
                levels: results,
            };
            Report::new(text, &result, figures, passed)
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StepsResult<'a> {
    schema: &'static str,
    format: u32,
    passed: bool,
    /// Each level has its own.
    criteria: &'a [Criterion],
    levels: Vec<StreamResult>,
}

/// One load a step, each subscriber with a connection: the first begins when it is told, each other a pause after the one
/// before. Live transactions of different steps have different ids.
fn steps(args: &LoadArgs, aim: &Aim, run_id: &str) -> anyhow::Result<Vec<StreamPlan>> {
    let mut begin = args.pacing.begin()?;
    let mut plans: Vec<StreamPlan> = Vec::new();
    for (number, step) in (1..).zip(&args.pacing.steps) {
        let label = match args.pacing.steps.len() {
            1 => run_id.to_owned(),
            _ => format!("{run_id}.{number}"),
        };
        let mut plan = plan(args, aim, label)?;
        plan.clients = step.concurrency;
        plan.route.connections = step.concurrency;
        plan.timing.threads = args.threads.min(step.concurrency);
        plan.timing.duration = step.duration;
        plan.measured_from = begin;
        if !plans.is_empty() {
            plan.timing.warmup = args.pacing.pause;
        }
        begin = begin.map(|begin| begin + step.duration + args.pacing.pause);
        plans.push(plan);
    }
    Ok(plans)
}

fn plan(args: &LoadArgs, aim: &Aim, run_id: String) -> Result<StreamPlan, Usage> {
    let options = &args.stream;
    let load = args.workload().and_then(|workload| workload.stream());
    let clients = load.map_or(options.clients.unwrap_or(1), |load| load.clients);
    let asked = match args.rate {
        Some(rate) => {
            require(
                rate.fract() == 0.0 && (1.0..=f64::from(i32::MAX)).contains(&rate),
                "--rate of a stream must be a whole number from 1",
            )?;
            Some(rate as u32)
        }
        None => None,
    };
    let own_feed = options.feed_rate.unwrap_or(100.0);
    // Live, a workload's rate is that of the transactions; replayed, the server keeps it.
    let (rate, feed_rate) = match (load, options.live) {
        (Some(load), true) => (asked, f64::from(load.rate)),
        (Some(load), false) => (asked.or(Some(load.rate)), own_feed),
        (None, _) => (asked, own_feed),
    };
    let since = match (&options.since, options.live) {
        (Some(since), _) => Some(since.clone()),
        (None, true) => None,
        (None, false) => Some(SEEDED_SINCE.into()),
    };
    Ok(StreamPlan {
        protocol: aim.protocol,
        route: Route {
            endpoint: aim.endpoint.clone(),
            connections: args.connections.unwrap_or(match aim.protocol {
                Protocol::Rest => clients,
                Protocol::Grpc => clients.min(GRPC_CONNECTIONS),
            }),
            timeout: args.timeout,
        },
        timing: Timing {
            threads: args.threads,
            warmup: args.warmup.unwrap_or_default(),
            duration: args
                .duration
                .or(load.map(|load| load.duration))
                .unwrap_or(Duration::from_secs(60)),
        },
        path: aim.path.clone(),
        run_id,
        clients,
        measured_from: None,
        since,
        rate,
        limit: options.limit,
        live: options.live.then(|| LivePlan {
            database_url: options.database_url.clone(),
            rate: feed_rate,
            connections: options.feed_connections,
        }),
        slow: options.slow_clients.map(|clients| SlowPlan {
            clients,
            events_per_second: options.slow_rate,
        }),
    })
}

fn head<'a>(aim: &'a Aim, plans: &'a [StreamPlan]) -> Head<'a> {
    let plan = &plans[0];
    let each = |figure: fn(&StreamPlan) -> usize| -> Value {
        match plans {
            [only] => figure(only).into(),
            several => several.iter().map(figure).collect(),
        }
    };
    Head {
        aim,
        run_id: &plan.run_id,
        payload: "default",
        seed: 1,
        settings: json!({
            "clients": each(|plan| plan.clients),
            "connections": each(|plan| plan.route.connections),
            "threads": plan.timing.threads,
            "since": plan.since,
            "rateAsked": plan.rate,
            "limit": plan.limit,
            "slowClients": plan.slow.map(|slow| slow.clients),
            "slowRate": plan.slow.map(|slow| slow.events_per_second),
            "feedRate": plan.live.as_ref().map(|live| live.rate),
        }),
    }
}

/// An event that came counts as a success, one that is missing as a failure; each step is a phase.
fn figures(outcomes: &[StreamOutcome]) -> anyhow::Result<Figures> {
    let counted = |outcome: &StreamOutcome| {
        let StreamPlan { clients, .. } = outcome.plan;
        let rate = outcome.plan.expected_rate();
        Counted {
            failed: outcome.missed,
            open: clients,
            intended_per_sec: rate.map(|rate| rate * clients as f64),
            ..Counted::default()
        }
    };
    let stats = |outcome: &StreamOutcome| scenario_stats(outcome, &verdict::judge(outcome));
    let stats = match outcomes {
        [only] => stats(only),
        several => json!({ "steps": several.iter().map(stats).collect::<Vec<_>>() }),
    };
    Figures::of(outcomes, "subscribers", counted, Some(stats))
}
