//! What a generator has left of a run, whichever it was: what the audit, the checks and the metrics database take.

use lab_contract::audit::Claims;
use lab_model::targets::Target;
use metrics_db::{Check, Performance, Phase};
use serde_json::{Value, json};

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
    /// How each of several generators fared; empty where one made the load, which is sampled.
    pub generators: Vec<Health>,
}

impl Generated {
    /// Notes how many events each request of a target holds.
    pub fn of_batches(&mut self, target: &Target) {
        if let Some(batch) = target.batch {
            self.events_per_request = f64::from(batch);
            self.stats = Some(json!({ "events_per_request": batch }));
        }
    }

    /// The part of all successes that the busiest generator made, 0 to 1.
    pub fn largest_part(&self) -> f64 {
        let rates = || self.generators.iter().map(|one| one.per_second);
        let (all, most) = (rates().sum::<f64>(), rates().fold(0.0, f64::max));
        if all > 0.0 { most / all } else { 1.0 }
    }

    /// What is said of the run beside the figures that all scenarios have, each of several generators included.
    pub fn all_stats(&self) -> Option<Value> {
        if self.generators.is_empty() {
            return self.stats.clone();
        }
        let mut all = self.stats.clone().unwrap_or_else(|| json!({}));
        all["generators"] = self.generators.iter().map(Health::stats).collect();
        Some(all)
    }
}

impl Health {
    fn stats(&self) -> Value {
        json!({
            "name": self.name,
            "per_second": self.per_second,
            "cpu_share": self.cpu_share,
            "due": self.due,
            "missed": self.missed,
            "clock_offset_ms": self.offset_ms,
            "clock_within_ms": self.within_ms,
        })
    }
}

/// How one of several generators fared, as it says itself: it is on another machine, where nobody samples it.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// Its name.
    pub name: String,
    /// Share of its threads' time in its busiest phase, 0 to 1.
    pub cpu_share: f64,
    /// That phase, from 1.
    pub phase: i32,
    /// Phases in which the share was above [`lab_model::bounds::GENERATOR_CPU`].
    pub over: usize,
    /// Threads that made its load.
    pub threads: u32,
    /// Requests that were due.
    pub due: i64,
    /// Of these, those that it never sent.
    pub missed: i64,
    /// Successes a second in all phases.
    pub per_second: f64,
    /// What its clock showed less what weir's showed, milliseconds.
    pub offset_ms: f64,
    /// By how much that may be wrong.
    pub within_ms: f64,
    /// By how much the two may differ.
    pub max_skew_ms: f64,
}
