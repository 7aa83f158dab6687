//! A target by its name in the list that `weir` takes as well (docs/reference/targets.md).

use std::path::{Path, PathBuf};

use anyhow::Context;
use lab_model::files::TARGETS;
use lab_model::root::{self, RootError};
use lab_model::targets::{Target, Targets};
use load_engine::usage::Usage;

/// The list of `WEIR_ROOT`, else the nearest above the working directory, else above the binary.
///
/// # Errors
/// When there is none; the message says where it was looked for.
pub fn list() -> anyhow::Result<PathBuf> {
    match root::find() {
        Ok(root) => Ok(root.join(TARGETS)),
        Err(error @ RootError::Named(_)) => {
            let problem = format_args!("{error}: correct it, or give --targets");
            Err(Usage::new(problem).into())
        }
        Err(RootError::NotFound(starts)) => {
            let nowhere = root::not_above(&starts);
            let problem = format_args!("{nowhere}: give --targets, or --url instead of --target");
            Err(Usage::new(problem).into())
        }
        Err(error @ RootError::Here(_)) => Err(error.into()),
    }
}

/// The target `name` of the list in `file`.
///
/// # Errors
/// When the file cannot be read or has no such target; the message lists those that it has.
pub fn find(name: &str, file: &Path) -> anyhow::Result<Target> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Usage::new(format_args!(
            "--targets {}: cannot read it: {error}",
            file.display()
        ))
    })?;
    let targets = Targets::parse_for_client(&text).map_err(anyhow::Error::msg);
    let targets = targets.with_context(|| format!("cannot read {}", file.display()))?;
    if let Some(target) = targets.get(name) {
        return Ok(target.clone());
    }
    let names: Vec<&str> = targets.iter().map(|it| it.name.as_str()).collect();
    Err(Usage::new(format_args!(
        "--target {name}: {} has none of this name; there are: {}",
        file.display(),
        names.join(", ")
    ))
    .into())
}

/// Where a target is: its URL, or its port on this machine.
///
/// # Errors
/// When it has neither.
pub fn url(target: &Target) -> anyhow::Result<String> {
    match (&target.url, target.port) {
        (Some(url), _) => Ok(url.clone()),
        (None, Some(port)) => {
            let scheme = if target.tls { "https" } else { "http" };
            Ok(format!("{scheme}://127.0.0.1:{port}"))
        }
        (None, None) => anyhow::bail!("target {} has neither url nor port", target.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_of_the_lab_can_be_called() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../..")
            .join(TARGETS);
        let target = find("producer-grpc", &file).unwrap();
        assert_eq!(url(&target).unwrap(), "http://127.0.0.1:9090");
        let path = "/com.example.grpc.EventService/ProcessEvent";
        assert_eq!(target.path().as_deref(), Some(path));
        let secure = find("producer-rest-tls", &file).unwrap();
        assert!(url(&secure).unwrap().starts_with("https://127.0.0.1:"));
        for name in ["balance-rest", "balance-grpc", "stream-sse", "stream-grpc"] {
            let target = find(name, &file).unwrap();
            assert!(target.path().is_some() && url(&target).is_ok(), "{name}");
        }
        let error = find("nobody", &file).unwrap_err().to_string();
        assert!(error.contains("producer-rest"), "{error}");
    }
}
