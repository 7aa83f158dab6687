//! The project of a home, and the requests that its scenarios send.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use lab_bench::started::Started;
use lab_host::variables::inherited;
use lab_model::targets::{Protocol, Target};
use lab_project::project::{Project, Scenario};
use lab_project::requests;
use time::OffsetDateTime;

use lab_contract::audit::Counts;
use lab_model::files;
use lab_trial::summary::Summary;

use super::assets::{SCRIPT, USER_SCRIPT};
use super::home;

/// A user's services while a command works with them.
#[derive(Clone, Debug)]
pub struct Own {
    /// The file's meaning.
    pub project: Project,
    home: PathBuf,
    /// When the requests are made: the times in them count from here.
    made: OffsetDateTime,
}

/// What `benchmark` is told of requests of a user's own.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables of its environment.
    pub variables: Vec<(String, String)>,
}

/// Requests that a generator can send.
struct Prepared {
    path: PathBuf,
    /// Places of the requests that an audit counts by themselves; empty: all.
    counted: Vec<usize>,
    /// Of the environment, that the requests name.
    variables: Vec<(String, String)>,
}

/// Part of a session in which requests are sent; the numbers of `{{counter}}` never meet those of another part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Each request once.
    Check,
    /// The warm-up.
    WarmUp,
    /// The measurement.
    Measured,
}

impl Part {
    /// The number after which those of `{{counter}}` begin.
    fn counter_base(self) -> u32 {
        match self {
            Self::Check => 0,
            Self::WarmUp => 1_000_000,
            Self::Measured => 10_000_000,
        }
    }
}

impl Own {
    /// That of a root; none where the root is a checkout.
    ///
    /// # Errors
    /// The file is wrong.
    pub fn load(root: &Path) -> Result<Option<Self>> {
        let Some(file) = home::file_of(root) else {
            return Ok(None);
        };
        Ok(Some(Self {
            project: Project::read(&file)?,
            home: root.into(),
            made: OffsetDateTime::now_utc(),
        }))
    }

    /// The scenario of that name: a session calls it the payload of a cell.
    ///
    /// # Errors
    /// There is none of that name any more.
    pub fn scenario(&self, name: &str) -> Result<&Scenario> {
        let names = || {
            let names = self.project.scenarios.iter().map(|one| one.name.as_str());
            names.collect::<Vec<_>>().join(", ")
        };
        self.project
            .scenario(name)
            .with_context(|| format!("weir.toml has no scenario '{name}'; it has {}", names()))
    }

    /// What k6 is told besides: the file of prepared requests, the variables that it names, the numbers that are free.
    ///
    /// # Errors
    /// A variable of the environment that a request names is not set, or the file cannot be written.
    pub fn environment(
        &self,
        target: &Target,
        scenario: &str,
        seed: u64,
        part: Part,
    ) -> Result<Vec<(String, String)>> {
        let scenario = self.scenario(scenario)?;
        if scenario.script.is_some() {
            return self.script_environment(target, scenario);
        }
        let prepared = self.prepare(target, scenario, seed)?;
        let mut env = vec![
            (
                "REQUESTS_FILE".to_owned(),
                prepared.path.to_string_lossy().into_owned(),
            ),
            ("COUNTER_BASE".to_owned(), part.counter_base().to_string()),
        ];
        if !prepared.counted.is_empty() {
            env.push((
                "COUNTED".to_owned(),
                serde_json::to_string(&prepared.counted)?,
            ));
        }
        env.extend(prepared.variables);
        Ok(env)
    }

    /// The same for `benchmark`: its arguments, and the variables of its environment.
    ///
    /// # Errors
    /// Those of [`Self::environment`]; the scenario has a k6 script instead of requests.
    pub fn for_benchmark(
        &self,
        target: &Target,
        scenario: &str,
        seed: u64,
        part: Part,
    ) -> Result<Told> {
        let scenario = self.scenario(scenario)?;
        ensure!(
            scenario.script.is_none(),
            "scenario {} is a k6 script, which --driver k6 runs",
            scenario.name
        );
        let prepared = self.prepare(target, scenario, seed)?;
        let mut arguments = vec![
            format!("--requests-file={}", prepared.path.display()),
            format!("--counter-base={}", part.counter_base()),
        ];
        if !prepared.counted.is_empty() {
            let places: Vec<String> = prepared.counted.iter().map(usize::to_string).collect();
            arguments.push(format!("--counted={}", places.join(",")));
        }
        Ok(Told {
            arguments,
            variables: prepared.variables,
        })
    }

    /// Writes the file of prepared requests.
    fn prepare(&self, target: &Target, scenario: &Scenario, seed: u64) -> Result<Prepared> {
        let protocol = match target.protocol {
            Protocol::Rest => requests::Protocol::Rest,
            Protocol::Grpc => requests::Protocol::Grpc,
        };
        let file = self.project.requests(scenario, protocol, seed, self.made);
        let folder = self.home.join("requests");
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        let name = format!("{}-{}.json", scenario.name, protocol.as_str());
        let path = folder.join(name);
        fs::write(&path, serde_json::to_vec(&file)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let named = self
            .project
            .audit
            .as_ref()
            .map_or(&[][..], |audit| &audit.of);
        let places = file.requests.iter().enumerate();
        let places = places.filter(|(_, request)| named.contains(&request.name));
        let counted = places.map(|(place, _)| place).collect();
        let mut variables = Vec::new();
        for name in &file.env {
            // Under a name of its own: it must not be taken for a setting of the lab.
            variables.push((format!("WEIR_ENV_{name}"), variable(name, scenario)?));
        }
        Ok(Prepared {
            path,
            counted,
            variables,
        })
    }

    /// What a script of the user's own is told: the variables that the file names, and where the target is.
    fn script_environment(
        &self,
        target: &Target,
        scenario: &Scenario,
    ) -> Result<Vec<(String, String)>> {
        let mut env = vec![("PROTOCOL".to_owned(), target.protocol.as_str().to_owned())];
        for name in &scenario.env {
            env.push((name.clone(), variable(name, scenario)?));
        }
        Ok(env)
    }

    /// The script that makes the load of a scenario, below the lab's scripts: that of prepared requests, or one that is
    /// written around the user's own.
    ///
    /// # Errors
    /// The script cannot be written.
    pub fn script(&self, target: &Target, scenario: &str) -> Result<String> {
        let scenario = self.scenario(scenario)?;
        let Some(script) = &scenario.script else {
            return Ok(target.script.clone());
        };
        let name = format!("own-script-{}.js", scenario.name);
        let place = serde_json::to_string(&script.to_string_lossy())?;
        let path = self.home.join(files::SCRIPTS).join(&name);
        fs::write(&path, SCRIPT.replace(USER_SCRIPT, &place))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(name)
    }

    /// What an audit holds its number against: the answers of the requests that it names, else of all.
    #[must_use]
    pub fn counts(&self, summary: &Summary) -> Counts {
        let named = self
            .project
            .audit
            .as_ref()
            .is_some_and(|audit| !audit.of.is_empty());
        if !named {
            return summary.counts();
        }
        let acknowledged = summary.counter("own_counted_acknowledged");
        let sent = summary.counter("own_counted_sent");
        Counts {
            sent,
            acknowledged,
            failed: sent - acknowledged,
        }
    }
}

fn variable(name: &str, scenario: &Scenario) -> Result<String> {
    inherited(name).with_context(|| {
        format!(
            "scenario {}: the environment variable {name} is not set: export it before weir runs",
            scenario.name
        )
    })
}

/// Where a script finds its target.
pub fn address(started: &Started) -> [(String, String); 3] {
    let at = &started.from_generator;
    [
        ("HOST".to_owned(), at.url_host().into_owned()),
        ("PORT".to_owned(), at.port.to_string()),
        ("SCHEME".to_owned(), at.access.scheme().to_owned()),
    ]
}
