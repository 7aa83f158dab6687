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
    /// One after the other.
    pub phases: Vec<Phase>,
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
            if mode.phases.is_empty() {
                return Err(format!("modes.{name}.phases: there is none"));
            }
            for phase in &mode.phases {
                phase
                    .check()
                    .map_err(|problem| format!("modes.{name}.phases.{}{problem}", phase.name))?;
            }
        }
        Ok(modes)
    }

    /// The mode of that name.
    pub fn get(&self, name: &str) -> Option<&Mode> {
        match name {
            CALIBRATE => self.calibrate.as_ref(),
            name => self.modes.get(name),
        }
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
mod tests {
    use super::*;

    const FILE: &str = r#"{"modes":{
        "smoke":{"thinkTimeMs":0,"phases":[{"name":"smoke","vus":1,"iterations":5}]},
        "saturation":{"phases":[{"name":"a","vus":10,"seconds":120},{"name":"b","vus":2000,"seconds":60}]},
        "full":{"thinkTimeMs":100,"phases":[{"name":"baseline","vus":10,"seconds":120},{"name":"mid","vus":50,"seconds":60}]}},
        "warmup":{"phases":[{"name":"warmup","vus":2,"iterations":50}]},
        "payloads":["default","4k"],"gracefulStopSeconds":5}"#;

    #[test]
    fn names_come_lightest_first_and_without_the_warm_up() {
        assert_eq!(
            Modes::parse(FILE).unwrap().names(),
            ["smoke", "full", "saturation"]
        );
    }

    #[test]
    fn a_rate_is_for_modes_that_have_one() {
        let open = r#"{"modes":{"compare":{"trials":6,"rates":{"stream":2},"phases":[{"name":"c","vus":9,"seconds":5,"rate":10}]},
            "full":{"phases":[{"name":"a","vus":10,"seconds":1},{"name":"b","vus":10,"seconds":1}]}},"payloads":["default"]}"#;
        let modes = Modes::parse(open).unwrap();
        assert_eq!(modes.names(), ["full", "compare"]);
        let compare = modes.get("compare").unwrap();
        assert_eq!((compare.trials, compare.rate()), (6, Some(10.0)));
        assert_eq!(compare.at_rate(Some(2.5)).unwrap().rate(), Some(2.5));
        assert_eq!(compare.rate_of(Scenario::Stream), Some(2.0));
        assert_eq!(compare.rate_of(Scenario::Balance), Some(10.0));
        let given = compare.at_rate(Some(7.0)).unwrap();
        assert_eq!(given.rate_of(Scenario::Stream), Some(7.0));
        assert!(compare.at_rate(Some(0.0)).is_err());
        let full = modes.get("full").unwrap();
        assert_eq!((full.trials, full.rate()), (1, None));
        assert!(full.at_rate(Some(1.0)).unwrap_err().contains("compare"));
        let without_end = open.replace(r#""seconds":5"#, r#""iterations":5"#);
        assert!(Modes::parse(&without_end).is_err());
    }

    #[test]
    fn the_phase_scale_is_a_number_above_zero() {
        assert_eq!(phase_scale("").unwrap(), 1.0);
        assert_eq!(phase_scale("0.05").unwrap(), 0.05);
        for bad in ["0", "-1", "inf", "NaN", "a"] {
            let error = phase_scale(bad).unwrap_err().to_string();
            assert!(
                error.contains(&format!("PHASE_SCALE={bad}: must be")),
                "{error}"
            );
        }
    }

    #[test]
    fn boundaries_are_cumulative_and_scaled() {
        let modes = Modes::parse(FILE).unwrap();
        assert_eq!(
            modes.get("full").unwrap().boundaries(0.5),
            [0.0, 60.0, 90.0]
        );
        let with_pauses = modes.get("full").unwrap().boundaries_with_pauses(0.5, 3.0);
        assert_eq!(with_pauses, [0.0, 60.0, 63.0, 93.0]);
        assert_eq!(modes.get("smoke").unwrap().boundaries(0.5), [0.0]);
        assert!(modes.get("warmup").is_none());
    }

    #[test]
    fn the_phase_of_a_moment() {
        let modes = Modes::parse(FILE).unwrap();
        let full = modes.get("full").unwrap();
        assert_eq!(full.phase_at(0.0, 1.0).1.name, "baseline");
        assert_eq!(full.phase_at(120.0, 1.0).0, 2);
        assert_eq!(full.phase_at(999.0, 1.0).0, 2);
        assert_eq!(
            modes.get("smoke").unwrap().phase_at(7.0, 1.0).1.name,
            "smoke"
        );
    }

    #[test]
    fn a_phase_needs_exactly_one_bound() {
        for bad in [
            r#"{"name":"x","vus":1}"#,
            r#"{"name":"x","vus":1,"seconds":1,"iterations":1}"#,
        ] {
            let file =
                format!(r#"{{"modes":{{"m":{{"phases":[{bad}]}}}},"payloads":["default"]}}"#);
            let error = Modes::parse(&file).unwrap_err();
            assert!(error.contains("modes.m.phases.x"), "{error}");
        }
    }
}
