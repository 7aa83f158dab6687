//! What `weir.toml` means, checked: a value of [`Project`] can be measured as far as the file alone can say.
//!
//! - this file: the whole; `target`, `scenario`, `expect`, `around`: its parts; `form`: names, times and commands in them

mod around;
mod expect;
mod form;
mod scenario;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lab_verdict::random::mix;
use time::OffsetDateTime;

use crate::draw;
use crate::file::{File, Load};
use crate::place::Source;
use crate::problem::Problem;
use crate::requests::{Part, Protocol, RequestFile, SCHEMA};
use crate::rows::Rows;

pub use around::{Action, Audit, Fill, Look};
pub use scenario::{Entry, Scenario};
pub use target::{Reach, Ready, Target};

/// A user's own services and what they are asked.
#[derive(Clone, Debug)]
pub struct Project {
    /// The file.
    pub file: PathBuf,
    /// Its folder: where relative paths begin.
    pub dir: PathBuf,
    /// At least one.
    pub targets: Vec<Target>,
    /// At least one, each with something for every target.
    pub scenarios: Vec<Scenario>,
    /// The load of mode compare.
    pub load: Load,
    /// Done before the target of a trial starts.
    pub setup: Vec<Action>,
    /// Done when it has stopped.
    pub teardown: Vec<Action>,
    /// None: nobody looks behind the answers.
    pub audit: Option<Audit>,
    rows: BTreeMap<String, Rows>,
}

impl Project {
    /// Reads and checks a file and what it names.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let text = std::fs::read_to_string(path).map_err(|error| Problem {
            file: path.into(),
            line: None,
            key: String::new(),
            what: error.to_string(),
            remedy: "'weir init' writes one".into(),
        })?;
        Self::parse(path, text)
    }

    /// The same of a text, under the name of its file.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(path: &Path, text: String) -> Result<Self, Problem> {
        let source = Source::new(path, text);
        let file: File =
            toml::from_str(source.text()).map_err(|error| source.toml_problem(&error))?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = std::path::absolute(dir.unwrap_or(Path::new("."))).unwrap_or_default();
        let whole = source.place(0..0, "");
        if file.target.is_empty() {
            return Err(whole.problem(
                "",
                "there is no [[target]]",
                "say what is to be measured: name, protocol, and command or url",
            ));
        }
        if file.scenario.is_empty() {
            return Err(whole.problem(
                "",
                "there is no [[scenario]]",
                "say what is asked: name, and at least one [[scenario.request]]",
            ));
        }
        let mut rows = BTreeMap::new();
        for one in &file.rows {
            let place = source.place(one.span(), format!("rows {}", one.get_ref().name));
            let one = one.get_ref();
            let path = dir.join(&one.file);
            let read = Rows::read(&path).map_err(|(line, what)| match line {
                None => place.problem(
                    "file",
                    format!("{}: {what}", one.file),
                    "name a file that can be read",
                ),
                line => Problem {
                    file: path.clone(),
                    line,
                    key: String::new(),
                    what,
                    remedy: String::new(),
                },
            })?;
            rows.insert(one.name.clone(), read);
        }
        let mut targets: Vec<Target> = Vec::new();
        for one in &file.target {
            let place = source.place(one.span(), format!("target {}", one.get_ref().name));
            let target = Target::check(one.get_ref(), &place, &dir)?;
            if targets.iter().any(|before| before.name == target.name) {
                return Err(place.problem(
                    "name",
                    "is used twice",
                    "give each target a name of its own",
                ));
            }
            targets.push(target);
        }
        let mut scenarios: Vec<Scenario> = Vec::new();
        for one in &file.scenario {
            let place = source.place(one.span(), format!("scenario {}", one.get_ref().name));
            let scenario = Scenario::check(one.get_ref(), &source, &place, &dir, &rows)?;
            if scenarios.iter().any(|before| before.name == scenario.name) {
                return Err(place.problem(
                    "name",
                    "is used twice",
                    "give each scenario a name of its own",
                ));
            }
            for target in &targets {
                if !scenario.suits(target.protocol) {
                    let (what, remedy) = match target.protocol {
                        Protocol::Rest => ("REST", "add a [[scenario.request]] with a path"),
                        Protocol::Grpc => ("gRPC", "add a [[scenario.request]] with a call"),
                    };
                    return Err(place.problem(
                        "",
                        format!(
                            "has no {what} request, and the target {} speaks {what}",
                            target.name
                        ),
                        remedy,
                    ));
                }
            }
            scenarios.push(scenario);
        }
        let load = match &file.load {
            Some(load) => {
                let place = source.place(load.span(), "load");
                check_load(load.get_ref())
                    .map_err(|(key, what)| place.problem(key, what, "write a number above 0"))?;
                load.get_ref().clone()
            }
            None => Load::default(),
        };
        let steps = |all: &[toml::Spanned<crate::file::Action>],
                     name: &str|
         -> Result<Vec<Action>, Problem> {
            let checked = all
                .iter()
                .map(|one| Action::check(one.get_ref(), &source.place(one.span(), name), &dir));
            checked.collect()
        };
        let audit = file.audit.as_ref().map(|audit| {
            let place = source.place(audit.span(), "audit");
            Audit::check(audit.get_ref(), &place, &dir, &scenarios)
        });
        let (setup, teardown) = (
            steps(&file.setup, "setup")?,
            steps(&file.teardown, "teardown")?,
        );
        Ok(Self {
            file: path.into(),
            setup,
            teardown,
            audit: audit.transpose()?,
            dir,
            targets,
            scenarios,
            load,
            rows,
        })
    }

    /// The scenario of that name.
    #[must_use]
    pub fn scenario(&self, name: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|one| one.name == name)
    }

    /// The prepared requests of a scenario over a protocol: the same for the same seed and time.
    #[must_use]
    pub fn requests(
        &self,
        scenario: &Scenario,
        protocol: Protocol,
        seed: u64,
        now: OffsetDateTime,
    ) -> RequestFile {
        let entries = scenario.entries.iter();
        let entries: Vec<&Entry> = entries.filter(|entry| entry.protocol == protocol).collect();
        let weights: Vec<u32> = entries.iter().map(|entry| entry.weight).collect();
        let slots: Vec<Vec<draw::Slot>> = entries.iter().map(|entry| entry.slots.clone()).collect();
        let requests: Vec<_> = entries.iter().map(|entry| entry.request.clone()).collect();
        let steps = requests.iter().flat_map(|request| &request.steps);
        let texts = steps.flat_map(|step| {
            let headers = step.headers.iter().map(|(_, value)| value);
            headers.chain([&step.path]).chain(&step.body)
        });
        let env: BTreeSet<String> = texts
            .flatten()
            .filter_map(|part| match part {
                Part::Filled {
                    fill: crate::requests::Fill::Env,
                    name,
                    ..
                } => Some(name.clone()),
                _ => None,
            })
            .collect();
        RequestFile {
            schema: SCHEMA.into(),
            scenario: scenario.name.clone(),
            protocol,
            proto: scenario.proto.clone(),
            env: env.into_iter().collect(),
            sequence: draw::sequence(&weights, &slots, &self.rows, mix(seed), now),
            requests,
        }
    }
}

fn check_load(load: &Load) -> Result<(), (&'static str, String)> {
    let positive = |key, value: Option<f64>| match value {
        Some(value) if value <= 0.0 || !value.is_finite() => Err((key, format!("is {value}"))),
        _ => Ok(()),
    };
    positive("rate", load.rate)?;
    positive("seconds", load.seconds)?;
    positive("users", load.users.map(f64::from))?;
    positive("trials", load.trials.map(f64::from))
}

#[cfg(test)]
mod tests;
