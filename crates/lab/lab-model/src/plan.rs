//! The matrix of a session: target x payload x trial, and the order of its cells ([`layout`]).

pub mod layout;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::layout::{Cell, Layout};
use crate::distance::Distance;
use crate::driver::{self, Driver};
use crate::error::RequestError;
use crate::generators::Generators;
use crate::judging::{AA_SUFFIX, Figure, Judging, Repeat, rounds_at};
use crate::modes::{Mode, Modes};
use crate::scenario::Scenario;
use crate::targets::{Target, Targets};

/// What a cell takes beside its phases: start, verify, warm-up, audit, stop.
pub const OVERHEAD: Duration = Duration::from_secs(12);

/// What `--scenario` takes beside the names of scenarios.
pub const ALL_SCENARIOS: &str = "all";

/// What to run; recorded with the session, so that it can be resumed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Request {
    /// Name of a mode.
    pub mode: String,
    /// Target names; empty: the default targets of the scenario.
    pub targets: Vec<String>,
    /// Payload names; empty: all that the scenario has.
    pub payloads: Vec<String>,
    /// Whose default targets are meant: a scenario or `all`; none: ingest, or that of the targets named.
    pub scenario: Option<String>,
    /// Trials of each target and payload, at least 1; none: as many as the mode has.
    pub trials: Option<u32>,
    /// Arrivals a second; none: as the mode has it. Only where the mode has a rate.
    pub rate: Option<f64>,
    /// Decides the order within each round.
    pub seed: u64,
    /// `PHASE_SCALE`.
    pub phase_scale: f64,
    /// How many cells it came to; none before they were laid out.
    pub cells: Option<usize>,
    /// What was named before the first round.
    #[serde(default)]
    pub judging: Judging,
    /// What makes the load; none: as target and mode say.
    #[serde(default)]
    pub driver: Option<Driver>,
    /// The network between generator and target; none: that of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<Distance>,
    /// The machines that make the load together; none: this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generators: Option<Generators>,
    /// Rounds that were repeated, in the order in which that was decided.
    #[serde(default)]
    pub repeats: Vec<Repeat>,
}

/// A session's cells in the order in which they run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What was asked for.
    pub request: Request,
    /// Name of the mode.
    pub mode_name: String,
    /// Its phases.
    pub mode: Mode,
    /// `PHASE_SCALE`.
    pub phase_scale: f64,
    /// Seed of order and payloads.
    pub seed: u64,
    /// In running order.
    pub cells: Vec<Cell>,
    /// Its rounds.
    pub layout: Layout,
}

impl Plan {
    /// Checks the request against what exists and lays out the cells.
    ///
    /// With one trial the targets come in the order of the file. With more, each round (one trial of one
    /// payload) runs its targets in an order of its own, drawn from the seed and balanced in blocks, so that
    /// neither drift of the machine nor the place in a round favours one of them.
    ///
    /// # Errors
    /// The request names something that does not exist, or a value outside its range.
    pub fn new(request: &Request, modes: &Modes, targets: &Targets) -> Result<Self, RequestError> {
        let mode = modes
            .get(&request.mode)
            .ok_or_else(|| RequestError(format!("unknown mode '{}'", request.mode)))?;
        let chosen = choose_targets(request, targets, mode.scenario).map_err(RequestError)?;
        if request.trials == Some(0) {
            return Err(RequestError("--trials must be at least 1".into()));
        }
        let mode = mode.at_rate(request.rate).map_err(RequestError)?;
        let chosen = named_twice(chosen, request.judging.aa)?;

        // A round compares targets of one scenario under one payload.
        let mut rounds = Vec::new();
        let mut most_payloads = 0;
        for scenario in Scenario::ALL {
            let members: Vec<Target> = chosen
                .iter()
                .filter(|target| target.scenario == scenario)
                .cloned()
                .collect();
            if !members.is_empty() {
                let payloads = choose_payloads(request, scenario, modes).map_err(RequestError)?;
                most_payloads = most_payloads.max(payloads.len());
                for payload in payloads {
                    rounds.push((scenario, payload, members.clone()));
                }
            }
        }
        check_judging(request, &mode, &chosen)?;
        for target in &chosen {
            let driver = driver::choose(request.driver, target, &mode)?;
            check_generators(request, &mode, target, driver)?;
        }
        let trials = match request.judging.looks()? {
            Some(looks) => u32::try_from(rounds_at(looks)).unwrap_or(u32::MAX),
            None => request
                .trials
                .unwrap_or_else(|| mode.trials_over(most_payloads)),
        };
        let layout = Layout::new(rounds, trials, request.seed);
        let mut plan = Self {
            request: request.clone(),
            mode_name: request.mode.clone(),
            mode,
            phase_scale: request.phase_scale,
            seed: request.seed,
            cells: Vec::new(),
            layout,
        };
        plan.repeat(Vec::new());
        Ok(plan)
    }

    /// Adds rounds that run again. Only cells that come after the ones that are planned until then get another place.
    pub fn repeat(&mut self, repeats: Vec<Repeat>) {
        self.request.repeats.extend(repeats);
        self.cells = self.layout.cells(&self.request.repeats);
        self.request.cells = Some(self.cells.len());
    }

    /// What makes the load of a target.
    pub fn driver_of(&self, target: &Target) -> Driver {
        // A choice that is refused was refused when the plan was made.
        driver::choose(self.request.driver, target, &self.mode).unwrap_or(Driver::K6)
    }

    /// Whether a driver makes the load of any of its targets.
    pub fn uses(&self, driver: Driver) -> bool {
        self.targets()
            .iter()
            .any(|target| self.driver_of(target) == driver)
    }

    /// About how long one cell takes.
    pub fn expected_cell(&self) -> Duration {
        self.mode.expected(self.phase_scale) + OVERHEAD
    }

    /// About how long `cells` of them take.
    pub fn expected(&self, cells: usize) -> Duration {
        self.expected_cell() * u32::try_from(cells).unwrap_or(u32::MAX)
    }

    /// The different targets of the cells, in the order of their first cell.
    pub fn targets(&self) -> Vec<&Target> {
        let mut all: Vec<&Target> = Vec::new();
        for cell in &self.cells {
            if !all.iter().any(|t| t.name == cell.target.name) {
                all.push(&cell.target);
            }
        }
        all
    }
}

/// Several generators make the load of what one of them could make, each its part.
fn check_generators(
    request: &Request,
    mode: &Mode,
    target: &Target,
    driver: Driver,
) -> Result<(), RequestError> {
    let Some(generators) = &request.generators else {
        return Ok(());
    };
    let refuse = |problem: String| Err(RequestError(problem));
    if request.distance.is_some() {
        return refuse(
            "--generators: leave out --delay, --jitter and --loss, whose network is on this machine alone".into(),
        );
    }
    if driver == Driver::K6 {
        return refuse(format!(
            "--generators: the load of target {} is made by k6, which is not divided among machines: add --driver benchmark",
            target.name
        ));
    }
    if target.scenario == Scenario::Stream {
        return refuse(format!(
            "--generators: target {} is a stream, whose transactions one generator writes: name targets of ingest, balance, log \
             or of your own",
            target.name
        ));
    }
    generators.check(&request.mode, mode).map_err(RequestError)
}

/// The targets; in an A/A session the one target under two names.
fn named_twice(chosen: Vec<&Target>, aa: bool) -> Result<Vec<Target>, RequestError> {
    match (aa, &chosen[..]) {
        (false, _) => Ok(chosen.into_iter().cloned().collect()),
        (true, [only]) => {
            let mut again = (*only).clone();
            again.name += AA_SUFFIX;
            Ok(vec![(*only).clone(), again])
        }
        (true, several) => Err(RequestError(format!(
            "--aa measures one target under two names: name one target, not {}",
            several.len()
        ))),
    }
}

/// What is named beforehand must be there, and must be able to decide something.
fn check_judging(request: &Request, mode: &Mode, chosen: &[Target]) -> Result<(), RequestError> {
    let judging = &request.judging;
    let refuse = |problem: String| Err(RequestError(problem));
    if let Some(name) = &judging.reference
        && chosen.iter().all(|target| target.name != *name)
    {
        return refuse(format!(
            "--reference {name}: it is none of the targets of this run"
        ));
    }
    let figures = if mode.rate().is_some() {
        &[Figure::Cpu, Figure::P99][..]
    } else {
        &[Figure::Rate]
    };
    if judging
        .primary
        .is_some_and(|figure| !figures.contains(&figure))
    {
        let known = figures.iter().map(|figure| figure.as_str());
        return refuse(format!(
            "--primary: mode {} compares {}",
            request.mode,
            known.collect::<Vec<_>>().join(" and ")
        ));
    }
    if !judging.until_decided {
        return Ok(());
    }
    if request.trials.is_some() {
        return refuse(
            "--until-decided chooses the number of rounds itself: leave out --trials; --max-rounds bounds it".into(),
        );
    }
    if !mode.is_timed() {
        return refuse(format!(
            "--until-decided: mode {} measures nothing that could be decided",
            request.mode
        ));
    }
    let compares = Scenario::ALL
        .iter()
        .any(|scenario| chosen.iter().filter(|t| t.scenario == *scenario).count() > 1);
    if !compares {
        return refuse(
            "--until-decided compares targets: name at least two of one scenario, or add --aa"
                .into(),
        );
    }
    Ok(())
}

/// `of_mode`: the one scenario that the mode is for.
fn choose_targets<'a>(
    request: &Request,
    targets: &'a Targets,
    of_mode: Option<Scenario>,
) -> Result<Vec<&'a Target>, String> {
    let mut wanted = choose_scenarios(request.scenario.as_deref())?;
    if let Some(only) = of_mode {
        if request.scenario.is_some() && wanted != Some(vec![only]) {
            return Err(format!(
                "mode {} is for the scenario '{only}' alone: leave out --scenario",
                request.mode
            ));
        }
        wanted = Some(vec![only]);
    }
    if request.targets.is_empty() {
        let wanted = wanted.unwrap_or_else(|| vec![targets.usual_scenario()]);
        let chosen: Vec<&Target> = targets
            .iter()
            .filter(|t| t.default && wanted.contains(&t.scenario))
            .collect();
        if chosen.is_empty() {
            let name = wanted[0];
            return Err(format!("no target belongs to the scenario '{name}'"));
        }
        return Ok(chosen);
    }
    let mut chosen = Vec::new();
    for name in &request.targets {
        let target = targets
            .get(name)
            .ok_or_else(|| format!("unknown target '{name}'"))?;
        if let Some(wanted) = &wanted
            && !wanted.contains(&target.scenario)
        {
            return Err(format!(
                "target '{name}' belongs to the scenario '{}', not to '{}'",
                target.scenario, wanted[0]
            ));
        }
        if chosen.iter().any(|t: &&Target| t.name == target.name) {
            return Err(format!("target '{name}' is named twice"));
        }
        chosen.push(target);
    }
    Ok(chosen)
}

/// None where the caller has not said.
fn choose_scenarios(name: Option<&str>) -> Result<Option<Vec<Scenario>>, String> {
    match name {
        None => Ok(None),
        Some(ALL_SCENARIOS) => Ok(Some(Scenario::ALL.to_vec())),
        Some(name) => match Scenario::parse(name) {
            Some(scenario) => Ok(Some(vec![scenario])),
            None => Err(format!("unknown scenario '{name}'")),
        },
    }
}

fn choose_payloads(
    request: &Request,
    scenario: Scenario,
    modes: &Modes,
) -> Result<Vec<String>, String> {
    let known = if scenario.has_payloads() {
        &modes.payloads[..]
    } else {
        &modes.payloads[..1]
    };
    if request.payloads.is_empty() {
        return Ok(known.to_vec());
    }
    let mut chosen: Vec<String> = Vec::new();
    for name in &request.payloads {
        if !modes.payloads.contains(name) {
            return Err(format!("unknown payload '{name}'"));
        }
        if !known.contains(name) {
            return Err(format!(
                "the scenario '{scenario}' has the payload '{}' alone, not '{name}'",
                known[0]
            ));
        }
        if chosen.contains(name) {
            return Err(format!("payload '{name}' is named twice"));
        }
        chosen.push(name.clone());
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests;
