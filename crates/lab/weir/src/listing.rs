//! `weir targets` and `weir plan`: what could be run, and what a run would do.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use lab_model::modes::Modes;
use lab_model::targets::Targets;
use metrics_db::MetricsDbConfig;
use serde_json::json;

use crate::forecast;
use crate::output::{self, Table, counted, duration};
use crate::run::PlanArgs;

/// List the targets of load-test/targets.toml
#[derive(Args, Debug)]
pub struct TargetsArgs {}

/// Print the matrix of a run, how long it would take, and which difference it would find
#[derive(Args, Debug)]
pub struct PlanCommand {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    metrics: MetricsDbConfig,
}

/// Runs `weir targets`.
pub fn targets(root: &Path, json: bool) -> Result<ExitCode> {
    let targets = Targets::load(root)?;
    if json {
        output::json(&targets.iter().collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&[
        "Name",
        "Scenario",
        "Protocol",
        "Language",
        "Framework",
        "Driver",
        "Port",
        "Default",
    ]);
    for target in targets.iter() {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let port = target
            .port
            .map_or_else(|| text(&target.url), |port| port.to_string());
        table.row([
            target.name.clone(),
            target.scenario.to_string(),
            target.protocol.as_str().to_owned(),
            text(&target.language),
            text(&target.framework),
            text(&target.driver),
            port,
            if target.default { "yes" } else { "no" }.to_owned(),
        ]);
    }
    output::line(&table.to_string());
    Ok(ExitCode::SUCCESS)
}

/// Runs `weir plan`.
pub async fn plan(command: &PlanCommand, root: &Path, json: bool) -> Result<ExitCode> {
    let plan = command
        .plan
        .plan(&Modes::load(root)?, &Targets::load(root)?)?;
    let expected = plan.expected(plan.cells.len());
    let found = forecast::of(&plan, root, &command.metrics).await;
    let found = found.unwrap_or_else(|error| {
        tracing::debug!("no earlier session can be read: {error:#}");
        Vec::new()
    });
    if json {
        output::json(&json!({
            "mode": plan.mode_name,
            "seed": plan.seed,
            "phase_scale": plan.phase_scale,
            "expected_seconds": expected.as_secs(),
            "cells": plan.cells,
            "finds": found,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["Order", "Target", "Payload", "Trial"]).numbers(&[0, 3]);
    for cell in &plan.cells {
        table.row([
            cell.order.to_string(),
            cell.target.name.clone(),
            cell.payload.clone(),
            cell.trial.to_string(),
        ]);
    }
    output::line(&table.to_string());
    for (phase, seconds) in plan
        .mode
        .phases
        .iter()
        .zip(plan.mode.phase_seconds(plan.phase_scale))
    {
        let length = match phase.iterations {
            Some(iterations) => format!("{iterations} iterations"),
            None => format!("{seconds} s"),
        };
        output::line(&format!(
            "  phase {}: {} VUs, {length}",
            phase.name, phase.vus
        ));
    }
    output::line(&format!(
        "{} of {}, about {} each, about {} together, seed {}",
        counted(plan.cells.len(), "run"),
        plan.mode_name,
        duration(plan.expected_cell()),
        duration(expected),
        plan.seed
    ));
    for line in forecast::lines(&plan, &found) {
        output::line(&line);
    }
    Ok(ExitCode::SUCCESS)
}
