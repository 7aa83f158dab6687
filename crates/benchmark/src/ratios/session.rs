//! All measurements in their order.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::args::RatioArgs;
use super::lab::{self, Lab, say};
use super::logs::LogMeasurement;
use super::machine::{Machine, in_memory};
use super::pairs::{Group, Pair};
use super::postgres::{DATABASE, Postgres, Programs, state_folder};
use super::service::{Program, Service, ServiceSpec, WriteMode};
use super::store;
use super::streams::StreamMeasurement;
use crate::protocol::Protocol;

/// A session: what it was asked for, and what it has measured so far.
pub(super) struct Session {
    args: RatioArgs,
    bin_dir: PathBuf,
    folder: PathBuf,
    /// None where nothing is measured that needs PostgreSQL.
    programs: Option<Programs>,
    machine: Machine,
    pairs: Vec<Pair>,
    streams: Vec<StreamMeasurement>,
    logs: Vec<LogMeasurement>,
}

impl Session {
    /// Finds everything that is needed.
    pub(super) fn prepare(args: RatioArgs) -> anyhow::Result<Self> {
        anyhow::ensure!(
            args.allow_debug || !cfg!(debug_assertions),
            "this is a debug build, whose figures mean nothing: build with --release (or --allow-debug to try it out)"
        );
        let needs_postgres = !args.ratios().is_empty() || !args.streams().is_empty();
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
        let machine = Machine::read(&args.root);
        Ok(Self {
            args,
            bin_dir,
            folder,
            programs,
            machine,
            pairs: Vec::new(),
            streams: Vec::new(),
            logs: Vec::new(),
        })
    }

    pub(super) fn args(&self) -> &RatioArgs {
        &self.args
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(super) fn programs(&self) -> anyhow::Result<&Programs> {
        self.programs
            .as_ref()
            .context("PostgreSQL was not looked for")
    }

    /// For what is needed only meanwhile.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    pub(super) fn streams(&self) -> &[StreamMeasurement] {
        &self.streams
    }

    pub(super) fn logs(&self) -> &[LogMeasurement] {
        &self.logs
    }

    /// Whether anything was measured.
    pub(super) fn has_results(&self) -> bool {
        !self.pairs.is_empty() || !self.streams.is_empty() || !self.logs.is_empty()
    }

    /// Whether all was measured that was asked for.
    pub(super) fn is_complete(&self) -> bool {
        let rounds = self.args.pairs as usize;
        self.pairs.len() == self.args.ratios().len() * rounds
            && self.streams.len() == self.args.streams().len() * rounds
            && self.logs.len() == self.args.logs().len() * rounds
    }

    /// Measures everything, round by round.
    pub(super) async fn run(&mut self) -> anyhow::Result<()> {
        if self.programs.is_some() {
            self.run_on_postgres().await?;
        }
        for round in 1..=self.args.pairs {
            if self.args.logs().is_empty() {
                break;
            }
            let beside = lab::beside(self).await?;
            for kind in self.args.logs() {
                let measurement = lab::log(self, kind, round, beside).await?;
                self.logs.push(measurement);
            }
        }
        Ok(())
    }

    async fn run_on_postgres(&mut self) -> anyhow::Result<()> {
        let settings = self.args.root.join("postgres/settings.conf");
        say("starting PostgreSQL");
        let postgres = Postgres::start(self.programs()?, &self.folder, &settings).await?;
        let database_url = postgres.url(DATABASE);
        let client = store::connect(&database_url).await?;
        self.machine.postgres = store::settings(&client).await?;
        self.try_services(&client, &database_url).await?;
        for round in 1..=self.args.pairs {
            for ratio in self.args.ratios() {
                let pair = self
                    .lab(&postgres, &database_url)
                    .await?
                    .pair(ratio, round)
                    .await?;
                self.pairs.push(pair);
            }
            for kind in self.args.streams() {
                let lab = self.lab(&postgres, &database_url).await?;
                let measurement = lab.stream(kind, round).await?;
                self.streams.push(measurement);
            }
        }
        Ok(())
    }

    async fn lab<'a>(
        &'a self,
        postgres: &'a Postgres,
        database_url: &str,
    ) -> anyhow::Result<Lab<'a>> {
        Ok(Lab {
            session: self,
            postgres,
            database_url: database_url.to_owned(),
            client: store::connect(database_url).await?,
        })
    }

    /// Starts each service once: a missing binary shows now, and the tables are there for pgbench and the seed.
    async fn try_services(
        &self,
        client: &tokio_postgres::Client,
        database_url: &str,
    ) -> anyhow::Result<()> {
        let measured = |group| self.args.ratios().iter().any(|it| it.group() == group);
        if measured(Group::Ingest) {
            for protocol in [Protocol::Rest, Protocol::Grpc] {
                let producer = Program::Producer(protocol, WriteMode::Group);
                drop(self.service(producer, protocol, database_url).await?);
            }
        }
        if measured(Group::Balance) {
            let balance = self.service(Program::Balance, Protocol::Rest, database_url);
            drop(balance.await?);
            store::seed_accounts(client).await?;
        }
        if !self.args.streams().is_empty() {
            say("making transactions to replay");
            let stream = self.service(Program::Stream, Protocol::Rest, database_url);
            let stream = stream.await?;
            store::seed_transactions(client, self.args.replay_events).await?;
            drop(stream);
        }
        Ok(())
    }

    pub(super) async fn service(
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
        })
        .await
    }
}
