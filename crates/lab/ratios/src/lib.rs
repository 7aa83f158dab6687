//! `ratios`: what the services reach, measured against pgbench, against other designs, and against
//! bounds. Two sides of a ratio run directly after each other, in alternating order, several times; the median
//! counts. Everything runs on this machine: a PostgreSQL of its own, one service at a time, the load.
//!
//! - [`args`], [`machine`]: options; what it all ran on
//! - [`guarded`], [`postgres`], [`service`], [`pgbench`]: the processes
//! - [`process_tree`]: what they cost
//! - [`store`]: the tables: emptied or filled before a side, audited after it
//! - [`side`], [`pairs`]: one measurement, and what is put beside what
//! - [`streams`], [`logs`]: what has a bound, and nothing or a Python program beside it
//! - [`setup`], [`lab`], [`session`]: what all of them need; one measurement; all of them in order
//! - [`report`]: the tables, Markdown and JSON

pub mod args;
mod guarded;
mod lab;
mod logs;
mod machine;
mod pairs;
mod pgbench;
mod postgres;
mod process_tree;
mod report;
mod service;
mod session;
mod setup;
mod side;
mod store;
mod streams;

use std::fs;
use std::io::Write;

use anyhow::Context;
use time::OffsetDateTime;
use time::macros::format_description;

use args::RatioArgs;
use benchmark::ending::Ending;
use benchmark::stop::Stop;
use report::Report;
use session::Session;

/// Measures the ratios that `args` ask for, prints them and writes them to files.
///
/// # Errors
/// When something that is needed is missing or fails, with what was measured until then on the screen.
pub async fn run(args: RatioArgs) -> anyhow::Result<Ending> {
    args.check()?;
    let mut stop = Stop::new()?;
    let mut session = Session::prepare(args)?;
    // Interrupted, the future is dropped, and with it every process that it started.
    let ended = tokio::select! {
        ended = session.run() => Some(ended),
        () = stop.asked() => None,
    };
    let report = Report::new(&session, ended.is_none());
    let mut out = std::io::stdout().lock();
    if session.has_results() {
        let folder = write(&session, &report)?;
        write!(out, "{}", report.markdown())?;
        writeln!(
            out,
            "\nWritten to {}/ratios.json and ratios.md",
            folder.display()
        )?;
    }
    match ended {
        Some(Err(error)) => Err(error),
        Some(Ok(())) if report.passed() => Ok(Ending::Complete),
        Some(Ok(())) => Ok(Ending::NoSuccess),
        None => Ok(Ending::Interrupted),
    }
}

fn write(session: &Session, report: &Report) -> anyhow::Result<std::path::PathBuf> {
    let now = OffsetDateTime::now_utc();
    let name = now.format(format_description!(
        "ratios-[year][month][day]T[hour][minute][second]Z"
    ))?;
    let folder = session
        .args()
        .output
        .clone()
        .unwrap_or_else(|| session.args().root.join("load-test/results").join(name));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let json = serde_json::to_string_pretty(report)? + "\n";
    for (name, text) in [("ratios.json", json), ("ratios.md", report.markdown())] {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(folder)
}
