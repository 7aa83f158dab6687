//! All measurements in their order.

use crate::args::RatioArgs;
use crate::lab::{self, Lab};
use crate::logs::LogMeasurement;
use crate::machine::Machine;
use crate::pairs::{Group, Pair};
use crate::postgres::{DATABASE, Postgres};
use crate::rates::{Asked, RateMeasurement};
use crate::service::{Program, WriteMode};
use crate::setup::Setup;
use crate::store;
use crate::streams::StreamMeasurement;
use load_engine::output::say;
use load_engine::protocol::Protocol;
use load_engine::stop::Stop;

/// A session: what it was asked for, and what it has measured so far.
pub(crate) struct Session {
    setup: Setup,
    machine: Machine,
    pairs: Vec<Pair>,
    streams: Vec<StreamMeasurement>,
    logs: Vec<LogMeasurement>,
    rates: Vec<RateMeasurement>,
}

impl Session {
    /// Finds everything that is needed.
    pub(crate) fn prepare(args: RatioArgs, stop: &Stop) -> anyhow::Result<Self> {
        let setup = Setup::prepare(args, stop)?;
        Ok(Self {
            machine: Machine::read(&setup.args().root),
            setup,
            pairs: Vec::new(),
            streams: Vec::new(),
            logs: Vec::new(),
            rates: Vec::new(),
        })
    }

    pub(crate) fn args(&self) -> &RatioArgs {
        self.setup.args()
    }

    pub(crate) fn machine(&self) -> Machine {
        self.machine.until_now()
    }

    pub(crate) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    pub(crate) fn streams(&self) -> &[StreamMeasurement] {
        &self.streams
    }

    pub(crate) fn logs(&self) -> &[LogMeasurement] {
        &self.logs
    }

    pub(crate) fn rates(&self) -> &[RateMeasurement] {
        &self.rates
    }

    /// Whether anything was measured.
    pub(crate) fn has_results(&self) -> bool {
        !self.pairs.is_empty()
            || !self.streams.is_empty()
            || !self.logs.is_empty()
            || !self.rates.is_empty()
    }

    /// Whether all was measured that was asked for.
    pub(crate) fn is_complete(&self) -> bool {
        let rounds = self.args().pairs as usize;
        self.pairs.len() == self.args().ratios().len() * rounds
            && self.streams.len() == self.args().streams().len() * rounds
            && self.logs.len() == self.args().logs().len() * rounds
            && self.rates.len() == self.args().rate_steps().len() * rounds
    }

    /// Measures everything, round by round.
    pub(crate) async fn run(&mut self) -> anyhow::Result<()> {
        if self.setup.needs_postgres() {
            self.run_on_postgres().await?;
        }
        for round in 1..=self.args().pairs {
            if self.args().logs().is_empty() {
                break;
            }
            let beside = lab::beside(&self.setup).await?;
            for kind in self.args().logs() {
                let measurement = lab::log(&self.setup, kind, round, beside).await?;
                self.logs.push(measurement);
            }
        }
        Ok(())
    }

    async fn run_on_postgres(&mut self) -> anyhow::Result<()> {
        let settings = self.args().root.join("postgres/settings.conf");
        say("starting PostgreSQL");
        let postgres = Postgres::start(
            self.setup.programs()?,
            self.setup.folder(),
            &settings,
            self.setup.stop(),
        )
        .await?;
        let database_url = postgres.url(DATABASE);
        let client = store::connect(&database_url).await?;
        self.machine.postgres = store::settings(&client).await?;
        self.try_services(&client, &database_url).await?;
        for round in 1..=self.args().pairs {
            for ratio in self.args().ratios() {
                let pair = self
                    .lab(&postgres, &database_url)
                    .await?
                    .pair(ratio, round)
                    .await?;
                self.pairs.push(pair);
            }
            for kind in self.args().streams() {
                let lab = self.lab(&postgres, &database_url).await?;
                let measurement = lab.stream(kind, round).await?;
                self.streams.push(measurement);
            }
            for (kind, rate) in self.args().rate_steps() {
                let lab = self.lab(&postgres, &database_url).await?;
                let measurement = lab.rate(kind, rate, round).await?;
                self.rates.push(measurement);
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
            setup: &self.setup,
            postgres,
            database_url: database_url.to_owned(),
            client: store::connect(database_url).await?,
        })
    }

    /// Starts each service once: a missing binary shows now, and the tables are there for pgbench and the seed.
    async fn try_services(
        &self,
        client: &database_link::Link,
        database_url: &str,
    ) -> anyhow::Result<()> {
        let measured = |group| self.args().ratios().iter().any(|it| it.group() == group);
        let by_rate = |asked| {
            self.args()
                .rate_steps()
                .iter()
                .any(|(it, _)| it.asked == asked)
        };
        let writes = [Group::Ingest, Group::Bulk, Group::Protection];
        if writes.into_iter().any(measured) || by_rate(Asked::Event) {
            for protocol in [Protocol::Rest, Protocol::Grpc] {
                let producer = Program::Producer(protocol, WriteMode::Group);
                drop(self.setup.service(producer, protocol, database_url).await?);
            }
        }
        if measured(Group::Balance) || by_rate(Asked::Balance) {
            let balance = self.setup.service(
                Program::Balance { shared: true },
                Protocol::Rest,
                database_url,
            );
            drop(balance.await?);
            store::seed_accounts(client).await?;
        }
        if !self.args().streams().is_empty() {
            say("making transactions to replay");
            let stream = self
                .setup
                .service(Program::Stream, Protocol::Rest, database_url);
            let stream = stream.await?;
            store::seed_transactions(client, self.args().replay_events).await?;
            drop(stream);
        }
        Ok(())
    }
}
