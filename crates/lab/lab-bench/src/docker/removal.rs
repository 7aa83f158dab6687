//! What a session leaves behind in the engine, removed.

use std::time::Duration;

use anyhow::{Context, Result};
use lab_host::child::output_of;
use tokio::process::Command;

/// How long the engine may take to remove one.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn remove_volume(name: &str) -> Result<()> {
    let args = ["volume", "rm", "--force", name];
    output_of("docker", &args, LIMIT)
        .await
        .with_context(|| format!("volume {name} could not be removed"))?;
    Ok(())
}

pub(super) async fn remove_container(name: &str) -> Result<()> {
    let mut command = Command::new("docker");
    command
        .args(["rm", "--force", name])
        .stdout(std::process::Stdio::null());
    command
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true);
    // It may be gone already, which is what is wanted.
    tokio::time::timeout(LIMIT, command.status())
        .await
        .with_context(|| format!("container {name} could not be removed"))??;
    Ok(())
}
