//! The life of one `benchmark` run: plan, connect, load, result.

mod log;
mod requests;
mod run;
mod stream;

use std::time::SystemTime;

use crate::aim::Aim;
use crate::args::{LoadArgs, Scenario};
use load_engine::ending::Ending;
use load_engine::stop::Stop;
use load_engine::usage::require;

/// Makes the load that `args` ask for and writes its result.
///
/// # Errors
/// For options that contradict each other, a target that cannot be reached, a result that cannot be written.
pub async fn run(args: LoadArgs) -> anyhow::Result<Ending> {
    args.check()?;
    let stop = Stop::listen()?;
    if args.pacing.stop_on_eof {
        stop.clone().at_end_of_input()?;
    }
    // Looking a name up takes as long as the resolver likes.
    let asked = args.clone();
    let looking = tokio::task::spawn_blocking(move || Aim::take(&asked));
    let aim = stop.unless_asked(looking).await???;
    let run_id = args.run_id.clone().unwrap_or_else(default_run_id);
    let is_stream = aim.scenario == Scenario::Stream;
    require(
        aim.scenario.log().is_none() || !args.pacing.is_given(),
        "--steps, --begin-at, --first-worker, --think-time and --requests are for the scenarios ingest, balance, log, own and stream",
    )?;
    require(
        !is_stream || !args.pacing.is_of_requests(),
        "--first-worker, --think-time and --requests are for the scenarios ingest, balance, log and own",
    )?;
    require(
        (aim.scenario == Scenario::Own) == args.own.requests_file.is_some(),
        "--requests-file and --scenario own go together: give both, or neither",
    )?;
    match aim.scenario {
        Scenario::Ingest | Scenario::Balance | Scenario::Log | Scenario::Own => {
            requests::run(&args, &aim, run_id, &stop).await
        }
        Scenario::Stream => stream::run(&args, &aim, run_id, &stop).await,
        Scenario::Append
        | Scenario::Tail
        | Scenario::Verify
        | Scenario::Produce
        | Scenario::Consume
        | Scenario::Follow => log::run(&args, &aim, run_id, &stop).await,
    }
}

/// `b` and the milliseconds since 1970 in hexadecimal: differs from run to run and sorts by time.
fn default_run_id() -> String {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("b{:x}", since.as_millis())
}
