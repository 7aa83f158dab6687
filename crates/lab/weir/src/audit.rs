//! `weir audit RUN`: the audit that was recorded, and the count of today.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use lab_bench::{application, metrics};
use lab_contract::audit::Comparison;
use lab_model::scenario::Scenario;
use lab_words::checks;
use metrics_db::{Audit, CheckStatus, MetricsDbConfig, Run};
use serde_json::json;

use crate::output;
use crate::usage::UsageError;

/// Compare what a run acknowledged with what is in the application database
#[derive(Args, Debug)]
pub struct AuditArgs {
    /// Number of the run, or the run id that its events carry
    run: String,
    /// The application database [default: that of the last session]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    #[command(flatten)]
    metrics: MetricsDbConfig,
}

/// Runs it. Exit 1 where the recorded audit or that of today fails.
pub async fn run(args: AuditArgs, root: &Path, json: bool) -> Result<ExitCode> {
    let run = metrics::reading(root, &args.metrics, async |store| {
        Ok(match args.run.parse::<i64>() {
            Ok(id) => store.run(id).await?,
            Err(_) => store
                .run_by_label(&args.run)
                .await?
                .ok_or_else(|| UsageError::plain(format!("unknown run '{}'", args.run)))?,
        })
    })
    .await?;
    if run.scenario != Scenario::Ingest.as_str() {
        return other_scenario(&run, json);
    }
    let recorded = run.audit.as_ref();
    let today = recount(&args, root, &run).await;
    let passed = recorded.is_none_or(|a| a.passed)
        && today
            .as_ref()
            .map_or(true, |now| now.as_ref().is_none_or(|a| a.passed));
    let words = match &today {
        Ok(Some(audit)) => sentence(audit),
        Ok(None) => {
            "The application database holds nothing of this run any more: each run begins with an \
                     empty table."
                .to_owned()
        }
        Err(error) => format!("Not counted again: {error:#}"),
    };
    let shown = Shown {
        today: today.as_ref().ok().cloned().flatten(),
        message: &words,
        recorded: recorded.map_or_else(|| NO_AUDIT.to_owned(), sentence),
        now: &words,
        passed,
    };
    shown.print(&run, json)
}

const NO_AUDIT: &str = "no audit was made";

/// What is said of a run.
struct Shown<'a> {
    today: Option<Audit>,
    /// What `--json` says.
    message: &'a str,
    /// What was recorded, and what is there now, as sentences.
    recorded: String,
    now: &'a str,
    passed: bool,
}

impl Shown<'_> {
    fn print(&self, run: &Run, json: bool) -> Result<ExitCode> {
        if json {
            output::json(&json!({
                "run": run.id,
                "run_label": run.run_label,
                "recorded": run.audit,
                "today": self.today,
                "message": self.message,
                "passed": self.passed,
            }))?;
        } else {
            output::line(&format!(
                "run {} ({}), {} {} {}",
                run.id, run.run_label, run.api_name, run.test_mode, run.payload_size
            ));
            output::line(&format!("recorded: {}", self.recorded));
            output::line(&format!("now:      {}", self.now));
        }
        Ok(ExitCode::from(u8::from(!self.passed)))
    }
}

/// What the other audits looked at is gone with the service that ran: there is the recorded audit alone.
fn other_scenario(run: &Run, json: bool) -> Result<ExitCode> {
    let check = run.checks.iter().find(|check| check.id == "audit");
    let passed = check.is_some_and(|check| check.status != CheckStatus::Bad);
    let words = check.map_or_else(|| NO_AUDIT.to_owned(), |check| checks::words(check).detail);
    let shown = Shown {
        today: None,
        message: &words,
        recorded: words.clone(),
        now: "not counted again: it compared what the service counted while it ran",
        passed,
    };
    shown.print(run, json)
}

/// Today's count; none where the run's events are gone.
async fn recount(args: &AuditArgs, root: &Path, run: &Run) -> Result<Option<Audit>> {
    let url = args.database_url.as_deref();
    let stored = application::reading(root, url, async |database| {
        database.count_events(&run.run_label).await
    })
    .await?;
    let recorded = run
        .audit
        .as_ref()
        .context("the run has no counts to compare with")?;
    if stored == 0 && recorded.acknowledged > 0 {
        return Ok(None);
    }
    let today = Comparison::of(recorded.acknowledged, recorded.in_doubt, stored);
    Ok(Some(recorded_as(&today)))
}

/// A comparison as the metrics database holds it.
pub(crate) fn recorded_as(compared: &Comparison) -> Audit {
    let Comparison {
        acknowledged,
        in_doubt,
        stored,
        passed,
    } = *compared;
    Audit {
        acknowledged,
        in_doubt,
        stored,
        passed,
    }
}

/// The audit of ingestion as a sentence.
fn sentence(audit: &Audit) -> String {
    checks::of_events(audit.acknowledged, audit.in_doubt, audit.stored)
}
