//! The images of a session: built, or pulled.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab_host::child::output_of;
use lab_host::compose::Compose;
use lab_host::state::State;

const BUILD_LIMIT: Duration = Duration::from_secs(90 * 60);
const PULL_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Builds the images; once more on the host's network where the build's own reaches no registry.
pub(crate) async fn build(compose: &mut Compose, state: &State, services: &[&str]) -> Result<()> {
    let mut args: Vec<String> = vec!["build".into()];
    args.extend(services.iter().map(|service| (*service).to_owned()));
    let first = compose
        .run_logged(&args, &state.log("docker-build"), BUILD_LIMIT)
        .await;
    let Err(error) = first else { return Ok(()) };
    if compose.given("BUILD_NETWORK").is_some() {
        return Err(error);
    }
    compose.set("BUILD_NETWORK", "host");
    let log = state.log("docker-build-host-network");
    compose
        .run_logged(&args, &log, BUILD_LIMIT)
        .await
        .context("the images could not be built")
}

pub(crate) async fn pull(compose: &Compose, service: &str) -> Result<()> {
    let image = compose
        .image(service)
        .with_context(|| format!("{service} names no image"))?;
    if compose.image_id(service).await.is_some() {
        return Ok(());
    }
    let pulled = output_of("docker", &["pull", "--quiet", &image], PULL_LIMIT).await;
    ensure!(
        pulled.is_some(),
        "the image {image} is not here and cannot be pulled"
    );
    Ok(())
}
