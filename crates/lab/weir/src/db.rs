//! `weir db`: the lab's two databases on this machine, without Docker and outside of a session.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use lab_bench::metrics::config_of;
use lab_host::cluster::{self, Cluster, Spec};
use lab_host::state::State;
use lab_host::tools::Tools;
use metrics_db::Store;

use crate::output;
use crate::usage::UsageError;

/// The lab's two databases, without Docker
#[derive(Subcommand, Debug)]
pub enum DbCommand {
    /// Start both and leave them running: on 5432 and 5433 where these are free
    Up,
    /// Stop both
    Down,
    /// Open psql in one of them
    Psql {
        /// Which one
        database: Which,
        /// Arguments of psql, e.g. -c 'select count(*) from test_runs'
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The application database: entities, accounts, transactions
    #[value(alias = "car_entities", alias = "postgres-large")]
    Application,
    /// The metrics database: what was measured
    #[value(alias = "performance_metrics", alias = "postgres-metrics")]
    Metrics,
}

impl Which {
    fn spec(self, root: &Path) -> Spec<'static> {
        match self {
            Self::Application => Spec::application(root),
            Self::Metrics => Spec::metrics(),
        }
    }
}

/// Runs it.
///
/// # Errors
/// A session is on, or PostgreSQL cannot be had.
pub async fn run(command: DbCommand, root: &Path) -> Result<ExitCode> {
    let state = State::open(root)?;
    match command {
        DbCommand::Up => {
            let _lock = state.lock()?;
            let tools = Tools::find_or_fetch(root, &state.log("native-tools")).await?;
            for which in [Which::Application, Which::Metrics] {
                let spec = which.spec(root);
                let cluster = Cluster::start(&state, &tools.pg_bin, &spec)
                    .await
                    .with_context(|| spec.name.to_owned())?;
                if which == Which::Metrics {
                    // The tables are there before the first session: what people know can be typed at once.
                    Store::connect(&config_of(&cluster))
                        .await?
                        .migrate()
                        .await?;
                }
                output::line(&format!("{}: {}", spec.name, cluster.url()));
                cluster.leave_running();
            }
        }
        DbCommand::Down => {
            let _lock = state.lock()?;
            for which in [Which::Application, Which::Metrics] {
                cluster::stop_running(&state, &which.spec(root)).await?;
            }
        }
        DbCommand::Psql {
            database,
            arguments,
        } => {
            let spec = database.spec(root);
            let port = spec.running_port(&state).ok_or_else(|| {
                UsageError::plain(format!(
                    "{} does not run: 'weir db up' starts it",
                    spec.name
                ))
            })?;
            let tools = Tools::find_or_fetch(root, &state.log("native-tools")).await?;
            let url = format!(
                "postgresql://postgres:password@127.0.0.1:{port}/{}",
                spec.database
            );
            let error = Command::new(tools.pg_bin.join("psql"))
                .arg(url)
                .args(arguments)
                .exec();
            return Err(error).context("psql could not be started");
        }
    }
    Ok(ExitCode::SUCCESS)
}
