//! The arguments of `weir run`, and the plan that they come to.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use lab_model::driver::Driver;
use lab_model::generators::Generators;
use lab_model::modes::{self, Modes};
use lab_model::plan::{Plan, Request};
use lab_model::targets::Targets;
use metrics_db::MetricsDbConfig;
use protect::ClientArgs;

use super::distance::DistanceArgs;
use super::judging::JudgingArgs;
use crate::usage::UsageError;

/// What to measure.
#[derive(Args, Clone, Debug, Default)]
pub struct PlanArgs {
    /// smoke, full, saturation or compare; or a workload: low, medium, high, burst (stream), balance-levels
    pub(super) mode: Option<String>,
    /// Targets, separated by commas; '' or none: the default targets of the scenario
    pub(super) targets: Option<String>,
    /// Payloads, separated by commas; none: all that the scenario has
    pub(super) payloads: Option<String>,
    /// Scenario whose default targets are meant: ingest, balance, stream, log, or all of them [default: that of the
    /// targets named, else ingest]
    #[arg(long, value_name = "NAME")]
    pub(super) scenario: Option<String>,
    /// Number of rounds: trials of each target and payload, the targets of each round in an order of its own [default: 1;
    /// in mode compare 8, or 12 with several payloads]
    #[arg(long, value_name = "N")]
    pub(super) trials: Option<u32>,
    /// Arrivals a second, in mode compare [default: as load-test/k6/lib/modes.json has it]
    #[arg(long, value_name = "N")]
    pub(super) rate: Option<f64>,
    /// Seed of payloads and order [default: drawn and printed]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(super) seed: Option<u64>,
    /// What makes the load [default: as target and mode name it, in mode saturation benchmark, else k6]
    #[arg(long, value_enum, value_name = "DRIVER")]
    pub(super) driver: Option<DriverArg>,
    /// Several machines make the load together, as this file names them (docs/guides/scaling.md); natively, by benchmark
    #[arg(long, value_name = "FILE")]
    pub(super) generators: Option<PathBuf>,
    #[command(flatten)]
    pub(super) judging: JudgingArgs,
    #[command(flatten)]
    pub(super) distance: DistanceArgs,
}

/// `--driver`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DriverArg {
    /// k6, with the target's script
    K6,
    /// The lab's own generator: lighter, latency from the moment due; of streams from the commit
    Benchmark,
}

impl DriverArg {
    /// As a plan stores it.
    pub(super) fn driver(self) -> Driver {
        match self {
            Self::K6 => Driver::K6,
            Self::Benchmark => Driver::Benchmark,
        }
    }
}

/// Measure targets against each other and write a report
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    pub(super) plan: PlanArgs,
    /// Where the services run; auto: Docker where it works, else natively
    #[arg(long, value_enum, default_value_t = RuntimeArg::Auto, value_name = "RUNTIME")]
    pub(super) runtime: RuntimeArg,
    /// Continue an unfinished session: make only its missing runs, with its plan and seed [default: the newest
    /// unfinished one]
    #[arg(long, num_args = 0..=1, default_missing_value = "", value_name = "SESSION")]
    pub(super) resume: Option<String>,
    /// Leave the databases running at the end
    #[arg(long)]
    pub(super) keep: bool,
    #[command(flatten, next_help_heading = "Targets that somebody else has started")]
    pub(super) client: ClientArgs,
    #[command(flatten)]
    pub(super) metrics: MetricsDbConfig,
}

impl RunArgs {
    /// A session of null targets that shows what `driver` reaches at most.
    pub(crate) fn calibration(
        mode: &str,
        targets: String,
        payloads: String,
        driver: Driver,
        metrics: &MetricsDbConfig,
    ) -> Self {
        let driver = match driver {
            Driver::K6 => DriverArg::K6,
            Driver::Benchmark => DriverArg::Benchmark,
        };
        Self::of(
            PlanArgs {
                mode: Some(mode.into()),
                targets: Some(targets),
                payloads: Some(payloads),
                driver: Some(driver),
                ..PlanArgs::default()
            },
            metrics,
        )
    }

    /// An A/A session of mode compare.
    pub(crate) fn noise_floor(
        target: String,
        payload: String,
        rounds: u32,
        metrics: &MetricsDbConfig,
    ) -> Self {
        Self::of(
            PlanArgs {
                mode: Some("compare".into()),
                targets: Some(target),
                payloads: Some(payload),
                trials: Some(rounds),
                judging: JudgingArgs::aa(),
                ..PlanArgs::default()
            },
            metrics,
        )
    }

    /// Natively: null targets have no containers.
    fn of(plan: PlanArgs, metrics: &MetricsDbConfig) -> Self {
        Self {
            plan,
            runtime: RuntimeArg::Native,
            resume: None,
            keep: false,
            client: ClientArgs::default(),
            metrics: metrics.clone(),
        }
    }
}

/// `--runtime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RuntimeArg {
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
        let generators = self.generators()?;
        // Several machines are what only `benchmark` makes a load from.
        let driver = self.driver.map(DriverArg::driver);
        let driver = driver.or(generators.as_ref().map(|_| Driver::Benchmark));
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
            judging: self.judging.judging(),
            distance: self.distance.distance()?,
            generators,
            repeats: Vec::new(),
            driver,
        };
        plan_of(&request, modes, targets)
    }

    /// What the file of `--generators` says.
    pub(super) fn generators(&self) -> Result<Option<Generators>> {
        let file = self.generators.as_deref();
        file.map(Generators::read)
            .transpose()
            .map_err(|error| UsageError::plain(format!("--generators: {error}")).into())
    }

    /// The arguments that repeat this plan with `seed`, for a shell.
    pub(super) fn to_shell(&self, seed: u64) -> String {
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
        if let Some(driver) = self.driver {
            words.push(format!("--driver {}", driver.driver().as_str()));
        }
        if let Some(file) = &self.generators {
            words.push(format!("--generators {}", file.display()));
        }
        words.extend(self.judging.to_shell());
        words.extend(self.distance.to_shell());
        words.join(" ")
    }
}

/// The plan of a request; what does not exist is a usage error that lists what does.
pub(super) fn plan_of(request: &Request, modes: &Modes, targets: &Targets) -> Result<Plan> {
    Plan::new(request, modes, targets)
        .map_err(|error| UsageError::for_run(error.to_string()).into())
}

/// `PHASE_SCALE` of the caller; none where it is not set or empty.
pub(super) fn phase_scale() -> Result<Option<f64>, UsageError> {
    match std::env::var("PHASE_SCALE") {
        Ok(text) if !text.is_empty() => Ok(Some(modes::phase_scale(&text)?)),
        _ => Ok(None),
    }
}

/// The parts of a comma-separated list; none and the empty text are the empty list.
pub(super) fn list(text: Option<&str>) -> Vec<String> {
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
