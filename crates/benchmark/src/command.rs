//! The life of one `benchmark` run: plan, connect, load, result.

use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::{LoadArgs, ProgressMode};
use crate::events::EventPlan;
use crate::load::{self, Load, Outcome, Plan};
use crate::progress::Progress;
use crate::protocol::{Endpoint, Protocol};
use crate::record::Recording;
use crate::result::RunResult;
use crate::summary;
use crate::target::Target;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The run took its time and some requests succeeded.
    Complete,
    /// The run was interrupted; what was measured has been given.
    Interrupted,
    /// Not one request succeeded.
    NoSuccess,
}

/// Connections that a gRPC load uses unless told otherwise.
const GRPC_CONNECTIONS: usize = 10;

/// Makes the load that `args` ask for and writes its result.
///
/// # Errors
/// For options that contradict each other, a target that cannot be reached, a result that cannot be written.
pub async fn run(args: LoadArgs) -> anyhow::Result<Ending> {
    let target = match &args.target {
        Some(name) => Some(Target::find(name, &args.targets)?),
        None => None,
    };
    let plan = plan(&args, target.as_ref())?;
    let mut stop = Stop::new()?;
    let recording = match args.record {
        true => {
            Some(Recording::begin(&args.metrics_db, &plan, args.scenario, target.as_ref()).await?)
        }
        false => None,
    };
    let outcome = make_load(plan, args.progress, &mut stop).await;
    match (recording, &outcome) {
        (Some(recording), Ok(outcome)) => {
            let run = recording.complete(outcome).await?;
            writeln!(std::io::stderr(), "recorded as run {run}")?;
        }
        // The load's own error is the one to report.
        (Some(recording), Err(error)) => drop(recording.fail(error).await),
        (None, _) => {}
    }
    let outcome = outcome?;
    let result = RunResult::new(
        &outcome,
        args.scenario.name(),
        target.map(|target| target.name),
    )?;
    write_result(&args, &outcome, &result)?;
    Ok(
        match (outcome.interrupted, outcome.tally.whole.acknowledged) {
            (true, _) => Ending::Interrupted,
            (false, 0) => Ending::NoSuccess,
            (false, _) => Ending::Complete,
        },
    )
}

async fn make_load(plan: Plan, progress: ProgressMode, stop: &mut Stop) -> anyhow::Result<Outcome> {
    let load = tokio::task::spawn_blocking(move || load::start(plan)).await??;
    measure(load, &mut Progress::new(progress), stop).await
}

/// Stands by a load until it is over, or until it is told to stop; then waits for the last answers.
///
/// # Errors
/// When a load thread panicked.
pub async fn measure(
    load: Load,
    progress: &mut Progress,
    stop: &mut Stop,
) -> anyhow::Result<Outcome> {
    let clock = std::sync::Arc::clone(load.clock());
    let mut from = load.edge();
    let mut window_open = false;
    let mut ticks = tokio::time::interval(Progress::EVERY);
    ticks.tick().await; // the first comes at once
    while std::time::Instant::now() < clock.end() {
        tokio::select! {
            () = tokio::time::sleep_until(clock.measured_from().into()), if !window_open => {
                from = load.edge();
                window_open = true;
            }
            () = tokio::time::sleep_until(clock.end().into()) => {}
            _ = ticks.tick() => progress.tick(&load),
            () = stop.asked() => clock.stop(),
        }
    }
    let to = load.edge();
    progress.done();
    tokio::select! {
        outcome = load.finish(if window_open { from } else { to }, to) => outcome,
        () = stop.asked(), if clock.stopped_early() => {
            anyhow::bail!("interrupted twice: answers to what was in flight are unknown")
        }
    }
}

/// SIGINT and SIGTERM. The first ends the load, and the last answers are awaited; the second ends that too.
pub struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Listens.
    ///
    /// # Errors
    /// When the handlers cannot be set.
    pub fn new() -> anyhow::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self {
            interrupt,
            terminate,
        })
    }

    /// Comes back when the run is asked to end.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn plan(args: &LoadArgs, target: Option<&Target>) -> anyhow::Result<Plan> {
    if let Some(target) = target {
        anyhow::ensure!(
            target.scenario == args.scenario.name(),
            "target {} is for scenario {}, not {}",
            target.name,
            target.scenario,
            args.scenario.name()
        );
    }
    let protocol = match (args.protocol, target) {
        (Some(protocol), None) => protocol,
        (None, None) => Protocol::Rest,
        (asked, Some(target)) => {
            let protocol = target.protocol()?;
            anyhow::ensure!(
                asked.is_none_or(|asked| asked == protocol),
                "target {} speaks {}",
                target.name,
                protocol.name()
            );
            protocol
        }
    };
    let url = match (&args.url, target, protocol) {
        (Some(url), _, _) => url.clone(),
        (None, Some(target), _) => target.url()?,
        (None, None, Protocol::Rest) => "http://127.0.0.1:8081".into(),
        (None, None, Protocol::Grpc) => "http://127.0.0.1:9090".into(),
    };
    let connections = args.connections.unwrap_or(match protocol {
        Protocol::Rest => args.concurrency,
        Protocol::Grpc => args.concurrency.min(GRPC_CONNECTIONS),
    });
    Ok(Plan {
        protocol,
        endpoint: Endpoint::parse(&url)?,
        concurrency: args.concurrency,
        connections,
        threads: args.threads,
        warmup: args.warmup,
        duration: args.duration,
        timeout: args.timeout,
        events: EventPlan {
            payload: args.payload,
            run_id: args.run_id.clone().unwrap_or_else(default_run_id),
            seed: args.seed,
            keys: args.keys,
        },
    })
}

/// `b` and the milliseconds since 1970 in hexadecimal: differs from run to run and sorts by time.
fn default_run_id() -> String {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("b{:x}", since.as_millis())
}

fn write_result(args: &LoadArgs, outcome: &Outcome, result: &RunResult) -> anyhow::Result<()> {
    let stdout = Path::new("-");
    if let Some(file) = &args.json {
        let json = serde_json::to_string_pretty(result)? + "\n";
        if file == stdout {
            return print(&json);
        }
        std::fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))?;
    }
    print(&summary::render(outcome))
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")
}
