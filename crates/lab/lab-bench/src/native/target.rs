//! Starting and stopping what is measured.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use lab_contract::audit::CountersAt;
use lab_host::child::Spawned;
use lab_host::port::free_port;
use lab_host::variables::inherited;
use lab_model::access::Access;
use lab_model::endpoint::Endpoint;
use lab_model::scenario::Data;
use lab_model::targets::Target;
use metrics_db::Probe;

use super::{Native, STOP_GRACE, own};
use crate::settings;
use crate::started::Started;

/// Below the state directory, which is the services' working directory: what `targets.toml` gives the event log as
/// EVENT_LOG_DIR.
const LOG_DIR: &str = "event-log";

impl Native {
    pub(crate) async fn stop_targets(&mut self) -> Result<()> {
        if let Some(target) = self.target.take() {
            target.stop(STOP_GRACE).await?;
        }
        Ok(())
    }

    pub(crate) async fn start_target(&mut self, target: &Target) -> Result<Started> {
        let native = target.native.as_ref().with_context(|| {
            format!(
                "target {} has no [target.native]: it cannot be started as a process",
                target.name
            )
        })?;
        let port = own::port_of(target.port, native)?;
        let mut command = self.command(&self.binaries.path(&self.root, native));
        if let Some(dir) = &native.dir {
            let told = own::Told {
                port,
                database_url: &self.application_url(),
            };
            told.prepare(&mut command, native, dir, inherited)
                .with_context(|| format!("target {}", target.name))?;
        } else {
            command
                .args(&native.args)
                // Not the repository: a `.env` there would set what the lab has not chosen.
                .current_dir(&self.state.dir)
                .env("HOST", self.listen.to_string())
                .env("DATABASE_URL", self.application_url())
                .env("LOG_FORMAT", "text")
                .envs(native.port_env.iter().map(|name| (name, port.to_string())));
        }
        let mut access = Access::default();
        if target.tls {
            let made = self.certificates.as_ref();
            let made = made.context("the session has no certificates")?;
            command
                .env("TLS_CERT", &made.cert)
                .env("TLS_KEY", &made.key);
            access = Access::secure(Some(made.ca.clone()));
        }
        let here = match native.dir {
            None if !self.listen.is_unspecified() => self.listen.to_string(),
            _ => "127.0.0.1".to_owned(),
        };
        let endpoint = Endpoint::at(here, port).with(access);
        let mut counters = None;
        if let Some(at) = &target.counters {
            let mut endpoint = endpoint.clone();
            if let Some(name) = &at.port_env {
                endpoint.port = free_port(at.port)?;
                command.env(name, endpoint.port.to_string());
            }
            counters = Some(CountersAt {
                endpoint,
                path: at.path.clone(),
                lag: at.lag.clone(),
            });
        }
        if native.dir.is_none() {
            command.envs(settings::of_process(target, inherited));
        }
        let log = self.state.log("target");
        if log.exists() {
            fs::remove_file(&log).with_context(|| format!("cannot remove {}", log.display()))?;
        }
        let process = self.spawn(&target.name, command, &log)?;
        let probe = match &native.container {
            Some(name) => Probe::Container { name: name.clone() },
            None => Probe::Process { pid: process.pid() },
        };
        self.target = Some(process);
        Ok(Started {
            from_here: endpoint.clone(),
            from_generator: endpoint,
            probe: Some(probe),
            counters,
        })
    }

    /// A target without a database keeps its data in a directory of the state.
    pub(crate) async fn clear_files(&mut self, target: &Target) -> Result<()> {
        if target.data() != Data::None {
            return Ok(());
        }
        let data = self.state.dir.join(LOG_DIR);
        if data.exists() {
            fs::remove_dir_all(&data)
                .with_context(|| format!("cannot remove {}", data.display()))?;
        }
        Ok(())
    }

    pub(crate) fn check_target(&mut self) -> Result<()> {
        self.target.as_mut().map_or(Ok(()), Spawned::check_alive)
    }

    pub(crate) async fn save_logs(&mut self, to: &Path) -> Result<()> {
        let log = self.state.log("target");
        if log.exists() {
            fs::copy(&log, to).with_context(|| format!("cannot write {}", to.display()))?;
        }
        Ok(())
    }
}
