//! The Docker runtime: the services of docker-compose.yml, k6 in a container of its own.
//!
//! - this file: the session: preparing, describing, ending
//! - `target`: starting and stopping what is measured
//! - `generator`: how k6 is run in a container
//! - `images`: built or pulled; `services`: those of the targets; `removal`: of volumes and containers

mod generator;
mod images;
mod removal;
mod services;
mod target;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use lab_host::certificates::{Certificates, Readers};
use lab_host::child::{Spawned, output_of};
use lab_host::compose::Compose;
use lab_host::environment::cores;
use lab_host::port::free_port;
use lab_host::state::State;
use lab_host::variables::{self, Variables};
use lab_model::allowance::Allowance;
use lab_model::files;
use lab_model::targets::{Target, Targets};
use metrics_db::{MetricsDbConfig, Probe};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use generator::{benchmark_arguments, run_arguments};
use images::{build, pull};
use removal::remove_container;
use services::compose_services;

use crate::application::application_url;
use crate::benchmark::BenchmarkJob;
use crate::k6::{Generator, Job, TOKEN};
use crate::native::TLS_DIR;
use crate::progress::Progress;
use crate::readers::{forget_readers_server, wait_for_readers};
use crate::settings;
use crate::started::LogMark;

const APPLICATION: &str = "postgres-large";
const METRICS: &str = "postgres-metrics";
const GENERATOR: &str = "k6-throughput";
const BENCHMARK: &str = "benchmark";
const SIDECAR: &str = "stats-sidecar";

const UP_LIMIT: Duration = Duration::from_secs(180);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A session in containers.
pub struct Docker {
    compose: Compose,
    state: State,
    results: PathBuf,
    /// Services of the targets of this session.
    services: Vec<String>,
    /// Services of all targets, also those that this session does not measure.
    target_services: Vec<String>,
    /// What was not running before and goes with the session.
    started: Vec<&'static str>,
    application_port: u16,
    metrics_port: u16,
    database_container: String,
    target: Option<String>,
    /// For the targets that serve over TLS, if there are any.
    certificates: Option<Certificates>,
    /// The session uses the generator `benchmark`.
    with_benchmark: bool,
}

/// Where the file mounts the folder of the certificates, for services.
const MOUNTED_TLS: &str = "LAB_TLS_DIR";

impl Docker {
    /// Looks for an engine and reads the compose file; starts nothing. With `with_benchmark` the generator `benchmark` is
    /// made ready too.
    pub async fn find(
        root: &Path,
        state: &State,
        all: &Targets,
        targets: &[&Target],
        with_benchmark: bool,
    ) -> Result<Self> {
        let mut compose = Compose::find(root, &all.compose_profiles()).await?;
        let services = compose_services(targets)?;
        let certificates = match targets.iter().any(|target| target.tls) {
            true => Some(certificates(state, &services)?),
            false => None,
        };
        if let Some(made) = &certificates {
            compose.set(MOUNTED_TLS, &made.folder.to_string_lossy());
        }
        Ok(Self {
            compose,
            state: state.clone(),
            results: root.join(files::RESULTS),
            services,
            target_services: compose_services(&all.iter().collect::<Vec<_>>()).unwrap_or_default(),
            started: Vec::new(),
            application_port: 0,
            metrics_port: 0,
            database_container: String::new(),
            target: None,
            certificates,
            with_benchmark,
        })
    }

    /// Has all images built or pulled and both databases running. An error says why that cannot be.
    pub async fn prepare(&mut self, progress: &Progress) -> Result<()> {
        progress.step("building the images (the first time: several minutes)");
        let mut images: Vec<&str> = self.services.iter().map(String::as_str).collect();
        images.push(SIDECAR);
        images.extend(self.with_benchmark.then_some(BENCHMARK));
        build(&mut self.compose, &self.state, &images).await?;
        progress.step("pulling images");
        for service in [APPLICATION, METRICS, GENERATOR] {
            pull(&self.compose, service).await?;
        }
        progress.step("starting the databases");
        for service in [APPLICATION, METRICS] {
            if self.compose.container(service).await.is_none() {
                self.started.push(service);
                self.compose.avoid_taken_ports(service)?;
            }
        }
        self.compose
            .run(
                &["up", "-d", "--no-build", "--wait", APPLICATION, METRICS],
                UP_LIMIT,
            )
            .await
            .context("the databases did not start")?;
        forget_readers_server(&self.state)?;
        self.application_port = self.compose.published(APPLICATION, 5432).await?;
        self.metrics_port = self.compose.published(METRICS, 5432).await?;
        self.database_container = self
            .compose
            .container(APPLICATION)
            .await
            .with_context(|| format!("{APPLICATION} is not running"))?;
        Ok(())
    }

    pub(crate) fn application_url(&self) -> String {
        application_url(self.application_port, &self.compose.password(APPLICATION))
    }

    pub(crate) fn metrics_config(&self) -> MetricsDbConfig {
        MetricsDbConfig {
            host: "127.0.0.1".into(),
            port: self.metrics_port,
            password: self.compose.password(METRICS),
            ..MetricsDbConfig::default()
        }
    }

    pub(crate) fn database_probe(&self) -> Option<Probe> {
        Some(Probe::Container {
            name: self.database_container.clone(),
        })
    }

    pub(crate) fn allowance(&self) -> Allowance {
        let all = cores() as f64;
        let of = |service| {
            self.compose
                .cpus(service)
                .map_or(all, |quota| quota.min(all))
        };
        Allowance {
            generator: of(GENERATOR),
            database: Some(of(APPLICATION)),
            host: all,
        }
    }

    /// Cargo's profile of the images.
    fn profile(&self) -> String {
        let given = self.compose.given("BUILD_PROFILE");
        given.unwrap_or_else(|| "release".into())
    }

    /// True where the services are not optimised, so that their figures mean nothing.
    pub fn is_debug_build(&self) -> bool {
        !matches!(self.profile().as_str(), "release" | "dist")
    }

    pub(crate) async fn describe(&self, targets: &[&Target]) -> Value {
        let mut builds = serde_json::Map::new();
        for target in targets {
            let Some(compose) = &target.compose else {
                continue;
            };
            let image = self.compose.image_id(&compose.service).await;
            let limits = self.compose.limits(&compose.service);
            let env = match self
                .compose
                .settings(self.chosen(target), &compose.service)
                .await
            {
                Ok(told) => variables::recorded(&told),
                Err(error) => {
                    tracing::warn!(target = target.name, %error, "its settings are not known");
                    Value::Null
                }
            };
            let mut build = json!({
                "image": image,
                "pool_size": target.pool_size,
                "limits": limits,
                "env": env,
            });
            settings::note_wire(target, &mut build);
            builds.insert(target.name.clone(), build);
        }
        let version = ["version", "--format", "{{.Server.Version}}"];
        json!({
            "docker": output_of("docker", &version, Duration::from_secs(10)).await,
            "k6": self.compose.image(GENERATOR),
            "postgres_image": self.compose.image(APPLICATION),
            "limits": {
                "database": self.compose.limits(APPLICATION),
                "generator": self.compose.limits(GENERATOR),
            },
            "targets": builds,
            "generator_env": variables::recorded(&settings::of_generator(|name| self.compose.given(name))),
            "profile": self.profile(),
        })
    }

    /// What the caller has set and the session's services are told.
    pub(crate) fn given(&self) -> Variables {
        let mut all = self.compose.given_settings(&self.services);
        all.extend(settings::of_generator(|name| self.compose.given(name)));
        all
    }

    /// What the lab sets for a target.
    fn chosen(&self, target: &Target) -> Variables {
        settings::chosen(target, |name| self.compose.given(name))
    }

    pub(crate) async fn start_sidecar(&mut self) -> Result<()> {
        self.compose.check_sampled_engine()?;
        self.started.push(SIDECAR);
        self.compose
            .run(
                &[
                    "up",
                    "-d",
                    "--no-deps",
                    "--no-build",
                    "--force-recreate",
                    SIDECAR,
                ],
                UP_LIMIT,
            )
            .await
            .context("stats-sidecar did not start")?;
        Ok(())
    }

    /// Stops the sampler, which writes what it still has.
    pub(crate) async fn stop_sidecar(&mut self) -> Result<()> {
        if self.started.contains(&SIDECAR) {
            self.compose.run(&["stop", SIDECAR], STOP_LIMIT).await?;
            self.started.retain(|service| *service != SIDECAR);
        }
        Ok(())
    }

    /// The database's log since a moment.
    pub(crate) async fn database_log(&self, since: &LogMark) -> Result<String> {
        let since = since.at.format(&Rfc3339)?;
        let args = [
            "logs",
            "--no-color",
            "--no-log-prefix",
            "--since",
            &since,
            APPLICATION,
        ];
        self.compose.run(&args, STOP_LIMIT).await
    }

    pub(crate) async fn start_generator(&mut self, job: &Job) -> Result<Generator> {
        let api_port = free_port(None)?;
        let args = run_arguments(GENERATOR, job, api_port, &self.results)?;
        let mut command = self.compose.command(&args);
        if let Some(token) = &job.token {
            command.env(TOKEN, token.reveal());
        }
        let process = Spawned::start("k6", command, &job.log)?;
        Ok(Generator {
            process,
            api_port,
            container: Some(job.name.clone()),
        })
    }

    pub(crate) async fn start_benchmark(&mut self, job: &BenchmarkJob) -> Result<Generator> {
        let args = benchmark_arguments(BENCHMARK, job, &self.results)?;
        let mut command = self.compose.command(&args);
        if let Some(token) = job.token() {
            command.env(TOKEN, token);
        }
        let mut process = Spawned::start("benchmark", command, &job.log)?;
        // The sampler looks for it by its name.
        wait_until_running(&job.name, &mut process).await?;
        Ok(Generator {
            process,
            api_port: 0,
            container: Some(job.name.clone()),
        })
    }

    pub(crate) async fn describe_benchmark(&self) -> Value {
        json!({
            "image": self.compose.image_id(BENCHMARK).await,
            "limits": self.compose.limits(BENCHMARK),
            "threads": crate::benchmark::threads(),
        })
    }

    pub(crate) async fn stop_generator(&mut self, generator: Generator) -> Result<()> {
        if let Some(name) = &generator.container {
            remove_container(name).await?;
        }
        generator.process.stop(Duration::from_secs(10)).await?;
        Ok(())
    }

    /// Stops all that this session started; with `keep` the databases stay.
    ///
    /// # Errors
    /// Something did not stop.
    pub async fn shutdown(mut self, keep: bool) -> Result<()> {
        self.stop_targets().await?;
        let _alone = match keep {
            false => wait_for_readers(&self.state).await,
            true => None,
        };
        let services: Vec<&str> = self
            .started
            .iter()
            .copied()
            .filter(|s| !keep || *s == SIDECAR)
            .collect();
        for service in services {
            self.compose.run(&["stop", service], STOP_LIMIT).await?;
        }
        tracing::debug!(state = %self.state.dir.display(), "containers stopped");
        Ok(())
    }
}

/// Waits until a container runs, or its client has ended: a short load may be over before anybody has looked.
async fn wait_until_running(name: &str, client: &mut Spawned) -> Result<()> {
    let state = ["inspect", "--format", "{{.State.Running}}", name];
    let deadline = tokio::time::Instant::now() + UP_LIMIT;
    while client.check_alive().is_ok() {
        let running = output_of("docker", &state, Duration::from_secs(10)).await;
        if running.as_deref().map(str::trim) == Some("true") {
            return Ok(());
        }
        anyhow::ensure!(
            tokio::time::Instant::now() < deadline,
            "the container {name} did not start within {} s",
            UP_LIMIT.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// For the names that containers and this machine have for the services.
fn certificates(state: &State, services: &[String]) -> Result<Certificates> {
    let mut names = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
    names.extend_from_slice(services);
    Certificates::make(&state.dir.join(TLS_DIR), &names, Readers::All)
}
