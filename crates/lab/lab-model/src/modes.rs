//! Modes, their phases and the payload names: `load-test/k6/lib/modes.json`, which k6 reads too.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{FileError, RequestError};
use crate::files;
use crate::generator::Driver;
use crate::scenario::Scenario;

/// The file, but for the `warmup` mode, which only k6 reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Modes {
    modes: BTreeMap<String, Mode>,
    /// Modes of one scenario, with criteria, whose load `benchmark` makes.
    #[serde(default)]
    workloads: BTreeMap<String, Mode>,
    /// The load of `weir calibrate`, which is none that a user asks for.
    #[serde(default)]
    calibrate: Option<Mode>,
    /// Payload names in the order in which they are run.
    pub payloads: Vec<String>,
}

/// Name of the load that shows what a generator reaches at most.
pub const CALIBRATE: &str = "calibrate";

/// One load profile.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mode {
    /// Pause of a virtual user after each answer, milliseconds.
    #[serde(default)]
    pub think_time_ms: f64,
    /// Trials of each cell where the caller does not say.
    #[serde(default = "one")]
    pub trials: u32,
    /// The same where several payloads are compared, whose verdicts share one level; none: as many as with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials_of_several_payloads: Option<u32>,
    /// Arrivals a second of scenarios for which the phases' own rate is not meant.
    #[serde(default)]
    pub rates: BTreeMap<Scenario, f64>,
    /// What makes the load where neither the caller nor the target says; none: k6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Driver>,
    /// The one scenario that it is for; none: all. Its load is what its criteria are about, and `benchmark` makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Scenario>,
    /// What its phases have to keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub criteria: Vec<PhaseCriterion>,
    /// One after the other.
    pub phases: Vec<Phase>,
}

/// What a phase has to keep; reports show whether it did.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhaseCriterion {
    /// Its name.
    pub phase: String,
    /// The 99th percentile of its latency is below this, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// At most this many of its requests fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<u64>,
}

/// A stretch of constant load, bounded by seconds or by iterations.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// As the reports show it, e.g. `baseline`.
    pub name: String,
    /// Virtual users; under a rate, at most this many are kept ready.
    pub vus: u32,
    /// Arrivals a second, whatever the answers take (open model); none: a VU begins anew after its answer.
    #[serde(default)]
    pub rate: Option<f64>,
    /// Length before `PHASE_SCALE`; none where `iterations` bounds the phase.
    pub seconds: Option<f64>,
    /// Iterations of all VUs together; none where `seconds` bounds the phase.
    pub iterations: Option<u64>,
}

fn one() -> u32 {
    1
}

impl Modes {
    /// Reads and checks the file of the repository at `root`.
    ///
    /// # Errors
    /// The file cannot be read, or an entry of it is wrong.
    pub fn load(root: &Path) -> Result<Self, FileError> {
        let path = root.join(files::MODES);
        let text = std::fs::read_to_string(&path).map_err(|error| FileError::at(&path, error))?;
        Self::parse(&text).map_err(|problem| FileError::at(&path, problem))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let modes: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if modes.payloads.is_empty() {
            return Err("payloads: none is named".into());
        }
        for (name, mode) in &modes.modes {
            mode.check()
                .map_err(|problem| format!("modes.{name}{problem}"))?;
        }
        for (name, mode) in &modes.workloads {
            let place = format!("workloads.{name}");
            mode.check()
                .map_err(|problem| format!("{place}{problem}"))?;
            if mode.scenario.is_none() {
                return Err(format!("{place}.scenario is missing"));
            }
            if modes.modes.contains_key(name) {
                return Err(format!("{place}: there is a mode of this name"));
            }
        }
        Ok(modes)
    }

    /// The mode of that name.
    pub fn get(&self, name: &str) -> Option<&Mode> {
        match name {
            CALIBRATE => self.calibrate.as_ref(),
            name => self.modes.get(name).or_else(|| self.workloads.get(name)),
        }
    }

    /// The modes of one scenario, those of a scenario together, lightest load first.
    pub fn workloads(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.workloads.keys().map(String::as_str).collect();
        names.sort_by(|a, b| {
            let key = |name: &str| {
                let mode = &self.workloads[name];
                (mode.scenario, mode.rate().unwrap_or(0.0))
            };
            let (a, b) = (key(a), key(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        names
    }

    /// The names that can be asked for: the closed model's, lightest load first, then the open model's.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.modes.keys().map(String::as_str).collect();
        names.sort_by_key(|n| {
            let phases = &self.modes[*n].phases;
            let open = phases.iter().any(|p| p.rate.is_some());
            (open, phases.len(), phases.iter().map(|p| p.vus).max())
        });
        names
    }
}

impl Phase {
    /// The error goes on from the phase's place in the file.
    fn check(&self) -> Result<(), &'static str> {
        if self.vus == 0 {
            return Err(".vus must be at least 1");
        }
        if self
            .rate
            .is_some_and(|rate| rate <= 0.0 || self.seconds.is_none())
        {
            return Err(".rate must be above 0, and the phase bounded by seconds");
        }
        if self.seconds.is_some() == self.iterations.is_some() {
            return Err(": one of seconds and iterations must be given");
        }
        if self.seconds.is_some_and(|s| s <= 0.0) {
            return Err(".seconds must be above 0");
        }
        Ok(())
    }
}

impl Mode {
    /// The error goes on from the mode's place in the file.
    fn check(&self) -> Result<(), String> {
        if self.phases.is_empty() {
            return Err(".phases: there is none".into());
        }
        for phase in &self.phases {
            phase
                .check()
                .map_err(|problem| format!(".phases.{}{problem}", phase.name))?;
        }
        for criterion in &self.criteria {
            let name = &criterion.phase;
            if self.phases.iter().all(|phase| phase.name != *name) {
                return Err(format!(".criteria: there is no phase '{name}'"));
            }
        }
        Ok(())
    }

    /// Trials of each cell where the caller does not say and `payloads` are compared.
    pub fn trials_over(&self, payloads: usize) -> u32 {
        match self.trials_of_several_payloads {
            Some(several) if payloads > 1 => several,
            _ => self.trials,
        }
    }

    /// Arrivals a second of an open model; none in a closed one.
    pub fn rate(&self) -> Option<f64> {
        self.phases.iter().find_map(|phase| phase.rate)
    }

    /// The mode with this rate; the error says what is wrong with it.
    pub fn at_rate(&self, rate: Option<f64>) -> Result<Self, String> {
        let mut mode = self.clone();
        let Some(rate) = rate else { return Ok(mode) };
        if mode.scenario.is_some() {
            return Err(
                "--rate does not go with a workload, whose criteria hold for a load of its own"
                    .into(),
            );
        }
        if mode.rate().is_none() {
            return Err("--rate is for a mode with a fixed arrival rate: compare".into());
        }
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(format!("--rate {rate}: must be above 0"));
        }
        for phase in &mut mode.phases {
            phase.rate = phase.rate.map(|_| rate);
        }
        mode.rates.clear();
        Ok(mode)
    }

    /// The same for a scenario.
    pub fn rate_of(&self, scenario: Scenario) -> Option<f64> {
        let own = self.rates.get(&scenario).copied();
        self.rate().map(|rate| own.unwrap_or(rate))
    }

    /// Length of each phase in seconds at `scale`; zero where iterations bound it.
    pub fn phase_seconds(&self, scale: f64) -> Vec<f64> {
        self.phases
            .iter()
            .map(|p| p.seconds.unwrap_or(0.0) * scale)
            .collect()
    }

    /// How long the phases take together at `scale`. A phase of iterations counts as five seconds.
    pub fn expected(&self, scale: f64) -> Duration {
        let seconds: f64 = self
            .phases
            .iter()
            .map(|p| p.seconds.map_or(5.0, |s| s * scale))
            .sum();
        Duration::from_secs_f64(seconds)
    }

    /// Phase boundaries in seconds from the start of the measurement: 0, then the end of each timed phase.
    pub fn boundaries(&self, scale: f64) -> Vec<f64> {
        let mut at = 0.0;
        let mut all = vec![0.0];
        for phase in &self.phases {
            let Some(seconds) = phase.seconds else { break };
            at += seconds * scale;
            all.push(at);
        }
        all
    }

    /// The same where a pause, which belongs to no phase, comes between two of them: 0, the end of the first, the start of the
    /// second, and so on.
    pub fn boundaries_with_pauses(&self, scale: f64, pause_s: f64) -> Vec<f64> {
        let mut at = 0.0;
        let mut all = vec![0.0];
        for phase in &self.phases {
            let Some(seconds) = phase.seconds else { break };
            if all.len() > 1 {
                at += pause_s;
                all.push(at);
            }
            at += seconds * scale;
            all.push(at);
        }
        all
    }

    /// True where every phase is bounded by time, so that rates mean something.
    pub fn is_timed(&self) -> bool {
        self.phases.iter().all(|p| p.seconds.is_some())
    }

    /// The phase that runs `elapsed` seconds after the start: its number from 1 and itself.
    pub fn phase_at(&self, elapsed: f64, scale: f64) -> (usize, &Phase) {
        let mut end = 0.0;
        for (index, phase) in self.phases.iter().enumerate() {
            end += phase.seconds.unwrap_or(f64::INFINITY) * scale;
            if elapsed < end {
                return (index + 1, phase);
            }
        }
        (self.phases.len(), &self.phases[self.phases.len() - 1])
    }
}

/// The factor by which `PHASE_SCALE` shortens or stretches all phases: a number above 0; 1 where it is empty.
///
/// # Errors
/// The text is something else.
pub fn phase_scale(text: &str) -> Result<f64, RequestError> {
    if text.is_empty() {
        return Ok(1.0);
    }
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale.is_finite() => Ok(scale),
        _ => Err(RequestError(format!(
            "PHASE_SCALE={text}: must be a number above 0, e.g. 0.05"
        ))),
    }
}

#[cfg(test)]
mod tests;
