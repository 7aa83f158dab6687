//! Figures of a run and of its phases.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;

/// Latency of successful requests, milliseconds; none where nothing succeeded or the driver keeps none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Mean.
    pub avg: Option<f64>,
    /// Shortest.
    pub min: Option<f64>,
    /// Longest.
    pub max: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
}

/// Figures over the whole run: a row of `performance_metrics`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// Requests sent.
    pub total_requests: i64,
    /// Requests that succeeded.
    pub successful_requests: i64,
    /// Requests that did not.
    pub failed_requests: i64,
    /// Iterations that could not start in time (arrival rate only).
    pub dropped_iterations: i64,
    /// Open model only, requests a second.
    pub intended_per_sec: Option<f64>,
    /// Successful requests a second of measured time.
    pub throughput_per_sec: f64,
    /// 0 to 1.
    pub error_rate: f64,
    /// Of successful requests.
    pub latency: Latency,
    /// By the generator, above TCP.
    pub bytes_sent: Option<i64>,
    /// By the generator, above TCP.
    pub bytes_received: Option<i64>,
    /// HdrHistogram V2, microseconds; left out of JSON.
    #[serde(skip)]
    pub histogram: Option<Vec<u8>>,
}

/// Figures of one phase: a row of `test_phases`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// From 1.
    pub phase_number: i32,
    /// E.g. `baseline`.
    pub phase_name: String,
    /// VUs or connections.
    pub target_vus: i32,
    /// When it began.
    #[serde(with = "rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    /// Seconds.
    pub duration_seconds: f64,
    /// Requests sent.
    pub total_requests: i64,
    /// Requests that succeeded.
    pub successful_requests: i64,
    /// Requests that did not.
    pub failed_requests: i64,
    /// See [`Performance::dropped_iterations`].
    pub dropped_iterations: i64,
    /// Successful requests a second.
    pub throughput_per_sec: f64,
    /// 0 to 1.
    pub error_rate: f64,
    /// Of successful requests.
    pub latency: Latency,
    /// By the generator, above TCP.
    pub bytes_sent: Option<i64>,
    /// By the generator, above TCP.
    pub bytes_received: Option<i64>,
    /// CPU-seconds of the target between the phase's boundaries.
    pub target_cpu_seconds: Option<f64>,
    /// CPU-seconds of the application database.
    pub database_cpu_seconds: Option<f64>,
    /// CPU-seconds of the generator.
    pub generator_cpu_seconds: Option<f64>,
    /// Anonymous resident memory of the target, mean, MiB.
    pub target_memory_avg_mb: Option<f64>,
    /// The same, highest sample, MiB.
    pub target_memory_peak_mb: Option<f64>,
    /// CPU of the target over the phase; 100 is one core.
    pub target_cpu_avg_percent: Option<f64>,
    /// The same, highest sample.
    pub target_cpu_peak_percent: Option<f64>,
    /// Taken by the hypervisor, all cores together, seconds.
    pub host_steal_seconds: Option<f64>,
}
