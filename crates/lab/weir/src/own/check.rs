//! `weir check`: starts each target of a `weir.toml`, sends each request once, and shows what came back.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use lab_bench::backend::Backend;
use lab_bench::native::Native;
use lab_bench::progress::Progress;
use lab_bench::started::Started;
use lab_contract::verify::wait_healthy;
use lab_host::state::State;
use lab_model::targets::{Target, Targets};
use metrics_db::MetricsDbConfig;
use serde::Serialize;

use super::service::Own;
use super::tried::{self, Tried};
use crate::output;
use crate::usage::UsageError;

const HEALTHY_LIMIT: Duration = Duration::from_secs(60);

/// Most characters of a body on a line.
const SHOWN: usize = 100;

/// Send each request of weir.toml once to each target and show what came back
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Targets, separated by commas [default: all]
    targets: Option<String>,
    /// Scenarios, separated by commas [default: all]
    scenarios: Option<String>,
}

/// What came back from a target.
#[derive(Debug, Serialize)]
struct Checked {
    target: String,
    scenario: String,
    /// Why nothing was sent.
    error: Option<String>,
    requests: Vec<Tried>,
}

impl Checked {
    fn passed(&self) -> bool {
        self.error.is_none() && self.requests.iter().all(|one| one.wrong.is_empty())
    }
}

/// Runs it. Exit 0 where every answer is as expected, else 1.
///
/// # Errors
/// The root is a checkout, or what a check needs cannot be had.
pub async fn run(args: CheckArgs, root: &Path, json: bool) -> Result<ExitCode> {
    let Some(own) = Own::load(root)? else {
        let what = "there is no weir.toml in this folder or above it: write one with 'weir init', or check a target of this \
                    repository with 'weir verify'";
        return Err(UsageError::plain(what).into());
    };
    let all = Targets::load(root)?;
    let names = list(args.targets.as_deref());
    let chosen: Vec<&Target> = if names.is_empty() {
        all.iter().collect()
    } else {
        names
            .iter()
            .map(|name| target(&all, name))
            .collect::<Result<_>>()?
    };
    let scenarios = list(args.scenarios.as_deref());
    for name in &scenarios {
        own.scenario(name)
            .map_err(|error| UsageError::plain(error.to_string()))?;
    }
    let scenarios: Vec<String> = own
        .project
        .scenarios
        .iter()
        .map(|one| one.name.clone())
        .filter(|name| scenarios.is_empty() || scenarios.contains(name))
        .collect();

    let state = State::open(root)?;
    let _lock = state.lock()?;
    let progress = Progress::new(json);
    let native = Native::start(
        root,
        &state,
        &chosen,
        false,
        None,
        &MetricsDbConfig::default(),
        &progress,
    )
    .await?;
    let mut backend = Backend::Native(Box::new(native));
    let mut checked = Vec::new();
    for target in chosen {
        for scenario in &scenarios {
            progress.step(&format!("checking {} {scenario}", target.name));
            let log = state.log("check");
            let outcome = one(&mut backend, &own, (target, scenario), log).await;
            backend.stop_targets().await?;
            let (requests, error) = match outcome {
                Ok(requests) => (requests, None),
                Err(error) => (Vec::new(), Some(format!("{error:#}"))),
            };
            checked.push(Checked {
                target: target.name.clone(),
                scenario: scenario.clone(),
                error,
                requests,
            });
        }
    }
    backend.shutdown(false).await?;
    progress.finish();
    if json {
        output::json(&checked)?;
    } else {
        for one in &checked {
            output::line(&words(one));
        }
    }
    let passed = checked.iter().all(Checked::passed);
    Ok(ExitCode::from(u8::from(!passed)))
}

async fn one(
    backend: &mut Backend,
    own: &Own,
    (target, scenario): (&Target, &str),
    log: std::path::PathBuf,
) -> Result<Vec<Tried>> {
    let started = match target.address() {
        Some(endpoint) => Started {
            from_here: endpoint.clone(),
            from_generator: endpoint,
            probe: None,
            counters: None,
        },
        None => backend.start_target(target).await.context("starting")?,
    };
    wait_healthy(target, &started.from_here, HEALTHY_LIMIT, || {
        backend.check_target()
    })
    .await?;
    if own.scenario(scenario)?.script.is_some() {
        anyhow::bail!("it is a script: 'weir run smoke' tries it");
    }
    let mut generator = None;
    let tried = tried::all(
        backend,
        own,
        (target, scenario),
        &started,
        (1, log),
        &mut generator,
    )
    .await;
    if let Some(generator) = generator {
        backend.stop_generator(generator).await?;
    }
    tried
}

fn target<'a>(all: &'a Targets, name: &str) -> Result<&'a Target> {
    all.get(name).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|target| target.name.as_str()).collect();
        UsageError::plain(format!(
            "unknown target '{name}'; weir.toml has {}",
            names.join(", ")
        ))
        .into()
    })
}

fn list(text: Option<&str>) -> Vec<String> {
    let names = text.unwrap_or_default().split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(Into::into)
        .collect()
}

fn words(checked: &Checked) -> String {
    let mut lines = vec![format!("{} {}", checked.target, checked.scenario)];
    if let Some(error) = &checked.error {
        lines.push(format!("  FAILED  {error}"));
    }
    for one in &checked.requests {
        let name = one.name();
        let result = if one.wrong.is_empty() {
            "ok    "
        } else {
            "FAILED"
        };
        let body: String = one.body.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = body.chars().take(SHOWN).collect();
        let dots = if body.chars().count() > SHOWN {
            "..."
        } else {
            ""
        };
        let many = match one.messages {
            0 | 1 => String::new(),
            messages => format!(", {messages} messages"),
        };
        lines.push(format!(
            "  {result}  {name}: {} in {:.1} ms{many}  {short}{dots}",
            one.status, one.ms
        ));
        if !one.wrong.is_empty() {
            lines.push(format!("          {}", one.wrong));
        }
    }
    lines.join("\n")
}
