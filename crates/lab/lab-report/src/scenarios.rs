//! The scenarios of a report: what belongs together, and in which words it is told.

use super::input::{RunRows, SessionRows};
use super::model::{RunInfo, ScenarioInfo, Target, Words};
use lab_model::scenario::{Scenario, Terms};

/// Payload names, smallest first; names that are not known come after, as met.
const PAYLOADS: [&str; 5] = ["default", "4k", "8k", "32k", "64k"];

/// The words for a scenario of the metrics database.
pub(super) fn terms(scenario: &str) -> Terms {
    Scenario::parse(scenario)
        .unwrap_or(Scenario::Ingest)
        .terms()
}

/// The order of scenarios on a page.
pub(super) fn place(scenario: &str) -> usize {
    Scenario::ALL
        .iter()
        .position(|known| known.as_str() == scenario)
        .unwrap_or(Scenario::ALL.len())
}

/// The scenarios of these runs, with their targets and the names of their payloads.
pub(super) fn of(all: &[(&SessionRows, &RunRows)], targets: &[Target]) -> Vec<ScenarioInfo> {
    let mut names: Vec<&str> = Vec::new();
    for (_, rows) in all {
        if !names.contains(&rows.run.scenario.as_str()) {
            names.push(&rows.run.scenario);
        }
    }
    names.sort_by_key(|name| place(name));
    let several = names.len() > 1;
    names
        .iter()
        .map(|name| {
            let mut payloads: Vec<&str> = Vec::new();
            for (_, rows) in all.iter().filter(|(_, rows)| rows.run.scenario == *name) {
                if !payloads.contains(&rows.run.payload_size.as_str()) {
                    payloads.push(&rows.run.payload_size);
                }
            }
            payloads.sort_by_key(|payload| {
                let known = PAYLOADS.iter().position(|known| known == payload);
                known.unwrap_or(PAYLOADS.len())
            });
            ScenarioInfo {
                name: (*name).to_owned(),
                unit: terms(name).unit,
                payloads: payloads
                    .iter()
                    .map(|payload| shown(name, payload, several))
                    .collect(),
                targets: (0..targets.len())
                    .filter(|t| targets[*t].scenario == *name)
                    .collect(),
            }
        })
        .collect()
}

/// How a payload is called: by the scenario too where there are several.
fn shown(scenario: &str, payload: &str, several: bool) -> String {
    match (several, payload) {
        (false, _) => payload.to_owned(),
        (true, "default") => scenario.to_owned(),
        (true, _) => format!("{scenario} {payload}"),
    }
}

/// Gives the runs the payload names of their scenarios, so that figures never mix what is not compared.
pub(super) fn label(runs: &mut [RunInfo], scenarios: &[ScenarioInfo]) {
    let several = scenarios.len() > 1;
    for run in runs {
        run.payload = shown(&run.scenario, &run.payload, several);
        for row in &mut run.phases {
            row.payload.clone_from(&run.payload);
        }
    }
}

/// The words of one scenario, or words that fit all of several.
pub(super) fn words(scenarios: &[ScenarioInfo]) -> Words {
    let all: Vec<Terms> = scenarios
        .iter()
        .map(|scenario| terms(&scenario.name))
        .collect();
    let joined = |of: fn(&Terms) -> String| {
        let parts: Vec<String> = all.iter().map(of).collect();
        parts.join("; ")
    };
    match &all[..] {
        [] => words_of(&Scenario::Ingest.terms()),
        [only] => words_of(only),
        _ => Words {
            group: "scenario",
            rate: joined(Terms::rate),
            one: "a request or an event".to_owned(),
            counted: "counted".to_owned(),
            found: "found".to_owned(),
            latency: joined(|terms| terms.latency.to_owned()),
        },
    }
}

fn words_of(terms: &Terms) -> Words {
    Words {
        group: if *terms == Scenario::Own.terms() {
            "scenario"
        } else {
            "payload"
        },
        rate: terms.rate(),
        one: terms.one(),
        counted: terms.counted.to_owned(),
        found: terms.found.to_owned(),
        latency: terms.latency.to_owned(),
    }
}

/// The rows of one scenario, without samples: enough for its verdict.
pub(super) fn only(rows: &[SessionRows], scenario: &str) -> Vec<SessionRows> {
    rows.iter()
        .map(|session| SessionRows {
            session: session.session.clone(),
            runs: session
                .runs
                .iter()
                .filter(|rows| rows.run.scenario == scenario)
                .map(|rows| RunRows {
                    samples: Vec::new(),
                    ..rows.clone()
                })
                .collect(),
        })
        .collect()
}
