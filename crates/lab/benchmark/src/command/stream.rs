//! A run of subscribers.

use std::time::Duration;

use serde_json::json;

use super::run::{self, Report};
use crate::aim::Aim;
use crate::args::LoadArgs;
use crate::args::workload::Workload;
use crate::record::{Counted, Figures, Head};
use load_engine::criteria::{self, Criterion};
use load_engine::ending::Ending;
use load_engine::plan::{Route, Timing};
use load_engine::protocol::Protocol;
use load_engine::stop::Stop;
use load_engine::usage::{Usage, require};
use load_stream::outcome::StreamOutcome;
use load_stream::plan::{LivePlan, SEEDED_SINCE, StreamPlan};
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
    let plan = plan(args, aim, run_id)?;
    plan.check()?;
    let head = head(aim, &plan);
    let its = plan.clone();
    let load = run::make(args, move |stop| load_stream::start(its, stop), stop);
    let name = aim.target.as_ref().map(|target| target.name.clone());
    let workload = args.workload().map(Workload::name);
    let report = |outcome: StreamOutcome| report(&outcome, name, workload);
    run::run(args, head, load, report, stop).await
}

fn report(
    outcome: &StreamOutcome,
    name: Option<String>,
    workload: Option<&'static str>,
) -> anyhow::Result<Report> {
    let criteria = verdict::judge(outcome);
    let result = StreamResult::new(outcome, &criteria, name, workload)?;
    let text = summary::render(outcome) + &criteria::render(&criteria);
    let figures = figures(outcome, &criteria)?;
    Report::new(text, &result, figures, criteria::passed(&criteria))
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
        since,
        rate,
        limit: options.limit,
        live: options.live.then(|| LivePlan {
            database_url: options.database_url.clone(),
            rate: feed_rate,
            connections: options.feed_connections,
        }),
    })
}

fn head<'a>(aim: &'a Aim, plan: &'a StreamPlan) -> Head<'a> {
    Head {
        aim,
        run_id: &plan.run_id,
        payload: "default",
        seed: 1,
        settings: json!({
            "clients": plan.clients,
            "connections": plan.route.connections,
            "threads": plan.timing.threads,
            "since": plan.since,
            "rateAsked": plan.rate,
            "limit": plan.limit,
            "feedRate": plan.live.as_ref().map(|live| live.rate),
        }),
    }
}

/// An event that came counts as a success, one that is missing as a failure.
fn figures(outcome: &StreamOutcome, criteria: &[Criterion]) -> anyhow::Result<Figures> {
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
    let stats = scenario_stats(outcome, criteria);
    let outcomes = std::slice::from_ref(outcome);
    Figures::of(outcomes, "subscribers", counted, Some(stats))
}
