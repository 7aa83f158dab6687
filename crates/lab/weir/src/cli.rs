//! The command line: what weir can be asked, and how wrong arguments are answered.

use std::process::ExitCode;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use lab_model::modes::Modes;
use lab_model::targets::Targets;
use runtime::config::{LogFormat, TelemetryConfig};
use runtime::telemetry;

use crate::audit::AuditArgs;
use crate::calibrate::CalibrateArgs;
use crate::db::DbCommand;
use crate::feed::FeedArgs;
use crate::gate::GateArgs;
use crate::history::HistoryArgs;
use crate::import::ImportArgs;
use crate::judge::JudgeArgs;
use crate::listing::{PlanCommand, TargetsArgs};
use crate::own::check::{self, CheckArgs};
use crate::own::home;
use crate::own::init::{self, InitArgs};
use crate::report::ReportArgs;
use crate::run::RunArgs;
use crate::runs::RunsCommand;
use crate::seed::SeedArgs;
use crate::usage::{EXIT_USAGE, front_door_usage, run_usage, wrong_usage};
use crate::verify::VerifyArgs;
use crate::{
    audit, calibrate, db, feed, gate, history, import, judge, listing, output, report, run, runs,
    seed, verify,
};

/// Measures event services against each other: runs them under load, audits what they stored, and reports.
#[derive(Parser, Debug)]
#[command(name = "weir", version = env!("WEIR_VERSION"), disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    Run(Box<RunArgs>),
    Calibrate(CalibrateArgs),
    Plan(PlanCommand),
    Targets(TargetsArgs),
    Init(InitArgs),
    Check(CheckArgs),
    Verify(VerifyArgs),
    Audit(AuditArgs),
    Import(ImportArgs),
    Judge(JudgeArgs),
    Gate(Box<GateArgs>),
    /// Write the report of a session again
    Report(ReportArgs),
    History(HistoryArgs),
    /// List, show, export and clean up what was measured
    #[command(subcommand)]
    Runs(RunsCommand),
    #[command(subcommand)]
    Db(DbCommand),
    Seed(SeedArgs),
    Feed(FeedArgs),
}

/// Exit status where standard output takes no more (`EX_IOERR` of sysexits.h): 0, 1 and 2 would be read as an answer.
const EXIT_OUTPUT: u8 = 74;

/// Parses the arguments, runs the command, and turns what happens into words and an exit status.
pub async fn main() -> ExitCode {
    let status = run_command().await;
    let Some(error) = output::failure() else {
        return status;
    };
    output::error_line(&format!("weir: standard output: {error}"));
    ExitCode::from(EXIT_OUTPUT)
}

async fn run_command() -> ExitCode {
    // The progress is for the user; log lines are for whoever looks for a fault.
    let telemetry = TelemetryConfig {
        rust_log: Some(std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".into())),
        log_format: Some(LogFormat::Text),
        ..Default::default()
    };
    if let Err(error) = telemetry::init(&telemetry) {
        output::error_line(&format!("weir: {error}"));
        return ExitCode::FAILURE;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match dispatch(cli).await {
        Ok(code) => code,
        Err(error) => match wrong_usage(&error) {
            Some(usage) => {
                output::error_line(&format!("weir: {usage}"));
                if let Some(values) = known_values().filter(|_| usage.lists_values) {
                    output::error_line(&format!("\n{values}"));
                }
                ExitCode::from(EXIT_USAGE)
            }
            None => {
                output::error_line(&format!("weir: {error:#}"));
                ExitCode::FAILURE
            }
        },
    }
}

async fn dispatch(cli: Cli) -> Result<ExitCode> {
    let json = cli.json;
    let root = home::find();
    match cli.command {
        // Needs no repository: the image that seeds has none.
        Command::Seed(args) => seed::run(args, json).await,
        Command::Feed(args) => feed::run(args, json).await,
        Command::Run(args) => Box::pin(run::run(*args, &root?, json)).await,
        Command::Calibrate(args) => Box::pin(calibrate::run(args, &root?, json)).await,
        Command::Plan(command) => listing::plan(&command, &root?, json).await,
        Command::Targets(_) => listing::targets(&root?, json),
        Command::Init(args) => init::run(&args),
        Command::Check(args) => Box::pin(check::run(args, &root?, json)).await,
        Command::Verify(args) => verify::run(args, &root?, json).await,
        Command::Audit(args) => audit::run(args, &root?, json).await,
        Command::Import(args) => import::run(args, &root?, json).await,
        Command::Judge(args) => judge::run(args, crate::TOOL, json),
        Command::Gate(args) => gate::run(*args, root, json).await,
        Command::Report(args) => report::run(args, &root?, json)
            .await
            .map(|()| ExitCode::SUCCESS),
        Command::Db(command) => db::run(command, &root?).await,
        Command::History(args) => history::run(args, &root?, json)
            .await
            .map(|()| ExitCode::SUCCESS),
        Command::Runs(command) => runs::run(command, &root?, json)
            .await
            .map(|()| ExitCode::SUCCESS),
    }
}

/// Help and version go to standard output with status 0; anything else is wrong usage.
fn refuse(error: &clap::Error) -> ExitCode {
    let wanted = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if let Some(values) = front_door().and_then(|_| known_values()) {
        return refuse_at_the_front_door(error, wanted, &values);
    }
    let text = error.render();
    if wanted {
        output::line(text.to_string().trim_end());
    } else {
        output::error_line(text.to_string().trim_end());
    }
    // What `run` takes depends on two files, so clap cannot know it.
    if let Some(usage) = known_values() {
        let about_run = std::env::args()
            .nth(1)
            .is_some_and(|word| word == "run" || word == "plan");
        if about_run && wanted {
            output::line(&format!("\n{usage}"));
        } else if about_run {
            output::error_line(&format!("\n{usage}"));
        }
    }
    if wanted {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_USAGE)
    }
}

/// The same for arguments of the front-door script, whose usage text is its own.
fn refuse_at_the_front_door(error: &clap::Error, wanted: bool, values: &str) -> ExitCode {
    if wanted {
        output::line(values);
        return ExitCode::SUCCESS;
    }
    // The first paragraph says what is wrong; clap's usage line is that of `weir run`.
    let text = error.render().to_string();
    let problem = text.split("\n\n").next().unwrap_or_default();
    output::error_line(&format!("{problem}\n\n{values}"));
    ExitCode::from(EXIT_USAGE)
}

/// Name of the script that has handed over its arguments.
fn front_door() -> Option<String> {
    std::env::var("WEIR_FRONT_DOOR")
        .ok()
        .filter(|name| !name.is_empty())
}

/// The usage text with all valid values; none outside a checkout.
fn known_values() -> Option<String> {
    let root = home::find().ok()?;
    let (modes, targets) = (Modes::load(&root).ok()?, Targets::load(&root).ok()?);
    Some(match front_door() {
        Some(name) => front_door_usage(&name, &modes, &targets),
        None => run_usage(&modes, &targets),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
