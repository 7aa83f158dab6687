//! `ratios`: what the services reach, measured against pgbench, against other designs, and against
//! bounds. Two sides of a ratio run directly after each other, in alternating order, several times; the median
//! counts. Everything runs on this machine: a PostgreSQL of its own, one service at a time, the load.
//!
//! - [`args`], [`machine`]: options; what it all ran on
//! - [`guarded`], [`postgres`], [`service`], [`pgbench`]: the processes
//! - [`process_tree`]: what they cost; [`protected`]: what protects one of them
//! - [`store`]: the tables: emptied or filled before a side, audited after it
//! - [`side`], [`pairs`]: one measurement, and what is put beside what
//! - [`rates`]: what a request costs at each rate, beside an empty answer
//! - [`streams`], [`logs`]: what has a bound, and nothing or a Python program beside it
//! - [`setup`], [`lab`], [`session`]: what all of them need; one measurement; all of them in order
//! - [`report`]: the tables, Markdown and JSON; [`folder`]: where they go

pub mod args;
mod folder;
mod guarded;
mod lab;
mod logs;
mod machine;
mod pairs;
mod pgbench;
mod postgres;
mod process_tree;
mod protected;
mod rates;
mod report;
mod service;
mod session;
mod setup;
mod side;
mod store;
mod streams;

use args::RatioArgs;
use folder::ReportFolder;
use load_engine::ending::Ending;
use load_engine::output::print;
use load_engine::stop::Stop;
use report::Report;
use session::Session;

/// Measures the ratios that `args` ask for, prints them and writes them to files.
///
/// # Errors
/// When something that is needed is missing or fails, with what was measured until then on the screen.
pub async fn run(args: RatioArgs) -> anyhow::Result<Ending> {
    args.check()?;
    let stop = Stop::listen()?;
    let mut session = Session::prepare(args, &stop)?;
    let folder = ReportFolder::create(session.args())?;
    // Interrupted, the future is dropped, and with it every process that it started.
    let ended = tokio::select! {
        ended = session.run() => Some(ended),
        () = stop.asked() => None,
    };
    let report = Report::new(&session, stop.was_asked());
    if session.has_results() {
        // On the screen whatever becomes of the files.
        let printed = print(&report.markdown());
        folder.write(&report)?;
        printed?;
    }
    match ended {
        _ if stop.was_asked() => Ok(Ending::Interrupted),
        Some(Err(error)) => Err(error),
        Some(Ok(())) if report.passed() => Ok(Ending::Complete),
        _ => Ok(Ending::NoSuccess),
    }
}
