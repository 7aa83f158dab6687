//! The services of docker-compose.yml that targets name.

use anyhow::{Result, ensure};
use lab_model::targets::Target;

/// The services of these targets, each once, without the targets that run elsewhere.
pub(super) fn compose_services(targets: &[&Target]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for target in targets.iter().filter(|t| !t.is_external()) {
        let Some(compose) = &target.compose else {
            continue;
        };
        if !all.contains(&compose.service) {
            all.push(compose.service.clone());
        }
    }
    ensure!(
        !all.is_empty() || targets.iter().all(|t| t.is_external()),
        "none of the targets has a [target.compose]"
    );
    Ok(all)
}
