//! `--resume`: going on with a session that was stopped or that crashed, with its own plan, seed and environment.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use lab_bench::metrics;
use lab_model::driver::Driver;
use lab_model::judging::Judging;
use lab_model::modes::Modes;
use lab_model::plan::layout::Cell;
use lab_model::plan::{Plan, Request};
use lab_model::targets::Targets;
use lab_report::environment::flat;
use metrics_db::{Run, RunFilter, RunStatus, Session, Store};
use serde_json::Value;

use super::args::{PlanArgs, RunArgs, RuntimeArg, list, phase_scale, plan_of};
use super::rounds;
use crate::usage::UsageError;

/// How far back an unfinished session is looked for.
const RECENT: i64 = 50;

/// A session to go on with.
#[derive(Clone, Debug)]
pub(crate) struct Resumed {
    pub(crate) session: Session,
    request: Request,
    runs: Vec<Run>,
    /// Finished runs of rounds that were cut: they count no more, and their rounds are repeated whole.
    pub(super) cut: Vec<i64>,
}

impl Resumed {
    /// The session of this id, or, where it is empty, the newest that was not finished. What cannot be gone on with is
    /// an error that says why.
    pub(super) async fn find(args: &RunArgs, root: &Path, id: &str) -> Result<Self> {
        metrics::reading(root, &args.metrics, async |store| {
            Self::find_in(store, args, id).await
        })
        .await
    }

    async fn find_in(store: &Store, args: &RunArgs, id: &str) -> Result<Self> {
        let found = if id.is_empty() {
            let mut newest = None;
            for session in store.sessions(RECENT).await? {
                // One that cannot be gone on with does not end the search for those that can.
                let id = session.id.clone();
                let candidate = Self::read(store, session).await;
                match candidate.and_then(|found| Ok((found.cells_left()?, found))) {
                    Ok((left, found)) if left > 0 => {
                        newest = Some(found);
                        break;
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(session = id, "passed over: {error:#}"),
                }
            }
            newest.ok_or_else(|| {
                UsageError::plain("no session is unfinished: there is nothing to resume")
            })?
        } else {
            let session = store.session(id).await?;
            let session =
                session.ok_or_else(|| UsageError::plain(format!("there is no session '{id}'")))?;
            Self::read(store, session).await?
        };
        if found.cells_left()? == 0 {
            let id = &found.session.id;
            return Err(UsageError::plain(format!(
                "session {id} is finished: there is nothing to resume"
            ))
            .into());
        }
        found.agrees_with(args)?;
        Ok(found)
    }

    async fn read(store: &Store, session: Session) -> Result<Self> {
        let Some(plan) = session.plan.clone() else {
            let id = &session.id;
            return Err(UsageError::plain(format!(
                "session {id} cannot be resumed: its plan was not recorded"
            ))
            .into());
        };
        let request = serde_json::from_value(plan).context("the session's plan")?;
        let filter = RunFilter {
            session: Some(session.id.clone()),
            ..RunFilter::default()
        };
        let runs = store.runs(&filter).await?;
        Ok(Self {
            session,
            request,
            runs,
            cut: Vec::new(),
        })
    }

    /// The session's plan, as the files of today lay it out.
    pub(super) fn plan(&mut self, modes: &Modes, targets: &Targets) -> Result<Plan> {
        let plan = plan_of(&self.request, modes, targets)?;
        for run in &self.runs {
            let cell = plan
                .cells
                .iter()
                .find(|cell| i64::from(cell.order) == i64::from(run.run_order));
            let same = cell.is_some_and(|cell| {
                cell.target.name == run.api_name
                    && cell.payload == run.payload_size
                    && i64::from(cell.trial) == i64::from(run.trial)
            });
            if !same {
                bail!(
                    "session {} cannot be resumed: its run {} was {} {}, and load-test/targets.toml or modes.json now \
                     put something else there",
                    self.session.id,
                    run.run_order,
                    run.api_name,
                    run.payload_size
                );
            }
        }
        self.cut = rounds::cut(&plan, &self.runs);
        for run in self
            .runs
            .iter_mut()
            .filter(|run| self.cut.contains(&run.id))
        {
            run.status = RunStatus::Aborted;
        }
        Ok(plan)
    }

    /// True where a cell was measured to its end, or failed: a failure is an outcome too.
    pub(super) fn is_done(&self, cell: &Cell) -> bool {
        self.of(cell)
            .any(|run| matches!(run.status, RunStatus::Completed | RunStatus::Failed))
    }

    /// How often a cell was begun.
    pub(super) fn attempts(&self, cell: &Cell) -> usize {
        self.of(cell).count()
    }

    fn of(&self, cell: &Cell) -> impl Iterator<Item = &Run> {
        let order = i64::from(cell.order);
        self.runs
            .iter()
            .filter(move |run| i64::from(run.run_order) == order)
    }

    fn cells_left(&self) -> Result<usize> {
        let cells = self
            .request
            .cells
            .context("the session's plan does not say how many runs it has")?;
        let mut done: Vec<i32> = self
            .runs
            .iter()
            .filter(|run| matches!(run.status, RunStatus::Completed | RunStatus::Failed))
            .map(|run| run.run_order)
            .collect();
        done.sort_unstable();
        done.dedup();
        Ok(cells.saturating_sub(done.len()))
    }

    /// Arguments that are given beside `--resume` must be those of the session.
    fn agrees_with(&self, args: &RunArgs) -> Result<()> {
        let PlanArgs {
            mode,
            targets,
            payloads,
            scenario,
            trials,
            rate,
            seed,
            driver,
            generators: _,
            judging,
            distance,
        } = &args.plan;
        let was = &self.request;
        let mut wrong = Vec::new();
        let mut check = |name: &str, given: Option<String>, was: String| {
            if let Some(given) = given.filter(|given| *given != was) {
                wrong.push(format!("its {name} is {was}, not {given}"));
            }
        };
        let text = |names: &[String]| {
            if names.is_empty() {
                "''".into()
            } else {
                names.join(",")
            }
        };
        let named = |names: &Option<String>| names.as_deref().map(|names| text(&list(Some(names))));
        check("mode", mode.clone(), was.mode.clone());
        check("targets", named(targets), text(&was.targets));
        check("payloads", named(payloads), text(&was.payloads));
        check(
            "scenario",
            scenario.clone(),
            was.scenario.clone().unwrap_or_else(|| "not given".into()),
        );
        check(
            "number of trials",
            trials.map(|n| n.to_string()),
            optional(was.trials),
        );
        check("rate", rate.map(|n| n.to_string()), optional(was.rate));
        check("seed", seed.map(|n| n.to_string()), was.seed.to_string());
        check(
            "PHASE_SCALE",
            phase_scale()?.map(|scale| scale.to_string()),
            was.phase_scale.to_string(),
        );
        let runtime = match args.runtime {
            RuntimeArg::Auto => None,
            RuntimeArg::Docker => Some("docker".to_owned()),
            RuntimeArg::Native => Some("native".to_owned()),
        };
        check("runtime", runtime, self.session.runtime.clone());
        let named = |driver: Driver| driver.as_str().to_owned();
        check(
            "driver",
            driver.map(|driver| named(driver.driver())),
            was.driver.map_or_else(|| "not given".into(), named),
        );
        let distance = distance.distance()?;
        if distance.is_some() && distance != was.distance {
            wrong.push("its --delay, --jitter or --loss are others".into());
        }
        let generators = args.plan.generators()?;
        if generators.is_some() && generators != was.generators {
            wrong.push("its --generators are others".into());
        }
        if judging.is_given() {
            let was = Judging {
                ended_at_look: None,
                ..was.judging.clone()
            };
            if judging.judging() != was {
                wrong
                    .push("its margin, primary figure, reference, looks or --aa are others".into());
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(UsageError::plain(format!(
            "session {} cannot be resumed with these arguments: {}; --resume alone takes the session's own",
            self.session.id,
            wrong.join("; ")
        ))
        .into())
    }

    /// The session's runtime, whatever `auto` would find today.
    pub(super) fn runtime(&self) -> RuntimeArg {
        match self.session.runtime.as_str() {
            "docker" => RuntimeArg::Docker,
            _ => RuntimeArg::Native,
        }
    }

    /// An error where today's environment is not the session's: its runs would not be comparable with the earlier ones.
    pub(super) fn require_same(&self, fingerprint: &str, environment: &Value) -> Result<()> {
        if self.session.fingerprint == fingerprint {
            return Ok(());
        }
        let settings = |of| BTreeMap::from_iter(flat(of));
        let (then, now) = (settings(&self.session.environment), settings(environment));
        let keys: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
        let differing: Vec<String> = keys
            .into_iter()
            .filter(|key| then.get(*key) != now.get(*key))
            .map(|key| {
                let word = |of: &BTreeMap<String, String>| {
                    of.get(key).cloned().unwrap_or_else(|| "not there".into())
                };
                format!("{key} was {} and is {}", word(&then), word(&now))
            })
            .take(4)
            .collect();
        bail!(
            "session {} cannot be resumed: its environment was another ({}); runs of both would not be comparable",
            self.session.id,
            differing.join("; ")
        )
    }
}

/// The newest session, where it has the plan of `request` but for its seed and was not finished: its id, and how many of
/// its runs are left.
pub(super) async fn unfinished_like(
    store: &Store,
    request: &Request,
) -> Result<Option<(String, usize)>> {
    let Some(session) = store.latest_session().await? else {
        return Ok(None);
    };
    let Ok(found) = Resumed::read(store, session).await else {
        return Ok(None);
    };
    let like = Request {
        seed: request.seed,
        cells: request.cells,
        repeats: Vec::new(),
        ..found.request.clone()
    };
    let left = found.cells_left().unwrap_or(0);
    Ok((like == *request && left > 0).then_some((found.session.id, left)))
}

fn optional<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "not given".into(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        run: RunArgs,
    }

    fn args(words: &[&str]) -> RunArgs {
        Line::parse_from([&["weir"], words].concat()).run
    }

    fn resumed() -> Resumed {
        Resumed {
            session: Session {
                id: "s".into(),
                command: String::new(),
                seed: 7,
                runtime: "native".into(),
                git_commit: None,
                environment: json!({"machine": {"cores": 2, "kernel": "6.8"}}),
                fingerprint: "a".into(),
                started_at: OffsetDateTime::UNIX_EPOCH,
                completed_at: None,
                plan: None,
            },
            request: Request {
                mode: "full".into(),
                targets: Vec::new(),
                payloads: vec!["4k".into()],
                scenario: None,
                trials: None,
                rate: None,
                seed: 7,
                phase_scale: 1.0,
                cells: Some(2),
                judging: Judging::default(),
                distance: None,
                generators: None,
                repeats: Vec::new(),
                driver: None,
            },
            runs: Vec::new(),
            cut: Vec::new(),
        }
    }

    #[test]
    fn what_is_given_beside_resume_must_be_the_sessions() {
        assert!(resumed().agrees_with(&args(&["--resume"])).is_ok());
        let same = [
            "full",
            "",
            "4k",
            "--seed",
            "7",
            "--runtime",
            "native",
            "--resume",
            "s",
        ];
        assert!(resumed().agrees_with(&args(&same)).is_ok());
        for (words, reason) in [
            (&["smoke"][..], "its mode is full, not smoke"),
            (
                &["full", "producer-rest"],
                "its targets is '', not producer-rest",
            ),
            (&["full", "", "8k"], "its payloads is 4k, not 8k"),
            (
                &["--trials", "3"],
                "its number of trials is not given, not 3",
            ),
            (&["--margin", "5%"], "its margin, primary figure"),
            (&["--seed", "8"], "its seed is 7, not 8"),
            (
                &["--runtime", "docker"],
                "its runtime is native, not docker",
            ),
        ] {
            let error = resumed().agrees_with(&args(words)).unwrap_err();
            assert!(
                error.is::<UsageError>() && error.to_string().contains(reason),
                "{error}"
            );
        }
    }

    #[test]
    fn another_environment_is_refused_with_what_differs() {
        assert!(resumed().require_same("a", &json!({})).is_ok());
        let now = json!({"machine": {"cores": 4, "kernel": "6.8"}, "lab": "x"});
        let error = resumed().require_same("b", &now).unwrap_err().to_string();
        assert!(
            error.contains("lab was not there and is x; machine.cores was 2 and is 4"),
            "{error}"
        );
        assert!(!error.contains("kernel"), "{error}");
    }
}
