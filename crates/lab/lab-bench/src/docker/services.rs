//! The services of docker-compose.yml that targets name.

use anyhow::{Result, ensure};
use lab_model::targets::Target;

/// The services of these targets and those that they need, each once, without the targets that run elsewhere.
pub(super) fn compose_services(targets: &[&Target]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for target in targets.iter().filter(|t| !t.is_external()) {
        let Some(compose) = &target.compose else {
            continue;
        };
        for service in compose.needs.iter().chain([&compose.service]) {
            if !all.contains(service) {
                all.push(service.clone());
            }
        }
    }
    ensure!(
        !all.is_empty() || targets.iter().all(|t| t.is_external()),
        "none of the targets has a [target.compose]"
    );
    Ok(all)
}
