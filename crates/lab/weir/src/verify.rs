//! `weir verify TARGET`: the contract check against a target that is running.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use lab_contract::application_db::ApplicationDb;
use lab_contract::verify::verify;
use lab_model::access::Access;
use lab_model::endpoint::Endpoint;
use lab_model::targets::Targets;
use protect::ClientArgs;

use crate::access;
use crate::output::{self, Table};
use crate::usage::UsageError;

/// Check that a running target keeps the contract
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// Name in load-test/targets.toml
    target: String,
    /// Where it listens, e.g. http://127.0.0.1:8081 or https://127.0.0.1:8081 [default: its url, or its port on this machine]
    #[arg(long)]
    url: Option<String>,
    /// Its application database; without it what is stored is not looked at
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// How it is come to.
    #[command(flatten)]
    client: ClientArgs,
}

/// Runs it. Exit 0 where every case passed, else 1.
pub async fn run(args: VerifyArgs, root: &Path, json: bool) -> Result<ExitCode> {
    let targets = Targets::load(root)?;
    let target = targets.get(&args.target).ok_or_else(|| {
        let names: Vec<&str> = targets.iter().map(|t| t.name.as_str()).collect();
        UsageError::plain(format!(
            "unknown target '{}'; there are: {}",
            args.target,
            names.join(", ")
        ))
    })?;
    let endpoint = match args.url.as_ref().or(target.url.as_ref()) {
        Some(url) => Endpoint::parse(url).map_err(UsageError::from)?,
        None => Endpoint::local(target.port.context("the target has no port: give --url")?),
    };
    let given = access::access(&args.client)?;
    let endpoint = match target.tls || given.tls.is_some() {
        true => endpoint.with(Access::secure(None)),
        false => endpoint,
    };
    let endpoint = endpoint.given(&given);
    let database = match &args.database_url {
        Some(url) => Some(ApplicationDb::connect(url).await?),
        None => None,
    };
    let findings = verify(target, &endpoint, database.as_ref()).await?;
    let passed = findings.iter().all(|f| f.passed);
    if json {
        output::json(&findings)?;
    } else {
        let mut table = Table::new(&["Case", "Result", "What happened"]);
        for finding in &findings {
            let result = if finding.passed { "ok" } else { "FAILED" };
            table.row([finding.case, result, &finding.detail]);
        }
        output::line(&table.to_string());
        if database.is_none() {
            output::line("What is stored was not looked at: no --database-url was given.");
        }
    }
    Ok(ExitCode::from(u8::from(!passed)))
}
