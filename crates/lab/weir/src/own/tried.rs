//! Each request of a scenario sent once by the generator that measures it: what is checked is what is measured.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use lab_bench::backend::Backend;
use lab_bench::k6::{Generator, Job};
use lab_bench::started::Started;
use lab_contract::verify::Finding;
use lab_model::targets::Target;
use serde::{Deserialize, Serialize};

use super::service::{Own, Part, address};

/// What begins each of the script's lines.
const MARK: &str = "weir-check ";

/// What came back to a request.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Tried {
    /// The request's name.
    pub request: String,
    /// That of its step.
    pub step: String,
    /// The status, over gRPC the code; 0 over REST, -1 over gRPC: no answer.
    pub status: i64,
    /// Of the answer, names in lower case.
    #[serde(default)]
    pub headers: std::collections::BTreeMap<String, String>,
    /// The beginning of the body, or the message as JSON.
    #[serde(default)]
    pub body: String,
    /// How long it took.
    pub ms: f64,
    /// Messages of a stream.
    #[serde(default)]
    pub messages: u64,
    /// What is not as expected; empty where all is.
    pub wrong: String,
}

impl Tried {
    /// How it is called: by its request too where that has several steps.
    #[must_use]
    pub fn name(&self) -> String {
        if self.request == self.step {
            self.step.clone()
        } else {
            format!("{}: {}", self.request, self.step)
        }
    }

    /// As a case of the contract check.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let wrong = if self.wrong.is_empty() {
            String::new()
        } else {
            format!("{}: {}", self.name(), self.wrong)
        };
        Finding::tried("a request of weir.toml is answered as expected", &wrong)
    }
}

/// Sends each request of a scenario once. A generator that has to be stopped is left in `generator`.
///
/// # Errors
/// k6 cannot do so; an answer that is not as expected is no error.
pub async fn all(
    backend: &mut Backend,
    own: &Own,
    (target, scenario): (&Target, &str),
    started: &Started,
    (seed, log): (u64, PathBuf),
    generator: &mut Option<Generator>,
) -> Result<Vec<Tried>> {
    let mut env = own.environment(target, scenario, seed, Part::Check)?;
    env.extend(address(started));
    let fixed = [
        ("TEST_MODE", "smoke"),
        ("TARGET", &target.name),
        ("PAYLOAD_SIZE", scenario),
        ("CHECK", "1"),
        ("K6_LOG_FORMAT", "raw"),
    ];
    env.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // The lines of an earlier run would be read again.
    if log.exists() {
        std::fs::remove_file(&log)?;
    }
    let job = Job {
        script: target.script.clone(),
        env,
        token: started.from_generator.access.token.clone(),
        summary: None,
        log: log.clone(),
        paused: false,
        name: format!("weir-k6-check-{}", target.name),
    };
    let running = generator.insert(backend.start_generator(&job).await?);
    let status = running.process.wait().await?;
    running.judge_exit(status)?;
    *generator = None;
    let text = std::fs::read_to_string(&log).with_context(|| format!("{}", log.display()))?;
    let lines = text.lines().filter_map(|line| line.split_once(MARK));
    let tried = lines.map(|(_, json)| serde_json::from_str(json).context("a line of the script"));
    let tried: Vec<Tried> = tried.collect::<Result<_>>()?;
    ensure!(
        !tried.is_empty(),
        "k6 sent nothing; its log {} says:\n{text}",
        log.display()
    );
    Ok(tried)
}
