//! A run in the metrics database: a session with one run of driver `benchmark`, its figures and its histogram.

use anyhow::Context;
use metrics_db::{
    Latency, MetricsDbConfig, NewRun, NewSession, Performance, Phase, RunStatus, Sampling, Store,
};
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::args::Scenario;
use crate::load::{Outcome, Plan};
use crate::result::histogram_v2;
use crate::target::Target;

/// The mode that such a run has in `test_runs`.
const MODE: &str = "benchmark";

/// A run that has been recorded as begun.
pub struct Recording {
    store: Store,
    session: String,
    run: i64,
}

impl Recording {
    /// Connects, applies the schema, and records that the run begins: what cannot be recorded should fail
    /// before the load, not after it.
    ///
    /// # Errors
    /// Those of the metrics database.
    pub async fn begin(
        config: &MetricsDbConfig,
        plan: &Plan,
        scenario: Scenario,
        target: Option<&Target>,
    ) -> anyhow::Result<Self> {
        let store = Store::connect_as(config, "benchmark").await?;
        store.migrate().await?;
        let seed = i64::from_ne_bytes(plan.events.seed.to_ne_bytes());
        let session = session_id()?;
        let command = std::env::args().collect::<Vec<_>>().join(" ");
        store
            .create_session(&NewSession {
                id: session.clone(),
                command,
                seed,
                runtime: "external".into(),
                environment: json!({
                    "url": format!("http://{}", plan.endpoint.authority),
                    "concurrency": plan.concurrency,
                    "connections": plan.connections,
                    "threads": plan.threads,
                }),
                ..NewSession::default()
            })
            .await?;
        let run = store
            .create_run(&NewRun {
                session_id: Some(session.clone()),
                api_name: target.map_or_else(
                    || plan.endpoint.authority.clone(),
                    |target| target.name.clone(),
                ),
                scenario: scenario.name().into(),
                test_mode: MODE.into(),
                payload_size: plan.events.payload.name().into(),
                protocol: plan.protocol.name().into(),
                language: target.and_then(|target| target.language.clone()),
                framework: target.and_then(|target| target.framework.clone()),
                driver: "benchmark".into(),
                run_label: plan.events.run_id.clone(),
                seed,
                ..NewRun::default()
            })
            .await
            .with_context(|| format!("cannot record run {}", plan.events.run_id))?;
        Ok(Self {
            store,
            session,
            run,
        })
    }

    /// Records what came of it; answers the run's number.
    ///
    /// # Errors
    /// Those of the metrics database.
    pub async fn complete(self, outcome: &Outcome) -> anyhow::Result<i64> {
        let measured_from_us = outcome.measured_at.unix_timestamp_nanos() / 1000;
        let sampling = Sampling {
            measured_from_us: Some(i64::try_from(measured_from_us)?),
            boundaries_s: vec![0.0, outcome.seconds],
            interval_s: 1.0,
            ..Sampling::default()
        };
        self.store.set_sampling(self.run, &sampling).await?;
        self.store
            .put_performance(self.run, &performance(outcome)?)
            .await?;
        self.store.put_phases(self.run, &[phase(outcome)?]).await?;
        let status = if outcome.interrupted {
            RunStatus::Aborted
        } else {
            RunStatus::Completed
        };
        self.end(status, Some(outcome.seconds), None).await
    }

    /// Records that it failed.
    ///
    /// # Errors
    /// Those of the metrics database.
    pub async fn fail(self, error: &anyhow::Error) -> anyhow::Result<i64> {
        self.end(RunStatus::Failed, None, Some(&format!("{error:#}")))
            .await
    }

    async fn end(
        self,
        status: RunStatus,
        seconds: Option<f64>,
        error: Option<&str>,
    ) -> anyhow::Result<i64> {
        self.store
            .finish_run(self.run, status, seconds, error)
            .await?;
        self.store.finish_session(&self.session).await?;
        Ok(self.run)
    }
}

/// Time and four hexadecimal digits of its fraction, e.g. `20261121T104205Z-3f9a`.
fn session_id() -> anyhow::Result<String> {
    let now = OffsetDateTime::now_utc();
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    Ok(format!(
        "{}-{:04x}",
        now.format(format)?,
        (now.nanosecond() / 1000) & 0xffff
    ))
}

fn performance(outcome: &Outcome) -> anyhow::Result<Performance> {
    Ok(Performance {
        total_requests: outcome.requests().try_into()?,
        successful_requests: outcome.tally.measured.acknowledged.try_into()?,
        failed_requests: outcome.tally.measured.errors().try_into()?,
        throughput_per_sec: outcome.rate(),
        error_rate: outcome.error_rate(),
        latency: latency(outcome),
        bytes_sent: Some(outcome.bytes_sent().try_into()?),
        bytes_received: Some(outcome.bytes_received().try_into()?),
        histogram: Some(histogram_v2(outcome)?),
        ..Performance::default()
    })
}

fn phase(outcome: &Outcome) -> anyhow::Result<Phase> {
    let figures = performance(outcome)?;
    Ok(Phase {
        phase_number: 1,
        phase_name: MODE.into(),
        target_vus: outcome.plan.concurrency.try_into()?,
        started_at: Some(outcome.measured_at),
        duration_seconds: outcome.seconds,
        total_requests: figures.total_requests,
        successful_requests: figures.successful_requests,
        failed_requests: figures.failed_requests,
        throughput_per_sec: figures.throughput_per_sec,
        error_rate: figures.error_rate,
        latency: figures.latency,
        bytes_sent: figures.bytes_sent,
        bytes_received: figures.bytes_received,
        generator_cpu_seconds: Some(outcome.cpu_seconds()),
        ..Phase::default()
    })
}

fn latency(outcome: &Outcome) -> Latency {
    let histogram = &outcome.tally.histogram;
    let some = |micros: f64| (!histogram.is_empty()).then_some(micros / 1000.0);
    Latency {
        avg: some(histogram.mean()),
        min: some(histogram.min() as f64),
        max: some(histogram.max() as f64),
        p50: outcome.latency_ms(0.5),
        p90: outcome.latency_ms(0.9),
        p95: outcome.latency_ms(0.95),
        p99: outcome.latency_ms(0.99),
        p999: outcome.latency_ms(0.999),
    }
}
