//! k6 in a container of its own.

use std::path::Path;

use anyhow::{Context, Result};

use crate::k6::{self, Job};

/// k6's control interface inside its container.
const API_PORT: u16 = 6565;

/// Arguments of `docker compose` that run the job as a container of `service`, with its control interface at `api_port` of
/// this machine. The summary must lie below `results`.
pub(super) fn run_arguments(
    service: &str,
    job: &Job,
    api_port: u16,
    results: &Path,
) -> Result<Vec<String>> {
    let mut args: Vec<String> = ["run", "--rm", "--no-deps", "-T", "--name", &job.name]
        .map(Into::into)
        .into();
    args.extend(["-p".into(), format!("127.0.0.1:{api_port}:{API_PORT}")]);
    let summary = job
        .summary
        .as_ref()
        .map(|path| inside(results, path))
        .transpose()?;
    let summary = summary.map(|path| ("SUMMARY_PATH".to_owned(), path));
    for (name, value) in job.env.iter().chain(&summary) {
        args.extend(["-e".into(), format!("{name}={value}")]);
    }
    args.push(service.into());
    args.extend(k6::arguments(job, &format!("0.0.0.0:{API_PORT}")));
    args.push(format!("/k6/scripts/{}", job.script));
    Ok(args)
}

/// A path of the results directory as the k6 container sees it.
fn inside(results: &Path, path: &Path) -> Result<String> {
    let below = path
        .strip_prefix(results)
        .context("the summary must lie in the results directory")?;
    Ok(format!("/results/{}", below.display()))
}
