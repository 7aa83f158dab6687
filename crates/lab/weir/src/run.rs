//! `weir run`: a session, from its arguments to the path of its report.
//!
//! - this file: the command; `choice`: which runtime and which generator it takes
//! - `args`: its arguments; `bench`: what the steps of every cell work with
//! - `judging`: its arguments that say how it is judged
//! - `session`: what is kept of it; `progression`: its cells one after the other; `rounds`, `look`: what runs again, and when
//!   it is decided
//! - `distance`: the network that stands between generator and target; `generators`: several machines that make the load
//! - `cell`, `running`, `outcome`: the steps of one cell, and how it ended; `data`, `script`: what its target finds, what k6 is told
//! - `measure`: one measurement, from its generator's start to what that leaves; `by_benchmark`: what `benchmark` is told
//! - `resume`: going on with an unfinished session
//! - `samples_csv`: whether the sampler's file is there
//! - `stop`: Ctrl-C and SIGTERM
//!
//! Where the services run (Docker or native), k6 and the display are the crate `lab-bench`.

mod args;
mod bench;
mod by_benchmark;
mod cell;
mod choice;
mod clean_up;
mod data;
mod distance;
mod generators;
mod judging;
mod look;
mod measure;
mod outcome;
mod progression;
mod ready;
mod resume;
mod rounds;
mod running;
mod samples_csv;
mod script;
mod session;
mod stop;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use lab_bench::backend::Backend;
use lab_bench::docker::Docker;
use lab_bench::metrics;
use lab_bench::native::Native;
use lab_bench::progress::Progress;
use lab_host::state::State;
use lab_host::variables::{self, Variables};
use lab_model::driver::Driver;
use lab_model::modes::Modes;
use lab_model::plan::Plan;
use lab_model::targets::Targets;

use crate::access;
use crate::output::{self, counted, duration};
use crate::own::service::Own;
pub use args::{PlanArgs, RunArgs};

use args::RuntimeArg;
use choice::{driver_of_own, natively, own_runtime, runtime_for};
use resume::Resumed;
use stop::Stop;

/// What starts a session of this repository's services.
const FRONT_DOOR: &str = "load-test/shared/run-sequential-throughput-tests.sh";

/// Exit status after Ctrl-C, as shells give it.
const EXIT_INTERRUPTED: u8 = 130;

/// Runs a session. Exit 0 where every cell was measured and passed its audit, 1 where one did not, 130 where
/// the user stopped it.
pub async fn run(mut args: RunArgs, root: &Path, json: bool) -> Result<ExitCode> {
    let own = Own::load(root)?;
    if own.is_some() {
        args.runtime = own_runtime(args.runtime)?;
    }
    let modes = Modes::load(root)?;
    let targets = Targets::load(root)?;
    let access = access::access(&args.client)?;
    let mut resumed = match args.resume.clone() {
        Some(id) => Some(Resumed::find(&args, root, &id).await?),
        None => None,
    };
    let mut plan = match &mut resumed {
        Some(resumed) => {
            args.runtime = resumed.runtime();
            resumed.plan(&modes, &targets)?
        }
        None => args.plan.plan(&modes, &targets)?,
    };
    let asked = args.runtime;
    args.runtime = runtime_for(asked, &args.metrics, metrics::is_chosen(&args.metrics))?;
    if plan.request.driver == Some(Driver::Benchmark) && args.runtime == RuntimeArg::Auto {
        // No image has to be built for it there.
        args.runtime = RuntimeArg::Native;
    }
    if let Some(own) = &own {
        plan.request.driver = driver_of_own(own, &plan)?;
    }
    if plan.request.distance.is_some() {
        args.runtime = natively(args.runtime, "--delay, --jitter and --loss")?;
    }
    if plan.request.generators.is_some() {
        args.runtime = natively(args.runtime, "--generators")?;
    }
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
    let most = if plan.request.judging.until_decided {
        "at most "
    } else {
        ""
    };
    progress.say(&format!(
        "{most}{}{of} of {}, about {} together, seed {}",
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
    let program = match &own {
        Some(_) => "weir run",
        None => FRONT_DOOR,
    };
    let command = shell_command(program, &args.plan, &plan, backend.name(), &given)
        + &access::to_shell(&args.client);
    let session = session::Session::begin(
        root,
        plan,
        backend,
        session::Origin {
            command,
            resumed,
            access,
        },
        progress.clone(),
        stop.clone(),
        own,
    );
    let report = Box::pin(session.await?.run(args.keep)).await?;
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
    let native = Native::start(
        root,
        state,
        &used,
        plan.uses(Driver::Benchmark),
        plan.request.generators.as_ref(),
        &args.metrics,
        progress,
    );
    let native = stop
        .or(native)
        .await
        .context("the native runtime could not be set up")?;
    if let Err(refused) = refuse_debug_build(native.is_debug_build(), plan) {
        native.shutdown(false).await?;
        return Err(refused);
    }
    Ok(Backend::Native(Box::new(native)))
}

/// Services that are not optimised show that they work, and measure nothing.
fn refuse_debug_build(is_debug: bool, plan: &Plan) -> Result<()> {
    let allowed = plan.mode_name == "smoke" || std::env::var_os("WEIR_ALLOW_DEBUG_BUILD").is_some();
    if is_debug && !allowed {
        bail!(
            "the services are debug builds, whose figures mean nothing: run a release build of weir, and in Docker leave out \
             BUILD_PROFILE"
        );
    }
    Ok(())
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
        .or(Docker::find(
            root,
            state,
            targets,
            &plan.targets(),
            plan.uses(Driver::Benchmark),
        ))
        .await?;
    refuse_debug_build(docker.is_debug_build(), plan)?;
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
fn shell_command(
    program: &str,
    args: &PlanArgs,
    plan: &Plan,
    runtime: &str,
    given: &Variables,
) -> String {
    let runtime = match program {
        FRONT_DOOR => format!(" --runtime {runtime}"),
        _ => String::new(),
    };
    let scale = if (plan.phase_scale - 1.0).abs() < f64::EPSILON {
        String::new()
    } else {
        format!("PHASE_SCALE={} ", plan.phase_scale)
    };
    format!(
        "{scale}{}{program} {}{runtime}",
        variables::to_shell(given),
        args.to_shell(plan.seed)
    )
}

#[cfg(test)]
mod tests {
    use metrics_db::MetricsDbConfig;

    use super::*;
    use crate::usage::UsageError;

    #[test]
    fn the_forms_of_the_arguments() {
        assert!(args::list(None).is_empty());
        assert!(args::list(Some("")).is_empty());
        assert_eq!(args::list(Some("a, b,")), ["a", "b"]);
        let args = PlanArgs {
            mode: Some("full".into()),
            targets: Some(String::new()),
            payloads: Some("32k".into()),
            scenario: None,
            trials: Some(2),
            rate: None,
            seed: None,
            driver: None,
            generators: None,
            judging: Default::default(),
            distance: Default::default(),
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
            driver: None,
            generators: None,
            judging: Default::default(),
            distance: Default::default(),
        };
        let mut plan = args.plan(&modes, &targets).unwrap();
        plan.phase_scale = 0.5;
        let given = [("WRITERS", "4"), ("DB_PASSWORD", "s3cret")];
        let given = given
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        assert_eq!(
            shell_command(FRONT_DOOR, &args, &plan, "native", &given),
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
