//! All measurements in their order.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use tokio_postgres::Client;

use super::args::RatioArgs;
use super::machine::{Machine, in_memory};
use super::pairs::{Pair, Ratio, first_goes_first};
use super::pgbench::Pgbench;
use super::postgres::{DATABASE, Postgres, Programs, state_folder};
use super::process_tree::cpu_seconds;
use super::service::{Service, ServiceSpec, WriteMode};
use super::side::{Measurement, Side};
use super::store;
use crate::args::ProgressMode;
use crate::clock::Clock;
use crate::command::{Stop, measure};
use crate::events::EventPlan;
use crate::events::attributes::Payload;
use crate::load::{Plan, start};
use crate::progress::{Progress, thousands};
use crate::protocol::Protocol;
use crate::work::Work;

/// A session: what it was asked for, and what it has measured so far.
pub(super) struct Session {
    args: RatioArgs,
    bin_dir: PathBuf,
    folder: PathBuf,
    programs: Programs,
    machine: Machine,
    pairs: Vec<Pair>,
}

/// The parts that live while measurements are made.
struct Lab<'a> {
    session: &'a Session,
    postgres: &'a Postgres,
    database_url: String,
    client: Client,
}

impl Session {
    /// Finds everything that is needed.
    pub(super) fn prepare(args: RatioArgs) -> anyhow::Result<Self> {
        anyhow::ensure!(
            args.allow_debug || !cfg!(debug_assertions),
            "this is a debug build, whose figures mean nothing: build with --release (or --allow-debug to try it out)"
        );
        let programs = Programs::find(&args.root)?;
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
        })
    }

    pub(super) fn args(&self) -> &RatioArgs {
        &self.args
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(super) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Measures all pairs, round by round.
    pub(super) async fn run(&mut self) -> anyhow::Result<()> {
        let settings = self.args.root.join("postgres/settings.conf");
        say("starting PostgreSQL");
        let postgres = Postgres::start(&self.programs, &self.folder, &settings).await?;
        let database_url = postgres.url(DATABASE);
        let client = store::connect(&database_url).await?;
        self.machine.postgres = store::settings(&client).await?;
        self.try_services(&database_url).await?;
        for round in 1..=self.args.pairs {
            for ratio in self.args.ratios() {
                let lab = Lab {
                    session: self,
                    postgres: &postgres,
                    database_url: database_url.clone(),
                    client: store::connect(&database_url).await?,
                };
                let pair = lab.pair(ratio, round).await?;
                self.pairs.push(pair);
            }
        }
        Ok(())
    }

    /// Starts each service once: a missing binary shows now, and the table is there for pgbench.
    async fn try_services(&self, database_url: &str) -> anyhow::Result<()> {
        for protocol in [Protocol::Rest, Protocol::Grpc] {
            drop(
                self.service(protocol, WriteMode::Group, database_url)
                    .await?,
            );
        }
        Ok(())
    }

    async fn service(
        &self,
        protocol: Protocol,
        mode: WriteMode,
        database_url: &str,
    ) -> anyhow::Result<Service> {
        Service::start(&ServiceSpec {
            bin_dir: &self.bin_dir,
            protocol,
            mode,
            database_url,
            pool_size: self.args.pool_size,
            folder: &self.folder,
        })
        .await
    }
}

impl Lab<'_> {
    async fn pair(&self, ratio: Ratio, round: u32) -> anyhow::Result<Pair> {
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
            "  {:.2} x (floor {:.1})",
            pair.value(),
            ratio.floor()
        ));
        Ok(pair)
    }

    async fn measure(&self, side: Side, round: u32) -> anyhow::Result<Measurement> {
        let measurement = match side.service() {
            None => self.pgbench().await,
            Some((protocol, mode)) => self.load(side, protocol, mode).await,
        };
        let measurement = measurement.with_context(|| side.label())?;
        say(&format!(
            "round {round} of {}: {}: {}/s",
            self.session.args.pairs,
            side.label(),
            thousands(measurement.rate.round() as u64)
        ));
        if let Some(fault) = measurement.fault() {
            say(&format!("  warning: {fault}"));
        }
        Ok(measurement)
    }

    async fn pgbench(&self) -> anyhow::Result<Measurement> {
        let args = &self.session.args;
        let pgbench = Pgbench {
            program: &self.session.programs.pgbench,
            port: self.postgres.port,
            clients: args.pgbench_clients,
            keys: args.keys,
            folder: &self.session.folder,
        };
        store::reset(&self.client).await?;
        pgbench.run(args.warmup).await?;
        let before = cpu_seconds(self.postgres.pid())?;
        let result = pgbench.run(args.seconds).await?;
        let postgres = cpu_seconds(self.postgres.pid())? - before;
        anyhow::ensure!(
            store::rows(&self.client).await? > 0,
            "pgbench wrote nothing"
        );
        let each = |seconds: f64| seconds * 1e6 / result.transactions.max(1) as f64;
        Ok(Measurement {
            side: Side::Pgbench,
            rate: result.rate,
            events: result.transactions,
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

    async fn load(
        &self,
        side: Side,
        protocol: Protocol,
        mode: WriteMode,
    ) -> anyhow::Result<Measurement> {
        let args = &self.session.args;
        let service = self
            .session
            .service(protocol, mode, &self.database_url)
            .await?;
        store::reset(&self.client).await?;
        let run_id = "ratios".to_owned();
        let plan = Plan {
            protocol,
            endpoint: service.endpoint.clone(),
            concurrency: args.concurrency,
            connections: match protocol {
                Protocol::Rest => args.concurrency,
                Protocol::Grpc => args.grpc_connections,
            },
            threads: 1,
            warmup: args.warmup(),
            duration: args.window(),
            timeout: std::time::Duration::from_secs(10),
            rate: None,
            path: Work::default_path("ingest", protocol).into(),
            work: Work::Ingest(EventPlan {
                payload: Payload::Default,
                run_id: run_id.clone(),
                seed: 1,
                keys: Some(args.keys),
            }),
        };
        let load = tokio::task::spawn_blocking(move || start(plan)).await??;
        let pids = [service.pid(), self.postgres.pid()];
        let usage = usage_in_window(Arc::clone(load.clock()), pids);
        let mut progress = Progress::new(ProgressMode::None);
        let mut stop = Stop::new()?;
        let (outcome, usage) = tokio::join!(measure(load, &mut progress, &mut stop), usage);
        let (mut outcome, [service_cpu, postgres_cpu]) = (outcome?, usage?);
        let ledger = outcome.ledger.take().context("a run without a ledger")?;
        let audit = store::audit(&self.client, &run_id, ledger).await?;
        anyhow::ensure!(
            audit.acknowledged == outcome.tally.whole.acknowledged,
            "the ledger and the counters disagree about what was acknowledged"
        );
        let events = outcome.tally.measured.acknowledged;
        let each = |seconds: f64| seconds * 1e6 / events.max(1) as f64;
        Ok(Measurement {
            side,
            rate: outcome.rate(),
            events,
            latency_mean_ms: None,
            latency_p50_ms: outcome.latency_ms(0.5),
            latency_p99_ms: outcome.latency_ms(0.99),
            service_cpu_us: Some(each(service_cpu)),
            postgres_cpu_us: each(postgres_cpu),
            client_cpu_us: each(outcome.cpu_seconds()),
            client_share: Some(outcome.cpu_share()),
            errors: outcome.tally.whole.errors(),
            audit: Some(audit),
        })
    }
}

/// CPU-seconds of some process trees between the edges of the measured window.
async fn usage_in_window<const N: usize>(
    clock: Arc<Clock>,
    pids: [u32; N],
) -> anyhow::Result<[f64; N]> {
    let read = || {
        let mut seconds = [0.0; N];
        for (seconds, pid) in seconds.iter_mut().zip(pids) {
            *seconds = cpu_seconds(pid)?;
        }
        anyhow::Ok(seconds)
    };
    tokio::time::sleep_until(clock.measured_from().into()).await;
    let before = read()?;
    while Instant::now() < clock.end() {
        tokio::time::sleep_until(clock.end().into()).await;
    }
    let mut used = read()?;
    for (used, before) in used.iter_mut().zip(before) {
        *used -= before;
    }
    Ok(used)
}

/// A line on standard error; a closed one does not end the session.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}
