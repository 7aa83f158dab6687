//! What a session is made of before anything is measured: its options, the programs, a folder.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::args::RatioArgs;
use crate::machine::in_memory;
use crate::postgres::{Programs, state_folder};
use crate::service::{Program, Service, ServiceSpec};
use load_engine::protocol::Protocol;
use load_engine::stop::Stop;

/// What all measurements share.
pub(crate) struct Setup {
    args: RatioArgs,
    stop: Stop,
    bin_dir: PathBuf,
    folder: PathBuf,
    /// None where nothing is measured that needs PostgreSQL.
    programs: Option<Programs>,
}

impl Setup {
    /// Finds everything that is needed.
    pub(crate) fn prepare(args: RatioArgs, stop: &Stop) -> anyhow::Result<Self> {
        anyhow::ensure!(
            args.allow_debug || !cfg!(debug_assertions),
            "this is a debug build, whose figures mean nothing: build with --release (or --allow-debug to try it out)"
        );
        let needs_postgres = !args.ratios().is_empty()
            || !args.streams().is_empty()
            || !args.rate_steps().is_empty();
        let programs = needs_postgres
            .then(|| Programs::find(&args.root))
            .transpose()?;
        let bin_dir = match &args.bin_dir {
            Some(folder) => folder.clone(),
            None => std::env::current_exe()?
                .parent()
                .context("a binary without a folder")?
                .to_owned(),
        };
        let folder = state_folder(&args.root, args.data_dir.as_deref())?;
        anyhow::ensure!(
            args.allow_debug || !in_memory(&folder),
            "{} lies in memory, where durable writes cost nothing: give a --data-dir on a disk",
            folder.display()
        );
        Ok(Self {
            args,
            stop: stop.clone(),
            bin_dir,
            folder,
            programs,
        })
    }

    /// Whether the session is asked to stop.
    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    pub(crate) fn args(&self) -> &RatioArgs {
        &self.args
    }

    /// Whether anything is measured that needs PostgreSQL.
    pub(crate) fn needs_postgres(&self) -> bool {
        self.programs.is_some()
    }

    pub(crate) fn programs(&self) -> anyhow::Result<&Programs> {
        self.programs
            .as_ref()
            .context("PostgreSQL was not looked for")
    }

    /// For what is needed only meanwhile.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a service.
    pub(crate) async fn service(
        &self,
        program: Program,
        protocol: Protocol,
        database_url: &str,
    ) -> anyhow::Result<Service> {
        Service::start(&ServiceSpec {
            bin_dir: &self.bin_dir,
            program,
            protocol,
            database_url,
            pool_size: self.args.pool_size,
            folder: &self.folder,
            stop: &self.stop,
        })
        .await
    }
}
