//! `weir calibrate`: what each generator reaches at most here, and how far apart two equal targets seem to be.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use lab_model::driver::Driver;
use lab_model::modes::Modes;
use lab_model::scenario::Scenario;
use lab_model::targets::Targets;
use lab_trial::ceiling;
use metrics_db::{MetricsDbConfig, RunFilter, RunStatus, Store};
use serde::Serialize;

use crate::output::{self, Table, thousands};
use crate::run::{self, RunArgs};

/// Rounds of the A/A session.
const AA_ROUNDS: u32 = 8;

/// Measure what each generator reaches at most on this machine, with targets that do nothing, and the noise floor
///
/// Sessions of mode calibrate, one a generator, then an A/A session of mode compare. Runs above 70 % of their generator's
/// ceiling are ranked no more. Takes about 10 minutes.
#[derive(Args, Debug)]
pub(crate) struct CalibrateArgs {
    /// Payloads, separated by commas
    #[arg(default_value = "default", value_name = "PAYLOADS")]
    payloads: String,
    /// Leave the A/A session out
    #[arg(long)]
    no_aa: bool,
    /// Measure again what was measured with this machine and these builds before
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    metrics: MetricsDbConfig,
}

/// A ceiling, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Ceiling {
    driver: &'static str,
    scenario: String,
    protocol: String,
    payload: String,
    requests_per_second: f64,
}

/// Runs it. Exit 0 where every run completed.
pub(crate) async fn run(args: CalibrateArgs, root: &Path, json: bool) -> Result<ExitCode> {
    let (modes, targets) = (Modes::load(root)?, Targets::load(root)?);
    let payloads: Vec<&str> = args.payloads.split(',').map(str::trim).collect();
    let nulls = |scenario: Scenario| {
        let own = targets.iter().filter(move |target| {
            target.null && target.scenario == scenario && !target.name.ends_with("-burn")
        });
        own.map(|target| target.name.clone())
            .collect::<Vec<_>>()
            .join(",")
    };
    let known = known(root, &args.metrics).await.unwrap_or_default();
    let mut status = ExitCode::SUCCESS;
    for driver in [Driver::Benchmark, Driver::K6] {
        for (scenario, payloads) in [
            (Scenario::Ingest, payloads.join(",")),
            (Scenario::Balance, modes.payloads[0].clone()),
        ] {
            let there = |payload: &str| {
                known.iter().any(|one| {
                    one.driver == driver.as_str()
                        && one.scenario == scenario.as_str()
                        && one.payload == payload
                })
            };
            if !args.again && payloads.split(',').all(there) {
                continue;
            }
            let run = RunArgs::calibration(
                ceiling::MODE,
                nulls(scenario),
                payloads,
                driver,
                &args.metrics,
            );
            let ended = Box::pin(run::run(run, root, false)).await?;
            if ended != ExitCode::SUCCESS {
                status = ended;
            }
        }
    }
    if !args.no_aa {
        let run = RunArgs::noise_floor(
            "null-rest".into(),
            modes.payloads[0].clone(),
            AA_ROUNDS,
            &args.metrics,
        );
        Box::pin(run::run(run, root, false)).await?;
    }
    let found = self::known(root, &args.metrics)
        .await
        .context("the ceilings cannot be read back")?;
    if json {
        output::json(&found)?;
        return Ok(status);
    }
    let mut table = Table::new(&[
        "Generator",
        "Scenario",
        "Protocol",
        "Payload",
        "Requests/s at most",
    ])
    .numbers(&[4]);
    for one in &found {
        table.row([
            one.driver.to_owned(),
            one.scenario.clone(),
            one.protocol.clone(),
            one.payload.clone(),
            thousands(one.requests_per_second),
        ]);
    }
    output::line(&table.to_string());
    Ok(status)
}

/// The ceilings that were measured on this machine.
async fn known(root: &Path, metrics: &MetricsDbConfig) -> Result<Vec<Ceiling>> {
    let machine = lab_host::environment::machine().await;
    lab_bench::metrics::reading(root, metrics, async |store| all(store, &machine).await).await
}

async fn all(store: &Store, machine: &serde_json::Value) -> Result<Vec<Ceiling>> {
    let filter = RunFilter {
        mode: Some(ceiling::MODE.into()),
        status: Some(RunStatus::Completed),
        ..RunFilter::default()
    };
    let mut found: Vec<Ceiling> = Vec::new();
    for run in store.runs(&filter).await? {
        let Some(session) = &run.session_id else {
            continue;
        };
        let session = store.session(session).await?;
        let here =
            session.is_some_and(|session| session.environment.get("machine") == Some(machine));
        let phases = store.phases(run.id).await?;
        let Some(rate) = ceiling::busiest(&phases).filter(|_| here) else {
            continue;
        };
        let driver = if run.driver == Driver::K6.as_str() {
            Driver::K6
        } else {
            Driver::Benchmark
        };
        let like = |one: &&mut Ceiling| {
            one.driver == driver.as_str()
                && one.scenario == run.scenario
                && one.protocol == run.protocol
                && one.payload == run.payload_size
        };
        match found.iter_mut().find(like) {
            Some(one) => one.requests_per_second = one.requests_per_second.max(rate),
            None => found.push(Ceiling {
                driver: driver.as_str(),
                scenario: run.scenario,
                protocol: run.protocol,
                payload: run.payload_size,
                requests_per_second: rate,
            }),
        }
    }
    found.sort_by(|a, b| {
        let key = |one: &Ceiling| {
            (
                one.scenario.clone(),
                one.payload.clone(),
                one.protocol.clone(),
            )
        };
        (key(a), a.driver).cmp(&(key(b), b.driver))
    });
    Ok(found)
}
