//! A run in the metrics database: a session with one run of driver `benchmark`, its figures and its histogram.

use anyhow::Context;
use hdrhistogram::Histogram;
use lab_host::environment;
use metrics_db::{
    Latency, MetricsDbConfig, NewRun, NewSession, Performance, Phase, RunStatus, Sampling, Store,
};
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::aim::Aim;
use crate::target_process::Seen;
use load_engine::load::{Window, per};
use load_engine::outcome::LoadOutcome;
use load_engine::result::{Latency as Percentiles, histogram_v2};

/// The mode that such a run has in `test_runs`.
const MODE: &str = "benchmark";

/// What is known before the load.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    /// The target.
    pub aim: &'a Aim,
    /// The label of the run.
    pub run_id: &'a str,
    /// `default`, or the size of the events.
    pub payload: &'a str,
    /// The generator's seed.
    pub seed: u64,
    /// What else was asked for.
    pub settings: serde_json::Value,
}

/// What is known after it.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Over the whole run.
    pub performance: Performance,
    /// Its phases in their order; a load without levels has one.
    pub phases: Vec<Phase>,
    /// Start of the first window.
    pub measured_at: OffsetDateTime,
    /// Ended before its time.
    pub interrupted: bool,
    /// What only this scenario has.
    pub scenario_stats: Option<serde_json::Value>,
    /// When each phase was measured.
    pub windows: Vec<Window>,
}

/// What a load counts in its measured window beside its successes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// What failed.
    pub failed: u64,
    /// What was due and never sent.
    pub missed: u64,
    /// Requests or streams that were open at once.
    pub open: usize,
    /// What should have come a second, where that was asked for.
    pub intended_per_sec: Option<f64>,
}

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
    pub async fn begin(config: &MetricsDbConfig, head: Head<'_>) -> anyhow::Result<Self> {
        let store = Store::connect_as(config, "benchmark").await?;
        store.migrate().await?;
        let seed = i64::from_ne_bytes(head.seed.to_ne_bytes());
        let session = session_id()?;
        let mut environment = head.settings;
        if !head.aim.direct {
            environment["url"] = head.aim.endpoint.url().into();
        }
        // What two runs must share to be compared, as sessions of `weir run` record it.
        environment["machine"] = environment::machine().await;
        let program = std::env::current_exe().ok();
        environment["benchmark"] = json!({
            "binary_sha256": program.and_then(|path| environment::file_sha256(&path)),
        });
        let here = std::env::current_dir().unwrap_or_default();
        store
            .create_session(&NewSession {
                id: session.clone(),
                command: std::env::args().collect::<Vec<_>>().join(" "),
                seed,
                runtime: "external".into(),
                git_commit: environment::git_commit(&here).await,
                fingerprint: environment::fingerprint(&environment),
                environment,
            })
            .await?;
        let target = head.aim.target.as_ref();
        let run = store
            .create_run(&NewRun {
                session_id: Some(session.clone()),
                api_name: match head.aim.scenario.log() {
                    // Of one target several things can be asked, which are not to be compared with each other.
                    Some(asked) => format!("{}, {}", head.aim.name(), asked.name()),
                    None => head.aim.name(),
                },
                scenario: match head.aim.scenario.log() {
                    Some(_) => "log".into(),
                    None => head.aim.scenario.name().into(),
                },
                test_mode: MODE.into(),
                payload_size: head.payload.into(),
                protocol: head.aim.interface().into(),
                language: target.and_then(|target| target.language.clone()),
                framework: target.and_then(|target| target.framework.clone()),
                driver: "benchmark".into(),
                run_label: head.run_id.into(),
                seed,
                ..NewRun::default()
            })
            .await
            .with_context(|| format!("cannot record run {}", head.run_id))?;
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
    pub async fn complete(self, figures: &Figures) -> anyhow::Result<i64> {
        let measured_from_us = figures.measured_at.unix_timestamp_nanos() / 1000;
        let sampling = Sampling {
            measured_from_us: Some(i64::try_from(measured_from_us)?),
            boundaries_s: boundaries(figures),
            interval_s: 1.0,
            ..Sampling::default()
        };
        self.store.set_sampling(self.run, &sampling).await?;
        self.store
            .put_performance(self.run, &figures.performance)
            .await?;
        self.store.put_phases(self.run, &figures.phases).await?;
        if let Some(stats) = &figures.scenario_stats {
            self.store.set_scenario_stats(self.run, stats).await?;
        }
        let status = if figures.interrupted {
            RunStatus::Aborted
        } else {
            RunStatus::Completed
        };
        let seconds = figures.phases.iter().map(|phase| phase.duration_seconds);
        self.end(status, Some(seconds.sum()), None).await
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

/// Seconds from the start of the first phase to its own and to the end of each.
fn boundaries(figures: &Figures) -> Vec<f64> {
    let ends = figures.phases.iter().map(|phase| {
        let started = phase.started_at.unwrap_or(figures.measured_at);
        (started - figures.measured_at).as_seconds_f64() + phase.duration_seconds
    });
    std::iter::once(0.0).chain(ends).collect()
}

impl Figures {
    /// Adds what was seen of the target's process to each phase.
    pub fn add(&mut self, seen: &Seen) {
        for (phase, window) in self.phases.iter_mut().zip(&self.windows) {
            seen.add_to(phase, window);
        }
    }

    /// Those of loads that were made one after the other, of which there is at least one: a phase for each. `open` says what
    /// their number counts, such as `in flight`.
    ///
    /// # Errors
    /// When a count does not fit.
    pub fn of<O: LoadOutcome>(
        outcomes: &[O],
        open: &str,
        counted: impl Fn(&O) -> Counted,
        scenario_stats: Option<serde_json::Value>,
    ) -> anyhow::Result<Self> {
        let first = outcomes.first().context("no load was made")?;
        let mut latencies = load_engine::tally::histogram();
        let mut phases = Vec::new();
        let mut intended = Vec::new();
        for (number, outcome) in (1..).zip(outcomes) {
            load_engine::tally::merge(&mut latencies, outcome.latencies());
            let counted = counted(outcome);
            let name = match outcomes {
                [_] => MODE.to_owned(),
                _ => format!("{} {open}", counted.open),
            };
            phases.push(phase(number, name, outcome, counted)?);
            intended.push(counted.intended_per_sec);
        }
        let sum = |count: fn(&Phase) -> i64| phases.iter().map(count).sum::<i64>();
        let seconds: f64 = phases.iter().map(|phase| phase.duration_seconds).sum();
        let (total, failed) = (sum(|it| it.total_requests), sum(|it| it.failed_requests));
        let successful = sum(|it| it.successful_requests);
        // Loads with rates of their own have none together.
        let same = intended.iter().all(|rate| *rate == intended[0]);
        let performance = Performance {
            total_requests: total,
            successful_requests: successful,
            failed_requests: failed,
            dropped_iterations: sum(|it| it.dropped_iterations),
            intended_per_sec: intended[0].filter(|_| same),
            throughput_per_sec: per(successful as f64, seconds),
            error_rate: per(failed as f64, total as f64),
            latency: latency(&latencies),
            bytes_sent: Some(sum(|it| it.bytes_sent.unwrap_or(0))),
            bytes_received: Some(sum(|it| it.bytes_received.unwrap_or(0))),
            histogram: Some(histogram_v2(&latencies)?),
        };
        Ok(Self {
            performance,
            measured_at: first.window().measured_at,
            interrupted: outcomes.iter().any(|it| it.window().interrupted),
            windows: outcomes.iter().map(|it| *it.window()).collect(),
            scenario_stats,
            phases,
        })
    }
}

fn phase(
    number: i32,
    name: String,
    outcome: &impl LoadOutcome,
    counted: Counted,
) -> anyhow::Result<Phase> {
    let window = outcome.window();
    let successful = outcome.succeeded();
    let total = successful + counted.failed;
    Ok(Phase {
        phase_number: number,
        phase_name: name,
        target_vus: counted.open.try_into()?,
        started_at: Some(window.measured_at),
        duration_seconds: window.seconds,
        total_requests: total.try_into()?,
        successful_requests: successful.try_into()?,
        failed_requests: counted.failed.try_into()?,
        dropped_iterations: counted.missed.try_into()?,
        throughput_per_sec: outcome.rate(),
        error_rate: per(counted.failed as f64, total as f64),
        latency: latency(outcome.latencies()),
        bytes_sent: Some(window.bytes_sent().try_into()?),
        bytes_received: Some(window.bytes_received().try_into()?),
        generator_cpu_seconds: Some(window.cpu_seconds()),
        ..Phase::default()
    })
}

/// The percentiles of a histogram of microseconds as the metrics database has them.
fn latency(histogram: &Histogram<u64>) -> Latency {
    let Some(its) = Percentiles::of(histogram) else {
        return Latency::default();
    };
    Latency {
        avg: Some(its.avg),
        min: Some(its.min),
        max: Some(its.max),
        p50: Some(its.p50),
        p90: Some(its.p90),
        p95: Some(its.p95),
        p99: Some(its.p99),
        p999: Some(its.p999),
    }
}
