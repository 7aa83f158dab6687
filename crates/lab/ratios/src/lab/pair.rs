//! Both sides of a ratio: of ingestion, or of balances.

use std::sync::Arc;

use anyhow::Context;

use super::cpu::usage_in_window;
use super::parts::{Lab, TIMEOUT};
use crate::pairs::{Pair, Ratio, first_goes_first};
use crate::pgbench::{Pgbench, ROWS, Script};
use crate::process_tree::cpu_seconds;
use crate::service::{Program, WriteMode};
use crate::side::{Measurement, Side};
use crate::store;
use load_engine::accounts::{AccountPlan, SEEDED};
use load_engine::load::Load;
use load_engine::measure::measure;
use load_engine::outcome::LoadOutcome;
use load_engine::output::say;
use load_engine::plan::Route;
use load_engine::progress::{Progress, ProgressMode, thousands};
use load_engine::protocol::Protocol;
use load_engine::requests::outcome::Outcome;
use load_engine::requests::plan::{Pacing, Plan};
use load_engine::requests::start;
use load_engine::work::Work;

impl Lab<'_> {
    /// Both sides of a ratio, directly after each other.
    pub(crate) async fn pair(&self, ratio: Ratio, round: u32) -> anyhow::Result<Pair> {
        let sides = ratio.sides();
        let (first, second) = if first_goes_first(round) {
            let first = self.measure(sides[0], round).await?;
            (first, self.measure(sides[1], round).await?)
        } else {
            let second = self.measure(sides[1], round).await?;
            (self.measure(sides[0], round).await?, second)
        };
        let pair = Pair {
            ratio,
            round,
            first,
            second,
        };
        say(&format!(
            "  {:.2} x (floor {})",
            pair.value(),
            ratio.floor()
        ));
        Ok(pair)
    }

    async fn measure(&self, side: Side, round: u32) -> anyhow::Result<Measurement> {
        let args = self.setup.args();
        let measurement = match side {
            Side::Pgbench => {
                let script = Script::Upsert { keys: args.keys };
                self.pgbench(side, script, args.pgbench_clients).await
            }
            Side::MultiRow => {
                let script = Script::MultiRow { keys: args.keys };
                self.pgbench(side, script, args.multi_row_clients).await
            }
            Side::PgbenchSelect => {
                let clients = args.balance_concurrency;
                self.pgbench(side, Script::SelectAccount, clients).await
            }
            Side::Rest(mode) => {
                let program = Program::Producer(Protocol::Rest, mode);
                self.ingest(side, Protocol::Rest, program, None).await
            }
            Side::Grpc(mode) => {
                let program = Program::Producer(Protocol::Grpc, mode);
                self.ingest(side, Protocol::Grpc, program, None).await
            }
            Side::Protected(protocol) => {
                let program = Program::Protected(protocol);
                self.ingest(side, protocol, program, None).await
            }
            Side::Bulk(protocol) => {
                let program = Program::Producer(protocol, WriteMode::Group);
                self.ingest(side, protocol, program, Some(args.batch)).await
            }
            Side::Balance(protocol) => self.balance(side, protocol).await,
        };
        let measurement = measurement.with_context(|| side.label())?;
        say(&format!(
            "round {round} of {}: {}: {}/s",
            args.pairs,
            side.label(),
            thousands(measurement.rate.round() as u64)
        ));
        if let Some(fault) = measurement.fault() {
            say(&format!("  warning: {fault}"));
        }
        Ok(measurement)
    }

    async fn pgbench(
        &self,
        side: Side,
        script: Script,
        clients: u32,
    ) -> anyhow::Result<Measurement> {
        let args = self.setup.args();
        let pgbench = Pgbench {
            program: &self.setup.programs()?.pgbench,
            port: self.postgres.port,
            clients,
            script,
            folder: self.setup.folder(),
        };
        self.settle(side).await?;
        pgbench.run(args.warmup).await?;
        let before = cpu_seconds(self.postgres.pid())?;
        let result = pgbench.run(args.seconds).await?;
        let postgres = cpu_seconds(self.postgres.pid())? - before;
        anyhow::ensure!(
            side == Side::PgbenchSelect || store::rows(&self.client).await? > 0,
            "pgbench wrote nothing"
        );
        let rows = if side == Side::MultiRow { ROWS } else { 1 };
        let events = result.transactions * u64::from(rows);
        let each = |seconds: f64| seconds * 1e6 / events.max(1) as f64;
        Ok(Measurement {
            side,
            rate: result.rate * f64::from(rows),
            events,
            latency_mean_ms: Some(result.latency_ms),
            latency_p50_ms: None,
            latency_p99_ms: None,
            service_cpu_us: None,
            postgres_cpu_us: each(postgres),
            client_cpu_us: each(result.cpu_seconds),
            client_share: None,
            errors: 0,
            audit: None,
        })
    }

    /// Writes find an empty table; for reads it is enough that nothing is left to be written.
    async fn settle(&self, side: Side) -> anyhow::Result<()> {
        match side {
            Side::PgbenchSelect | Side::Balance(_) => store::checkpoint(&self.client).await,
            _ => store::reset(&self.client).await,
        }
    }

    async fn ingest(
        &self,
        side: Side,
        protocol: Protocol,
        program: Program,
        batch: Option<u32>,
    ) -> anyhow::Result<Measurement> {
        let args = self.setup.args();
        let run_id = "ratios";
        let concurrency = match batch {
            Some(_) => args.bulk_concurrency as usize,
            None => args.concurrency,
        };
        let connections = match protocol {
            Protocol::Rest => concurrency,
            Protocol::Grpc => concurrency.min(args.grpc_connections),
        };
        let work = Work::Ingest(args.events(run_id, batch));
        let (mut outcome, mut measurement) = self
            .load(side, program, protocol, concurrency, connections, work)
            .await?;
        let ledger = outcome.ledger.take().context("a run without a ledger")?;
        let audit = store::audit(&self.client, run_id, ledger).await?;
        anyhow::ensure!(
            audit.acknowledged == outcome.events().acknowledged,
            "the ledger and the counters disagree about what was acknowledged"
        );
        measurement.audit = Some(audit);
        Ok(measurement)
    }

    async fn balance(&self, side: Side, protocol: Protocol) -> anyhow::Result<Measurement> {
        let args = self.setup.args();
        let concurrency = args.balance_concurrency as usize;
        let connections = match protocol {
            Protocol::Rest => concurrency,
            Protocol::Grpc => concurrency.min(args.balance_grpc_connections as usize),
        };
        let work = Work::Balance(AccountPlan {
            run_id: "ratios".into(),
            seed: 1,
            accounts: SEEDED,
        });
        let loaded = self.load(
            side,
            Program::Balance { shared: true },
            protocol,
            concurrency,
            connections,
            work,
        );
        Ok(loaded.await?.1)
    }

    /// Starts a service and loads it.
    async fn load(
        &self,
        side: Side,
        program: Program,
        protocol: Protocol,
        concurrency: usize,
        connections: usize,
        work: Work,
    ) -> anyhow::Result<(Outcome, Measurement)> {
        let args = self.setup.args();
        let service = self
            .setup
            .service(program, protocol, &self.database_url)
            .await?;
        self.settle(side).await?;
        let mut path = Work::default_path(work.scenario(), protocol).to_owned();
        if work.batch().is_some() {
            path = Work::batch_path(&path, protocol);
        }
        let plan = Plan {
            protocol,
            route: Route {
                endpoint: service.endpoint.clone(),
                connections,
                timeout: TIMEOUT,
            },
            timing: args.timing(1),
            path,
            concurrency,
            pacing: Pacing::default(),
            rate: None,
            work,
        };
        let stop = self.setup.stop().clone();
        let load = tokio::task::spawn_blocking(move || start(plan, &stop)).await??;
        let pids = [service.pid(), self.postgres.pid()];
        let usage = usage_in_window(Arc::clone(load.clock()), pids);
        let mut progress = Progress::new(ProgressMode::None);
        let measured = measure(load, &mut progress, self.setup.stop());
        let (outcome, usage) = tokio::join!(measured, usage);
        let (outcome, [service_cpu, postgres_cpu]) = (outcome?, usage?);
        let events = outcome.events_measured();
        let each = |seconds: f64| seconds * 1e6 / events.max(1) as f64;
        let measurement = Measurement {
            side,
            rate: outcome.event_rate(),
            events,
            latency_mean_ms: None,
            latency_p50_ms: outcome.latency_ms(0.5),
            latency_p99_ms: outcome.latency_ms(0.99),
            service_cpu_us: Some(each(service_cpu)),
            postgres_cpu_us: each(postgres_cpu),
            client_cpu_us: each(outcome.window.cpu_seconds()),
            client_share: Some(outcome.cpu_share()),
            errors: outcome.tally.whole.errors(),
            audit: None,
        };
        Ok((outcome, measurement))
    }
}
