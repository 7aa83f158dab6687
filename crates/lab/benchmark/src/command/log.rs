//! A run against the event log.

use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::run::{self, Report};
use crate::aim::Aim;
use crate::args::LoadArgs;
use crate::record::{Counted, Figures, Head};
use load_engine::criteria;
use load_engine::ending::Ending;
use load_engine::outcome::LoadOutcome;
use load_engine::plan::{Route, Timing};
use load_engine::stop::Stop;
use load_engine::usage::require;
use load_log::outcome::{LogOutcome, LogResult};
use load_log::plan::{Direct, Feed, LogPlan, LogScenario, Via};

/// Records that are sent together unless told otherwise.
const BATCH: u64 = 100;
/// Connections unless told otherwise.
const CONNECTIONS: usize = 10;

/// Makes the load and writes its result.
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
    let load = run::make(args, move |stop| load_log::start(its, stop), stop);
    let name = aim.target.as_ref().map(|target| target.name.clone());
    run::run(args, head, load, |outcome| report(&outcome, name), stop).await
}

fn report(outcome: &LogOutcome, name: Option<String>) -> anyhow::Result<Report> {
    let criteria = outcome.criteria();
    let text = outcome.render() + &criteria::render(&criteria);
    let succeeded = outcome.tally.whole.acknowledged > 0 && criteria::passed(&criteria);
    let result = LogResult::new(outcome, name)?;
    Report::new(text, &result, figures(outcome)?, succeeded)
}

fn plan(args: &LoadArgs, aim: &Aim, run_id: String) -> anyhow::Result<LogPlan> {
    let scenario = aim.scenario.log().context("no scenario of the log")?;
    require(
        args.rate.is_none() || scenario.delivers(),
        format_args!("scenario {} has no --rate: leave it out", scenario.name()),
    )?;
    // A read of a whole partition uses all that there is; a stream of records is one.
    let concurrency = match scenario {
        LogScenario::Append => args.concurrency(),
        LogScenario::Tail
        | LogScenario::Verify
        | LogScenario::Produce
        | LogScenario::Consume
        | LogScenario::Follow => args.stream.clients.unwrap_or(1),
    };
    let options = &args.log;
    let via = match aim.direct {
        true => Via::Direct(Direct {
            folder: options.log_dir.clone(),
            durability: options.durability,
        }),
        false => Via::Grpc(Route {
            endpoint: aim.endpoint.clone(),
            connections: args.connections.unwrap_or(concurrency.min(CONNECTIONS)),
            timeout: args.timeout,
        }),
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(LogPlan {
        scenario,
        run_id,
        concurrency,
        timing: Timing {
            threads: if aim.direct {
                args.threads.max(cores)
            } else {
                args.threads
            },
            warmup: args.warmup.unwrap_or(Duration::from_secs(2)),
            duration: args.duration.unwrap_or(Duration::from_secs(10)),
        },
        entries: options.entries,
        batch: args.batch.map_or(BATCH, u64::from),
        acks: options.acks,
        feed: Feed {
            rate: args.rate.unwrap_or(Feed::default().rate),
            partitions: options.partitions,
            kill_member: options.kill_member,
        },
        via,
    })
}

fn head<'a>(aim: &'a Aim, plan: &'a LogPlan) -> Head<'a> {
    Head {
        aim,
        run_id: &plan.run_id,
        payload: "default",
        seed: 1,
        settings: json!({
            "concurrency": plan.concurrency,
            "threads": plan.timing.threads,
            "entriesPerRequest": plan.per_request(),
        }),
    }
}

/// An entry counts as a request; the latency is that of a request, whatever entries it stands for.
fn figures(outcome: &LogOutcome) -> anyhow::Result<Figures> {
    let plan = &outcome.plan;
    let counted = |_: &LogOutcome| Counted {
        failed: outcome.tally.measured.errors() * plan.per_request(),
        open: plan.concurrency,
        ..Counted::default()
    };
    let stats = json!({
        "operation": plan.scenario.name(),
        "interface": plan.via_name(),
        "entriesPerSecond": outcome.rate(),
        "entriesPerRequest": plan.per_request(),
        "audit": outcome.audit,
        "delivered": outcome.delivered,
    });
    Figures::of(
        std::slice::from_ref(outcome),
        "in flight",
        counted,
        Some(stats),
    )
}
