//! Where a session runs: in containers, or as processes of this machine.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use lab_host::cluster::trouble_in;
use lab_host::variables::Variables;
use lab_model::allowance::Allowance;
use lab_model::targets::Target;
use metrics_db::{MetricsDbConfig, Probe};
use serde_json::Value;
use time::OffsetDateTime;

use crate::benchmark::BenchmarkJob;
use crate::docker::Docker;
use crate::k6::{Generator, Job};
use crate::native::Native;
use crate::started::{LogMark, Started};

/// One of the two runtimes. Both offer the same.
pub enum Backend {
    /// `docker compose`.
    Docker(Box<Docker>),
    /// Child processes.
    Native(Box<Native>),
}

macro_rules! both {
    ($self:expr, $runtime:ident => $call:expr) => {
        match $self {
            Backend::Docker($runtime) => $call,
            Backend::Native($runtime) => $call,
        }
    };
}

impl Backend {
    /// `docker` or `native`, as the metrics database writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Docker(_) => "docker",
            Self::Native(_) => "native",
        }
    }

    /// Address of the application database from here.
    pub fn application_url(&self) -> String {
        both!(self, runtime => runtime.application_url())
    }

    /// The metrics database from here.
    pub fn metrics_config(&self) -> MetricsDbConfig {
        both!(self, runtime => runtime.metrics_config())
    }

    /// How the application database is sampled.
    pub fn database_probe(&self) -> Option<Probe> {
        both!(self, runtime => runtime.database_probe())
    }

    /// CPUs that each part may use.
    pub fn allowance(&self) -> Allowance {
        both!(self, runtime => runtime.allowance())
    }

    /// Versions, build ids and limits of what this runtime starts, for the fingerprint.
    pub async fn describe(&self, targets: &[&Target]) -> Value {
        both!(self, runtime => runtime.describe(targets).await)
    }

    /// What the caller has set and the services of this session take, for the command that repeats it.
    pub fn given(&self, targets: &[&Target]) -> Variables {
        match self {
            Self::Docker(docker) => docker.given(),
            Self::Native(native) => native.given(targets),
        }
    }

    /// Starts what samples the resources.
    pub async fn start_sidecar(&mut self) -> Result<()> {
        both!(self, runtime => runtime.start_sidecar().await)
    }

    /// Stops the sampler, which writes what it still has.
    pub async fn stop_sidecar(&mut self) -> Result<()> {
        both!(self, runtime => runtime.stop_sidecar().await)
    }

    /// This moment of the application database's log.
    pub fn log_mark(&self) -> LogMark {
        LogMark {
            at: OffsetDateTime::now_utc(),
            length: match self {
                Self::Docker(_) => 0,
                Self::Native(native) => native.database_log_length(),
            },
        }
    }

    /// Why the application database has lost connections or refused statements since a moment, where its log says so.
    pub async fn database_trouble(&self, since: &LogMark) -> Option<String> {
        let log = match self {
            Self::Docker(docker) => docker.database_log(since).await,
            Self::Native(native) => native.database_log(since),
        };
        match log {
            Ok(log) => trouble_in(&log),
            Err(error) => {
                tracing::debug!("the database's log cannot be read: {error:#}");
                None
            }
        }
    }

    /// Stops every target, whoever started it.
    pub async fn stop_targets(&mut self) -> Result<()> {
        both!(self, runtime => runtime.stop_targets().await)
    }

    /// Throws away what earlier runs have left of a target's own files. The targets must not run.
    pub async fn clear_files(&mut self, target: &Target) -> Result<()> {
        both!(self, runtime => runtime.clear_files(target).await)
    }

    /// Starts a target that has no URL of its own.
    pub async fn start_target(&mut self, target: &Target) -> Result<Started> {
        both!(self, runtime => runtime.start_target(target).await)
    }

    /// An error where the started target has ended.
    pub fn check_target(&mut self) -> Result<()> {
        match self {
            // A container that ends is noticed by its answers; asking the engine each second costs CPU.
            Self::Docker(_) => Ok(()),
            Self::Native(native) => native.check_target(),
        }
    }

    /// Keeps the target's log.
    pub async fn save_logs(&mut self, to: &Path) -> Result<()> {
        both!(self, runtime => runtime.save_logs(to).await)
    }

    /// Starts k6.
    pub async fn start_generator(&mut self, job: &Job) -> Result<Generator> {
        both!(self, runtime => runtime.start_generator(job).await)
    }

    /// Starts `benchmark`.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn start_benchmark(&mut self, job: &BenchmarkJob) -> Result<Generator> {
        match self {
            Self::Docker(docker) => docker.start_benchmark(job).await,
            Self::Native(native) => native.start_benchmark(job),
        }
    }

    /// The program `benchmark` on this machine, which several generators run where they name no other.
    ///
    /// # Errors
    /// In Docker it has none.
    pub fn benchmark(&self) -> Result<PathBuf> {
        match self {
            Self::Native(native) => Ok(native.benchmark()),
            Self::Docker(_) => bail!("several generators make the load of a native session only"),
        }
    }

    /// What the fingerprint holds of `benchmark`: its build, and the threads that make its load.
    pub async fn describe_benchmark(&self) -> Value {
        match self {
            Self::Docker(docker) => docker.describe_benchmark().await,
            Self::Native(native) => native.describe_benchmark(),
        }
    }

    /// How a started generator is sampled.
    pub fn generator_probe(&self, generator: &Generator) -> Probe {
        match &generator.container {
            Some(name) => Probe::Container { name: name.clone() },
            None => Probe::Process {
                pid: generator.process.pid(),
            },
        }
    }

    /// Stops a k6 that has not ended by itself.
    pub async fn stop_generator(&mut self, generator: Generator) -> Result<()> {
        both!(self, runtime => runtime.stop_generator(generator).await)
    }

    /// Stops all that this session started; with `keep` the databases stay.
    pub async fn shutdown(self, keep: bool) -> Result<()> {
        match self {
            Self::Docker(docker) => docker.shutdown(keep).await,
            Self::Native(native) => native.shutdown(keep).await,
        }
    }
}
