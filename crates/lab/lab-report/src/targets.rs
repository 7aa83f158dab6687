//! The targets of a report: who they are, and what of each was built.

use serde_json::Value;

use super::input::{RunRows, SessionRows};
use super::model::Target;
use super::scenarios;

/// The targets of these runs. By name, so that a target keeps its colour whatever the order of a session; REST before gRPC, as
/// people say it.
pub(super) fn of(all: &[(&SessionRows, &RunRows)]) -> Vec<Target> {
    let mut found: Vec<Target> = Vec::new();
    for (session, rows) in all {
        let run = &rows.run;
        let place = found.iter().position(|target| target.name == run.api_name);
        let place = place.unwrap_or_else(|| {
            found.push(target(rows));
            found.len() - 1
        });
        add_build(&mut found[place], session);
    }
    found.sort_by_key(|target| {
        (
            scenarios::place(&target.scenario),
            target.protocol != "rest",
            target.name.clone(),
        )
    });
    for (color, target) in found.iter_mut().enumerate() {
        target.color = color;
    }
    found
}

fn target(rows: &RunRows) -> Target {
    let run = &rows.run;
    Target {
        name: run.api_name.clone(),
        scenario: run.scenario.clone(),
        protocol: run.protocol.clone(),
        language: run.language.clone(),
        framework: run.framework.clone(),
        driver: run.driver.clone(),
        database_driver: None,
        pool_size: None,
        builds: Vec::new(),
        commits: Vec::new(),
        memory_allowed_mb: None,
        color: 0,
    }
}

/// What the session's environment and plan know of the target.
fn add_build(target: &mut Target, rows: &SessionRows) {
    let session = &rows.session;
    let named = |value: Option<&Value>| Some(value?.get(&target.name)?.clone());
    let own = named(session.environment.pointer("/lab/targets")).unwrap_or(Value::Null);
    let planned = session
        .plan
        .as_ref()
        .and_then(|plan| plan.get("database_drivers"));
    if let Some(Value::String(driver)) = named(planned) {
        target.database_driver.get_or_insert(driver);
    }
    let pool = own.get("pool_size").and_then(Value::as_i64);
    target.pool_size = target.pool_size.or(pool);
    let allowed = own.pointer("/limits/memory_bytes").and_then(number);
    let machine = session.environment.pointer("/machine/memory_mb");
    let allowed = allowed
        .map(|bytes| bytes / (1024.0 * 1024.0))
        .or(machine.and_then(number));
    target.memory_allowed_mb = target.memory_allowed_mb.or(allowed);
    let build = ["binary_sha256", "image"]
        .iter()
        .find_map(|key| own.get(key)?.as_str());
    for (known, new) in [
        (&mut target.builds, build),
        (&mut target.commits, session.git_commit.as_deref()),
    ] {
        if let Some(new) = new.filter(|new| known.iter().all(|known| known != new)) {
            known.push(new.to_owned());
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    let text = || value.as_str()?.parse().ok();
    value.as_f64().or_else(text)
}
