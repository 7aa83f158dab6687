//! `weir run`: a session, from its arguments to the path of its report.
//!
//! - this file: the command, and how its runtime is chosen
//! - `session`: the cells one after the other, and what is kept of them
//! - `cell`, `outcome`: the steps of one cell, and how it ended; `data`, `script`: what its target finds, what k6 is told
//! - `measure`: one measurement, from k6's start to its summary
//! - `backend`, `docker`, `native`: the two runtimes
//! - `k6`: one run of k6
//! - `settings`: the variables that services are told, and what is recorded of them
//! - `progress`: what the user sees meanwhile
//! - `readers`: commands that read the metrics database meanwhile
//! - `resume`: going on with an unfinished session
//! - `samples_csv`: whether the sampler's file is there
//! - `stop`: Ctrl-C and SIGTERM

mod backend;
mod cell;
mod data;
mod docker;
mod k6;
mod measure;
mod native;
mod outcome;
mod progress;
mod readers;
mod resume;
mod samples_csv;
mod script;
mod session;
mod settings;
mod stop;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use lab_host::state::State;
use lab_host::variables::{self, Variables};
use lab_model::modes;
use lab_model::modes::Modes;
use lab_model::plan::{Plan, Request};
use lab_model::targets::Targets;
use metrics_db::MetricsDbConfig;

pub(crate) use docker::profiles;
pub(crate) use session::session_id;

use crate::metrics;
use crate::output::{self, counted, duration};
use crate::usage::UsageError;
use backend::Backend;
use docker::Docker;
use native::Native;
use progress::Progress;
use resume::Resumed;
use stop::Stop;

/// Exit status after Ctrl-C, as shells give it.
const EXIT_INTERRUPTED: u8 = 130;

/// What to measure.
#[derive(Args, Clone, Debug)]
pub struct PlanArgs {
    /// smoke, full, saturation or compare
    mode: Option<String>,
    /// Targets, separated by commas; '' or none: the default targets of the scenario
    targets: Option<String>,
    /// Payloads, separated by commas; none: all that the scenario has
    payloads: Option<String>,
    /// Scenario whose default targets are meant: ingest, balance, stream, log, or all of them [default: that of the
    /// targets named, else ingest]
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Measure each target and payload so often, the targets of each round in random order [default: 1, in mode compare
    /// 6]
    #[arg(long, value_name = "N")]
    trials: Option<u32>,
    /// Arrivals a second, in mode compare [default: as load-test/k6/lib/modes.json has it]
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Seed of payloads and order [default: drawn and printed]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
}

/// Measure targets against each other and write a report
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    plan: PlanArgs,
    /// Where the services run; auto: Docker where it works, else natively
    #[arg(long, value_enum, default_value_t = RuntimeArg::Auto, value_name = "RUNTIME")]
    runtime: RuntimeArg,
    /// Go on with a session that was not finished: only the runs that are left, with its plan and seed [default: the
    /// newest that was not finished]
    #[arg(long, num_args = 0..=1, default_missing_value = "", value_name = "SESSION")]
    resume: Option<String>,
    /// Leave the databases running at the end
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    metrics: MetricsDbConfig,
}

/// `--runtime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RuntimeArg {
    /// Docker where an engine answers and the images can be had, else native
    Auto,
    /// Containers of docker-compose.yml
    Docker,
    /// Processes of this machine
    Native,
}

impl PlanArgs {
    /// Lays out the cells; what does not exist is a usage error.
    pub fn plan(&self, modes: &Modes, targets: &Targets) -> Result<Plan> {
        let Some(mode) = &self.mode else {
            return Err(UsageError::for_run("no mode is given").into());
        };
        let request = Request {
            mode: mode.clone(),
            targets: list(self.targets.as_deref()),
            payloads: list(self.payloads.as_deref()),
            scenario: self.scenario.clone(),
            trials: self.trials,
            rate: self.rate,
            seed: self.seed.unwrap_or_else(drawn_seed),
            phase_scale: phase_scale()?.unwrap_or(1.0),
            cells: None,
        };
        plan_of(&request, modes, targets)
    }

    /// The arguments that repeat this plan with `seed`, for a shell.
    fn to_shell(&self, seed: u64) -> String {
        let mut words = vec![self.mode.clone().unwrap_or_default()];
        let targets = self.targets.clone().unwrap_or_default();
        let payloads = self.payloads.clone().unwrap_or_default();
        if !targets.is_empty() || !payloads.is_empty() {
            words.push(if targets.is_empty() {
                "''".into()
            } else {
                targets
            });
        }
        if !payloads.is_empty() {
            words.push(payloads);
        }
        if let Some(scenario) = &self.scenario {
            words.push(format!("--scenario {scenario}"));
        }
        if let Some(trials) = self.trials {
            words.push(format!("--trials {trials}"));
        }
        if let Some(rate) = self.rate {
            words.push(format!("--rate {rate}"));
        }
        words.push(format!("--seed {seed}"));
        words.join(" ")
    }
}

/// The plan of a request; what does not exist is a usage error that lists what does.
fn plan_of(request: &Request, modes: &Modes, targets: &Targets) -> Result<Plan> {
    Plan::new(request, modes, targets)
        .map_err(|error| UsageError::for_run(error.to_string()).into())
}

/// `PHASE_SCALE` of the caller; none where it is not set or empty.
fn phase_scale() -> Result<Option<f64>, UsageError> {
    match std::env::var("PHASE_SCALE") {
        Ok(text) if !text.is_empty() => Ok(Some(modes::phase_scale(&text)?)),
        _ => Ok(None),
    }
}

/// The parts of a comma-separated list; none and the empty text are the empty list.
fn list(text: Option<&str>) -> Vec<String> {
    let parts = text.unwrap_or_default().split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Six digits from the clock: short enough to type, different each time.
fn drawn_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |since| {
        u64::try_from(since.as_micros() % 1_000_000).unwrap_or(1)
    })
}

/// Runs a session. Exit 0 where every cell was measured and passed its audit, 1 where one did not, 130 where
/// the user stopped it.
pub async fn run(mut args: RunArgs, root: &Path, json: bool) -> Result<ExitCode> {
    let modes = Modes::load(root)?;
    let targets = Targets::load(root)?;
    let resumed = match args.resume.clone() {
        Some(id) => Some(Resumed::find(&args, root, &id).await?),
        None => None,
    };
    let plan = match &resumed {
        Some(resumed) => {
            args.runtime = resumed.runtime();
            resumed.plan(&modes, &targets)?
        }
        None => args.plan.plan(&modes, &targets)?,
    };
    let asked = args.runtime;
    args.runtime = runtime_for(asked, &args.metrics, metrics::is_chosen(&args.metrics))?;
    let cells = plan.cells.iter();
    let left = cells
        .filter(|cell| !resumed.as_ref().is_some_and(|r| r.is_done(cell)))
        .count();
    let state = State::open(root)?;
    let _lock = state.lock()?;
    let stop = Stop::on_signals().await?;

    let progress = Progress::new(json);
    if let Some(resumed) = &resumed {
        progress.say(&format!("Going on with session {}.", resumed.session.id));
    }
    let of = if left == plan.cells.len() {
        String::new()
    } else {
        format!(" of {}", plan.cells.len())
    };
    progress.say(&format!(
        "{}{of} of {}, about {} together, seed {}",
        counted(left, "run"),
        plan.mode_name,
        duration(plan.expected(left)),
        plan.seed
    ));
    if args.runtime != asked {
        progress.say(&format!(
            "Running natively, without Docker: the results go to {}:{}, those of containers always to the database of \
             docker-compose.yml.",
            args.metrics.host, args.metrics.port
        ));
    }
    let backend = match choose(&args, root, &state, &targets, &plan, &progress, &stop).await {
        Ok(backend) => backend,
        Err(_) if stop.is_requested() => {
            progress.finish();
            output::error_line("Stopped before the first run; nothing was measured.");
            return Ok(ExitCode::from(EXIT_INTERRUPTED));
        }
        Err(error) => {
            progress.finish();
            return Err(error);
        }
    };
    remember_runtime(&state, backend.name())?;

    let given = backend.given(&plan.targets());
    let command = shell_command(&args.plan, &plan, backend.name(), &given);
    let session = session::Session::begin(
        root,
        plan,
        backend,
        session::Origin { command, resumed },
        progress.clone(),
        stop.clone(),
    );
    let report = session.await?.run(args.keep).await?;
    progress.finish();

    if json {
        output::json(&report)?;
    } else {
        output::line(&report.closing_words());
    }
    Ok(match (stop.is_requested(), report.all_passed()) {
        (true, _) => ExitCode::from(EXIT_INTERRUPTED),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

/// The runtime that can write to the metrics database that was named: containers know that of their own file alone.
fn runtime_for(asked: RuntimeArg, metrics: &MetricsDbConfig, chosen: bool) -> Result<RuntimeArg> {
    match asked {
        RuntimeArg::Auto if chosen => Ok(RuntimeArg::Native),
        RuntimeArg::Docker if chosen => Err(UsageError::plain(format!(
            "with --runtime docker the results go to the database of docker-compose.yml, not to {}:{}: leave out the \
             --db-* flags and unset DB_HOST and its companions, or run with --runtime native",
            metrics.host, metrics.port
        ))
        .into()),
        asked => Ok(asked),
    }
}

/// Prepares the runtime that was asked for; `auto` falls back to native with a sentence on why.
async fn choose(
    args: &RunArgs,
    root: &Path,
    state: &State,
    targets: &Targets,
    plan: &Plan,
    progress: &Progress,
    stop: &Stop,
) -> Result<Backend> {
    let used = plan.targets();
    if args.runtime != RuntimeArg::Native {
        match docker(root, state, targets, plan, progress, stop).await {
            Ok(docker) => return Ok(Backend::Docker(Box::new(docker))),
            Err(error) if args.runtime == RuntimeArg::Docker || stop.is_requested() => {
                return Err(error.context("--runtime docker"));
            }
            Err(error) => progress.say(&format!("Running natively, without Docker: {error:#}.")),
        }
    }
    let native = Native::start(root, state, &used, &args.metrics, progress);
    let native = stop
        .or(native)
        .await
        .context("the native runtime could not be set up")?;
    if native.is_debug_build() && plan.mode_name != "smoke" {
        let allowed = std::env::var_os("WEIR_ALLOW_DEBUG_BUILD").is_some();
        if !allowed {
            native.shutdown(false).await?;
            bail!(
                "the services are debug builds, whose figures mean nothing: run a release build of weir"
            );
        }
    }
    Ok(Backend::Native(Box::new(native)))
}

async fn docker(
    root: &Path,
    state: &State,
    targets: &Targets,
    plan: &Plan,
    progress: &Progress,
    stop: &Stop,
) -> Result<Docker> {
    progress.step("looking for Docker");
    let mut docker = stop
        .or(Docker::find(root, state, targets, &plan.targets()))
        .await?;
    match stop.or(docker.prepare(progress)).await {
        Ok(()) => Ok(docker),
        Err(error) => {
            if let Err(error) = docker.shutdown(false).await {
                tracing::warn!(%error, "the containers could not be stopped");
            }
            Err(error)
        }
    }
}

/// Which runtime holds the newest metrics, for commands outside a session.
fn remember_runtime(state: &State, name: &str) -> Result<()> {
    std::fs::write(state.dir.join("last-runtime"), name).context("cannot write the state directory")
}

/// The command line that repeats the session: what the caller has set, and what was asked for.
fn shell_command(args: &PlanArgs, plan: &Plan, runtime: &str, given: &Variables) -> String {
    let scale = if (plan.phase_scale - 1.0).abs() < f64::EPSILON {
        String::new()
    } else {
        format!("PHASE_SCALE={} ", plan.phase_scale)
    };
    format!(
        "{scale}{}load-test/shared/run-sequential-throughput-tests.sh {} --runtime {runtime}",
        variables::to_shell(given),
        args.to_shell(plan.seed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_the_arguments() {
        assert!(list(None).is_empty());
        assert!(list(Some("")).is_empty());
        assert_eq!(list(Some("a, b,")), ["a", "b"]);
        let args = PlanArgs {
            mode: Some("full".into()),
            targets: Some(String::new()),
            payloads: Some("32k".into()),
            scenario: None,
            trials: Some(2),
            rate: None,
            seed: None,
        };
        assert_eq!(args.to_shell(7), "full '' 32k --trials 2 --seed 7");
    }

    #[test]
    fn the_command_repeats_what_the_caller_has_set() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let (modes, targets) = (Modes::load(&root).unwrap(), Targets::load(&root).unwrap());
        let args = PlanArgs {
            mode: Some("smoke".into()),
            targets: None,
            payloads: None,
            scenario: None,
            trials: None,
            rate: None,
            seed: Some(7),
        };
        let mut plan = args.plan(&modes, &targets).unwrap();
        plan.phase_scale = 0.5;
        let given = [("WRITERS", "4"), ("DB_PASSWORD", "s3cret")];
        let given = given
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        assert_eq!(
            shell_command(&args, &plan, "native", &given),
            "PHASE_SCALE=0.5 WRITERS=4 load-test/shared/run-sequential-throughput-tests.sh smoke --seed 7 --runtime native"
        );
    }

    #[test]
    fn a_metrics_database_elsewhere_is_for_native_sessions() {
        use RuntimeArg::{Auto, Docker, Native};
        let elsewhere = MetricsDbConfig {
            host: "db.example.org".into(),
            ..MetricsDbConfig::default()
        };
        for asked in [Auto, Docker, Native] {
            assert_eq!(runtime_for(asked, &elsewhere, false).unwrap(), asked);
        }
        assert_eq!(runtime_for(Auto, &elsewhere, true).unwrap(), Native);
        assert_eq!(runtime_for(Native, &elsewhere, true).unwrap(), Native);
        let error = runtime_for(Docker, &elsewhere, true).unwrap_err();
        assert!(
            error.is::<UsageError>() && error.to_string().contains("not to db.example.org:5433"),
            "{error}"
        );
    }
}
