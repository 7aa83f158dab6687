//! One run of k6: started paused, let go at an exact moment, watched through its control interface.
//!
//! k6 prepares its virtual users and then waits (`--paused`). weir tells stats-sidecar when the first phase
//! will begin and resumes k6 at that moment, so that the CPU counters can be read exactly at the boundaries.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::Method;
use lab_contract::http::request;
use lab_host::child::{Spawned, tail};
use lab_model::access::Token;
use lab_model::driver::latency_metric;
use lab_model::endpoint::Endpoint;
use lab_model::modes::Mode;
use lab_model::targets::Protocol;
use serde_json::Value;

use crate::progress::Load;

/// k6's exit status where a threshold was crossed: the run itself went well.
const THRESHOLDS_CROSSED: i32 = 99;

/// `PausedBeforeRun` of k6's execution status: all virtual users are ready.
const PAUSED_BEFORE_RUN: i64 = 4;

/// The variable through which a script is given its token.
pub const TOKEN: &str = "WEIR_TOKEN";

/// Variables of a script that name files of TLS: authorities, and the client's certificate with its key.
pub const TLS_FILES: [&str; 3] = ["SSL_CERT_FILE", "TLS_CLIENT_CERT", "TLS_CLIENT_KEY"];

/// k6 answers its control interface late when it has no CPU left.
const API_LIMIT: Duration = Duration::from_secs(5);

/// What to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// Script below `load-test/k6/`.
    pub script: String,
    /// Environment of the script.
    pub env: Vec<(String, String)>,
    /// Bearer token that the script sends. It goes through the environment, never into a command line.
    pub token: Option<Token>,
    /// Where the script writes its summary, a path on this machine; none: nowhere.
    pub summary: Option<PathBuf>,
    /// Where k6's own output goes.
    pub log: PathBuf,
    /// Wait for [`Generator::resume`] before the first phase.
    pub paused: bool,
    /// Unique among what runs at a time.
    pub name: String,
}

/// A started k6.
#[derive(Debug)]
pub struct Generator {
    /// The process, or the client of its container.
    pub process: Spawned,
    /// Port of its control interface on this machine.
    pub api_port: u16,
    /// Name of its container, in Docker.
    pub container: Option<String>,
}

/// What to ask k6 for while it runs.
#[derive(Debug)]
pub struct Watch<'a> {
    /// How the target is spoken to.
    pub protocol: Protocol,
    /// Its phases.
    pub mode: &'a Mode,
    /// `PHASE_SCALE`.
    pub scale: f64,
    started: Instant,
    last: Option<(Instant, f64)>,
    /// The phase of the p95, from 1.
    phase: usize,
    p95: Option<f64>,
    next_p95: Instant,
}

/// k6's arguments before the script.
pub fn arguments(job: &Job, api: &str) -> Vec<String> {
    let mut all: Vec<String> = [
        "run",
        "--quiet",
        "--no-color",
        "--no-usage-report",
        "--address",
        api,
    ]
    .map(Into::into)
    .into();
    if job.paused {
        all.push("--paused".into());
    }
    all
}

impl Generator {
    /// Waits until all virtual users are ready.
    pub async fn wait_paused(&mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            self.process.check_alive()?;
            if let Ok(status) = self.status().await
                && status["data"]["attributes"]["status"].as_i64() == Some(PAUSED_BEFORE_RUN)
            {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "k6 did not prepare its virtual users within {} s; its log says:\n{}",
                limit.as_secs(),
                tail(self.process.log(), 5)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Lets the first phase begin.
    pub async fn resume(&self) -> Result<()> {
        let body = r#"{"data":{"type":"status","id":"default","attributes":{"paused":false}}}"#;
        let body = Some(Bytes::from_static(body.as_bytes()));
        let (status, answer) = request(
            &Endpoint::local(self.api_port),
            Method::PATCH,
            "/v1/status",
            body,
            API_LIMIT,
        )
        .await?;
        ensure!(
            status.is_success(),
            "k6 refused to begin: {status} {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(())
    }

    /// An error where k6 ended in a way that leaves no usable summary.
    pub fn judge_exit(&self, status: ExitStatus) -> Result<()> {
        if status.success() || status.code() == Some(THRESHOLDS_CROSSED) {
            return Ok(());
        }
        // 137 is what a container's engine makes of SIGKILL.
        let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
        ensure!(
            !killed && status.code() != Some(137),
            "k6 was killed, most likely for lack of memory (in Docker: raise K6_MEMORY)"
        );
        bail!(
            "k6 failed ({status}); its log {} says:\n{}",
            self.process.log().display(),
            tail(self.process.log(), 5)
        )
    }

    async fn status(&self) -> Result<Value> {
        self.get("/v1/status").await
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let (status, body) = request(
            &Endpoint::local(self.api_port),
            Method::GET,
            path,
            None,
            API_LIMIT,
        )
        .await?;
        ensure!(status.is_success(), "{path}: {status}");
        serde_json::from_slice(&body).with_context(|| format!("{path}: no JSON"))
    }

    async fn sample(&self, metric: &str, key: &str) -> Result<f64> {
        // Submetrics have braces and colons in their names.
        let id: String = metric
            .chars()
            .map(|c| match c {
                '{' => "%7B".into(),
                '}' => "%7D".into(),
                ':' => "%3A".into(),
                ',' => "%2C".into(),
                other => other.to_string(),
            })
            .collect();
        let answer = self.get(&format!("/v1/metrics/{id}")).await?;
        answer["data"]["attributes"]["sample"][key]
            .as_f64()
            .with_context(|| format!("{metric} has no {key}"))
    }
}

impl<'a> Watch<'a> {
    /// A watch over a run that begins now.
    pub fn new(protocol: Protocol, mode: &'a Mode, scale: f64) -> Self {
        let now = Instant::now();
        Self {
            protocol,
            mode,
            scale,
            started: now,
            last: None,
            phase: 0,
            p95: None,
            next_p95: now,
        }
    }

    /// Asks for the figures of the moment; none while k6 has none yet.
    ///
    /// A counter costs k6 nothing to answer. A percentile costs it a sort of all its samples, so it is asked
    /// for so seldom that it takes at most a hundredth of the time.
    pub async fn look(&mut self, generator: &Generator) -> Option<Load> {
        let status = generator.status().await.ok()?;
        let vus = status["data"]["attributes"]["vus"].as_u64().unwrap_or(0);
        let acknowledged = generator
            .sample("events_acknowledged", "count")
            .await
            .unwrap_or(0.0);
        let errors = generator
            .sample("events_failed_total", "count")
            .await
            .unwrap_or(0.0);

        let now = Instant::now();
        let rate = match self.last.replace((now, acknowledged)) {
            Some((then, before)) => {
                (acknowledged - before).max(0.0) / now.duration_since(then).as_secs_f64().max(0.001)
            }
            None => acknowledged / now.duration_since(self.started).as_secs_f64().max(0.001),
        };
        let elapsed = now.duration_since(self.started).as_secs_f64();
        let (number, phase) = self.mode.phase_at(elapsed, self.scale);
        if number != self.phase {
            (self.phase, self.p95, self.next_p95) = (number, None, now);
        }
        if now >= self.next_p95 {
            let metric = latency_metric(self.protocol, &format!("phase_{number}"));
            let p95 = generator.sample(&metric, "p(95)").await.ok();
            // Without a sample yet it is 0.
            self.p95 = p95.filter(|p95| *p95 > 0.0);
            self.next_p95 = Instant::now() + (now.elapsed() * 100).max(Duration::from_secs(1));
        }
        Some(Load {
            phase: format!("phase {number}/{} {}", self.mode.phases.len(), phase.name),
            vus,
            rate,
            p95_ms: self.p95,
            errors: errors as u64,
        })
    }
}
