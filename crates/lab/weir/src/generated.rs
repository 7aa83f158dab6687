//! What a generator has left of a run, whichever it was: what the audit, the checks and the metrics database take.

use lab_contract::audit::Claims;
use metrics_db::{Check, Performance, Phase};
use serde_json::Value;

/// The figures of a run as its generator gives them, without what the sampled resources add.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Over the run.
    pub performance: Performance,
    /// Of each phase.
    pub phases: Vec<Phase>,
    /// What the audit compares with the target's side.
    pub claims: Claims,
    /// How late sending began at the 99th percentile, milliseconds, where the latency counts from sending in an open model;
    /// none where it counts from the moment due.
    pub begun_late_p99: Option<f64>,
    /// Thresholds of the generator's script that were crossed.
    pub crossed: Vec<String>,
    /// Length of the measured phases together, seconds.
    pub measured_seconds: f64,
    /// Events of each request.
    pub events_per_request: f64,
    /// A virtual user has one request in flight at most; events come to a subscriber whatever is under way to it.
    pub one_in_flight: bool,
    /// What the generator says of the run beside the figures that all scenarios have.
    pub stats: Option<Value>,
    /// What the load had to keep, as the generator judged it.
    pub criteria: Vec<Check>,
}
