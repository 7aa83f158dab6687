//! The native runtime: the services, k6 and two PostgreSQL servers as child processes.
//!
//! - this file: the session: starting, describing, ending
//! - `target`: starting and stopping what is measured
//! - `build`: where the binaries are, and how they come to be there
//! - `own`: what a target of a user's own file is told

mod build;
mod own;
mod target;

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use lab_host::certificates::{Certificates, Readers};
use lab_host::child::Spawned;
use lab_host::child_environment;
use lab_host::cluster::{APPLICATION as APPLICATION_CLUSTER, Cluster, Spec};
use lab_host::environment::{cores, file_sha256};
use lab_host::leftovers;
use lab_host::port::free_port;
use lab_host::state::State;
use lab_host::tools::Tools;
use lab_host::variables::{self, Variables, inherited};
use lab_model::allowance::Allowance;
use lab_model::files;
use lab_model::generators::Generators;
use lab_model::targets::Target;
use metrics_db::{MetricsDbConfig, Probe};
use serde_json::{Value, json};
use tokio::process::Command;

pub(crate) use build::Binaries;

use crate::benchmark::BenchmarkJob;
use crate::k6::{Generator, Job, TOKEN};
use crate::metrics::{config_of, is_chosen};
use crate::progress::Progress;
use crate::readers::{READERS_LIMIT, forget_readers_server, wait_for_readers};
use crate::settings;
use crate::started::LogMark;

/// A service drains what it has accepted within its own grace of ten seconds.
const STOP_GRACE: Duration = Duration::from_secs(15);

/// A native session.
pub struct Native {
    root: PathBuf,
    state: State,
    tools: Tools,
    /// What k6 says of itself.
    k6_version: String,
    binaries: Binaries,
    application: Cluster,
    /// None where the caller names a metrics database elsewhere.
    metrics_cluster: Option<Cluster>,
    metrics: MetricsDbConfig,
    /// For the targets that serve over TLS, if there are any.
    certificates: Option<Certificates>,
    sidecar: Option<Spawned>,
    target: Option<Spawned>,
    /// The address on which the targets listen.
    listen: IpAddr,
}

/// Below the state directory: the certificates of the session.
pub(crate) const TLS_DIR: &str = "tls";

/// Whether the program `benchmark` is beside weir.
#[must_use]
pub fn has_benchmark() -> bool {
    std::env::current_exe().is_ok_and(|weir| weir.with_file_name("benchmark").is_file())
}

/// Made where a target serves over TLS, for every name by which a generator comes to it.
fn certificates(
    state: &State,
    targets: &[&Target],
    generators: Option<&Generators>,
) -> Result<Option<Certificates>> {
    if !targets.iter().any(|target| target.tls) {
        return Ok(None);
    }
    let mut names = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
    for generator in generators.iter().flat_map(|all| &all.each) {
        names.extend(generator.target_host.clone());
    }
    Certificates::make(&state.dir.join(TLS_DIR), &names, Readers::Owner).map(Some)
}

impl Native {
    /// Builds and fetches what is missing (the generator `benchmark` where it is asked for), and starts both databases. The
    /// caller holds the state's lock.
    pub async fn start(
        root: &Path,
        state: &State,
        targets: &[&Target],
        with_benchmark: bool,
        generators: Option<&Generators>,
        metrics: &MetricsDbConfig,
        progress: &Progress,
    ) -> Result<Self> {
        progress.step("setting up k6 and PostgreSQL");
        let tools = Tools::find_or_fetch(root, &state.log("native-tools")).await?;
        let k6_version = tools.k6_version().await?;
        progress.step("building the services (the first time: several minutes)");
        let binaries = Binaries::build(root, state, targets, with_benchmark, progress).await?;
        progress.step("starting the databases");
        leftovers::stop_all(state).await?;
        let application = Cluster::start(state, &tools.pg_bin, &Spec::application(root))
            .await
            .context("postgres-large")?;
        let (metrics_cluster, metrics) = if is_chosen(metrics) {
            (None, metrics.clone())
        } else {
            progress.step("waiting for commands that read the metrics database");
            let _alone = lab_host::readers::alone(state, READERS_LIMIT).await?;
            let cluster = Cluster::start(state, &tools.pg_bin, &Spec::metrics())
                .await
                .context("postgres-metrics")?;
            forget_readers_server(state)?;
            let config = config_of(&cluster);
            (Some(cluster), config)
        };
        Ok(Self {
            root: root.into(),
            state: state.clone(),
            tools,
            k6_version,
            binaries,
            application,
            metrics_cluster,
            metrics,
            certificates: certificates(state, targets, generators)?,
            sidecar: None,
            target: None,
            listen: generators.map_or(Ipv4Addr::LOCALHOST.into(), |all| all.listen),
        })
    }

    /// True where the services are debug builds, whose figures mean nothing.
    pub fn is_debug_build(&self) -> bool {
        self.binaries.is_debug()
    }

    pub(crate) fn application_url(&self) -> String {
        self.application.url()
    }

    pub(crate) fn metrics_config(&self) -> MetricsDbConfig {
        self.metrics.clone()
    }

    pub(crate) fn database_probe(&self) -> Option<Probe> {
        self.application.pid().map(|pid| Probe::Process { pid })
    }

    pub(crate) fn allowance(&self) -> Allowance {
        let all = cores() as f64;
        Allowance {
            generator: all,
            database: Some(all),
            host: all,
        }
    }

    pub(crate) async fn describe(&self, targets: &[&Target]) -> Value {
        let builds: serde_json::Map<String, Value> = targets
            .iter()
            .filter_map(|target| {
                let path = self.binaries.path(&self.root, target.native.as_ref()?);
                let mut build = json!({
                    "binary_sha256": file_sha256(&path),
                    "pool_size": target.pool_size,
                    "env": variables::recorded(&settings::of_process(target, inherited)),
                });
                settings::note_wire(target, &mut build);
                Some((target.name.clone(), build))
            })
            .collect();
        json!({
            "k6": self.k6_version,
            "targets": builds,
            "generator_env": variables::recorded(&settings::of_generator(inherited)),
            "let_through": variables::recorded(&child_environment::passed()),
            "profile": self.binaries.profile(),
        })
    }

    /// What the caller has set and the session's processes inherit.
    pub(crate) fn given(&self, targets: &[&Target]) -> Variables {
        settings::given_natively(targets, inherited)
    }

    pub(crate) async fn start_sidecar(&mut self) -> Result<()> {
        let sampler = self.binaries.sampler();
        let mut command = self.command(&sampler.program);
        command
            .args(&sampler.args)
            .current_dir(&self.state.dir)
            .env("DB_HOST", &self.metrics.host)
            .env("DB_PORT", self.metrics.port.to_string())
            .env("DB_NAME", &self.metrics.name)
            .env("DB_USER", &self.metrics.user)
            .env("DB_PASSWORD", &self.metrics.password)
            .env("STATS_CSV_DIR", self.root.join(files::SUMMARIES))
            .env("LOG_FORMAT", "text");
        self.sidecar =
            Some(self.spawn("stats-sidecar", command, &self.state.log("stats-sidecar"))?);
        Ok(())
    }

    /// Stops the sampler, which writes what it still has.
    pub(crate) async fn stop_sidecar(&mut self) -> Result<()> {
        if let Some(sidecar) = self.sidecar.take() {
            sidecar.stop(STOP_GRACE).await?;
        }
        Ok(())
    }

    /// Length of the database's log, bytes.
    pub(crate) fn database_log_length(&self) -> u64 {
        let log = self.state.log(APPLICATION_CLUSTER);
        fs::metadata(log).map_or(0, |meta| meta.len())
    }

    /// The database's log since a moment.
    pub(crate) fn database_log(&self, since: &LogMark) -> Result<String> {
        let log = self.state.log(APPLICATION_CLUSTER);
        let bytes = fs::read(&log).with_context(|| format!("{}", log.display()))?;
        let from = usize::try_from(since.length).unwrap_or(0).min(bytes.len());
        Ok(String::from_utf8_lossy(&bytes[from..]).into_owned())
    }

    pub(crate) async fn start_generator(&mut self, job: &Job) -> Result<Generator> {
        let api_port = free_port(None)?;
        let mut command = self.command(&self.tools.k6);
        command.args(crate::k6::arguments(job, &format!("127.0.0.1:{api_port}")));
        command.arg(self.root.join(files::SCRIPTS).join(&job.script));
        command.current_dir(&self.state.dir);
        command
            .env("PROTO_DIR", self.root.join(files::PROTOS))
            .envs(settings::of_generator(inherited))
            .envs(job.env.iter().map(|(name, value)| (name, value)));
        if let Some(token) = &job.token {
            command.env(TOKEN, token.reveal());
        }
        if let Some(path) = &job.summary {
            command.env("SUMMARY_PATH", path);
        }
        let process = self.spawn("k6", command, &job.log)?;
        Ok(Generator {
            process,
            api_port,
            container: None,
        })
    }

    pub(crate) fn start_benchmark(&mut self, job: &BenchmarkJob) -> Result<Generator> {
        let mut command = self.command(&self.binaries.benchmark());
        let result = job.result.as_ref().map(|path| path.to_string_lossy());
        command
            .args(job.all_arguments(result.as_deref()))
            .envs(job.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.state.dir);
        if job.inserts {
            command.env("DATABASE_URL", self.application_url());
        }
        if let Some(token) = job.token() {
            command.env(TOKEN, token);
        }
        let process = self.spawn("benchmark", command, &job.log)?;
        Ok(Generator {
            process,
            api_port: 0,
            container: None,
        })
    }

    /// The program of several generators, where one says no other.
    pub(crate) fn benchmark(&self) -> PathBuf {
        self.binaries.benchmark()
    }

    pub(crate) fn describe_benchmark(&self) -> Value {
        json!({
            "binary_sha256": file_sha256(&self.binaries.benchmark()),
            "threads": crate::benchmark::threads(),
        })
    }

    pub(crate) async fn stop_generator(&mut self, generator: Generator) -> Result<()> {
        generator.process.stop(Duration::from_secs(10)).await?;
        Ok(())
    }

    /// Stops all that this session started; with `keep` the databases stay.
    ///
    /// # Errors
    /// Something did not stop.
    pub async fn shutdown(mut self, keep: bool) -> Result<()> {
        self.stop_targets().await?;
        self.stop_sidecar().await?;
        leftovers::forget_all(&self.state)?;
        if keep {
            // The next session finds and stops them.
            self.application.leave_running();
            if let Some(cluster) = self.metrics_cluster {
                cluster.leave_running();
            }
            return Ok(());
        }
        self.application.stop().await?;
        if let Some(cluster) = self.metrics_cluster {
            let _alone = wait_for_readers(&self.state).await;
            cluster.stop().await?;
        }
        Ok(())
    }

    /// A command that sees nothing of the caller's environment but what is let through.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // A home of the lab's own: no settings file of the caller's is found there.
        child_environment::clean(command.as_std_mut()).env("HOME", &self.state.dir);
        command
    }

    /// Starts a process and notes it, so that the next session can stop it should this one be killed.
    fn spawn(&self, name: &str, command: Command, log: &Path) -> Result<Spawned> {
        let process = Spawned::start(name, command, log)?;
        leftovers::record(&self.state, name, process.pid())?;
        Ok(process)
    }
}
