//! Starting and stopping what is measured.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use lab_contract::audit::CountersAt;
use lab_model::access::Access;
use lab_model::endpoint::Endpoint;
use lab_model::scenario::Data;
use lab_model::targets::Target;
use metrics_db::Probe;

use super::removal::remove_volume;
use super::{Docker, STOP_LIMIT, UP_LIMIT};
use crate::started::Started;

impl Docker {
    pub(crate) async fn stop_targets(&mut self) -> Result<()> {
        let mut args = vec!["rm", "--stop", "--force"];
        args.extend(self.target_services.iter().map(String::as_str));
        self.compose
            .run(&args, STOP_LIMIT)
            .await
            .context("the services did not stop")?;
        self.target = None;
        Ok(())
    }

    /// A target without a database keeps its data in volumes, which its containers no longer use.
    pub(crate) async fn clear_files(&mut self, target: &Target) -> Result<()> {
        let Some(compose) = &target.compose else {
            return Ok(());
        };
        if target.scenario.data() == Data::None {
            for volume in self.compose.volumes(&compose.service) {
                remove_volume(&volume).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn start_target(&mut self, target: &Target) -> Result<Started> {
        let compose = target.compose.as_ref().with_context(|| {
            format!(
                "target {} has no [target.compose]: it cannot be started in Docker",
                target.name
            )
        })?;
        let service = &compose.service;
        let port = target.port.context("port is missing")?;
        self.compose.set_service_environment(self.chosen(target));
        self.compose.avoid_taken_ports(service)?;
        self.target = Some(service.clone());
        for needed in &compose.needs {
            self.compose.avoid_taken_ports(needed)?;
            let up = [
                "up",
                "-d",
                "--no-deps",
                "--no-build",
                "--force-recreate",
                "--wait",
                needed,
            ];
            let up = self.compose.run(&up, UP_LIMIT).await;
            up.with_context(|| format!("{needed} did not start"))?;
        }
        self.compose
            .run(
                &[
                    "up",
                    "-d",
                    "--no-deps",
                    "--no-build",
                    "--force-recreate",
                    service,
                ],
                UP_LIMIT,
            )
            .await
            .with_context(|| format!("{service} did not start"))?;
        let container = self
            .compose
            .container(service)
            .await
            .with_context(|| format!("{service} is not running"))?;
        let access = match &self.certificates {
            Some(made) if target.tls => Access::secure(Some(made.ca.clone())),
            _ => Access::default(),
        };
        let counters = match &target.counters {
            Some(at) => Some(CountersAt {
                endpoint: Endpoint::local(
                    self.compose
                        .published(
                            compose.counters.as_ref().unwrap_or(service),
                            at.port.unwrap_or(port),
                        )
                        .await?,
                )
                .with(access.clone()),
                path: at.path.clone(),
                lag: at.lag.clone(),
            }),
            None => None,
        };
        Ok(Started {
            counters,
            from_here: Endpoint::local(self.compose.published(service, port).await?)
                .with(access.clone()),
            from_generator: Endpoint::at(service, port).with(access),
            probe: Some(Probe::Container { name: container }),
        })
    }

    pub(crate) async fn save_logs(&mut self, to: &Path) -> Result<()> {
        let Some(service) = &self.target else {
            return Ok(());
        };
        let text = self
            .compose
            .run(
                &["logs", "--no-color", "--no-log-prefix", service],
                STOP_LIMIT,
            )
            .await?;
        fs::write(to, text).with_context(|| format!("cannot write {}", to.display()))
    }
}
