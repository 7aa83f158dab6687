//! The generators in a container of their own.

use std::path::Path;

use anyhow::{Context, Result};

use crate::benchmark::BenchmarkJob;
use crate::k6::{self, Job, TLS_FILES, TOKEN};

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
    // Files of TLS are where they are on this machine.
    for (_, path) in job
        .env
        .iter()
        .filter(|(name, _)| TLS_FILES.contains(&name.as_str()))
    {
        args.extend(["-v".into(), format!("{path}:{path}:ro")]);
    }
    // Without a value: compose takes it from its own environment, and the command line does not show it.
    if job.token.is_some() {
        args.extend(["-e".into(), TOKEN.into()]);
    }
    for (name, value) in job.env.iter().chain(&summary) {
        args.extend(["-e".into(), format!("{name}={value}")]);
    }
    args.push(service.into());
    args.extend(k6::arguments(job, &format!("0.0.0.0:{API_PORT}")));
    args.push(format!("/k6/scripts/{}", job.script));
    Ok(args)
}

/// Arguments of `docker compose` that run `benchmark` as a container of `service`. The result must lie below `results`.
pub(super) fn benchmark_arguments(
    service: &str,
    job: &BenchmarkJob,
    results: &Path,
) -> Result<Vec<String>> {
    let mut args: Vec<String> = ["run", "--rm", "--no-deps", "-T", "--name", &job.name]
        .map(Into::into)
        .into();
    // Files of TLS are where they are on this machine.
    for (_, path) in job.tls_files() {
        let path = path.display();
        args.extend(["-v".into(), format!("{path}:{path}:ro")]);
    }
    // Without a value: compose takes it from its own environment, and the command line does not show it.
    if job.token().is_some() {
        args.extend(["-e".into(), TOKEN.into()]);
    }
    args.push(service.into());
    let result = job
        .result
        .as_ref()
        .map(|path| inside(results, path))
        .transpose()?;
    args.extend(job.all_arguments(result.as_deref()));
    Ok(args)
}

/// A path of the results directory as the generator's container sees it.
fn inside(results: &Path, path: &Path) -> Result<String> {
    let below = path
        .strip_prefix(results)
        .context("the result must lie in the results directory")?;
    Ok(format!("/results/{}", below.display()))
}

#[cfg(test)]
mod tests {
    use lab_model::access::Token;

    use super::*;

    #[test]
    fn a_token_stands_on_no_command_line_and_files_of_tls_are_mounted() {
        let job = Job {
            script: "rest-api-test.js".into(),
            env: vec![
                ("SCHEME".into(), "https".into()),
                ("SSL_CERT_FILE".into(), "/state/tls/ca.pem".into()),
            ],
            token: Some(Token::new("s3cret")),
            summary: None,
            log: "/tmp/k6.log".into(),
            paused: false,
            name: "weir-k6-1".into(),
        };
        let args = run_arguments("k6-throughput", &job, 1, Path::new("/results")).unwrap();
        let line = args.join(" ");
        assert!(!line.contains("s3cret"), "{line}");
        for part in [
            "-e WEIR_TOKEN ",
            "-v /state/tls/ca.pem:/state/tls/ca.pem:ro ",
            "-e SSL_CERT_FILE=/state/tls/ca.pem ",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }

    #[test]
    fn benchmark_writes_its_result_where_the_container_has_the_folder() {
        let mut access = lab_model::access::Access::secure(Some("/state/tls/ca.pem".into()));
        access.token = Some(Token::new("s3cret"));
        let job = BenchmarkJob {
            arguments: vec!["--url=https://producer-rest:8081".into()],
            env: Vec::new(),
            access,
            inserts: true,
            result: Some("/results/throughput-sequential/a.json".into()),
            log: "/tmp/benchmark.log".into(),
            name: "weir-benchmark-1".into(),
        };
        let args = benchmark_arguments("benchmark", &job, Path::new("/results")).unwrap();
        let line = args.join(" ");
        assert_eq!(
            line,
            "run --rm --no-deps -T --name weir-benchmark-1 -v /state/tls/ca.pem:/state/tls/ca.pem:ro -e WEIR_TOKEN \
             benchmark --url=https://producer-rest:8081 --tls-ca=/state/tls/ca.pem \
             --json=/results/throughput-sequential/a.json"
        );
        let elsewhere = BenchmarkJob {
            result: Some("/tmp/a.json".into()),
            ..job
        };
        assert!(benchmark_arguments("benchmark", &elsewhere, Path::new("/results")).is_err());
    }
}
