//! The same targets and modes as the lab's own model reads them, so that a session over a user's services is a session like
//! any other.

use serde_json::{Value, json};

use crate::project::{Project, Reach, Ready, Target};
use crate::requests::Protocol;

/// The script that sends prepared requests.
pub const SCRIPT: &str = "own-test.js";

/// `load-test/targets.toml` of these targets.
#[must_use]
pub fn targets(project: &Project) -> String {
    let targets: Vec<Value> = project.targets.iter().map(target).collect();
    // A null is a key that is left out.
    let value = without_nulls(json!({ "target": targets }));
    toml::to_string(&value).unwrap_or_default()
}

fn target(target: &Target) -> Value {
    let mut value = json!({
        "name": target.name,
        "aliases": target.aliases,
        "scenario": "own",
        "protocol": target.protocol.as_str(),
        "script": SCRIPT,
        "language": target.language,
        "framework": target.framework,
        "notes": target.notes,
        "default": target.default,
    });
    match (&target.ready, target.protocol) {
        (Ready::Path(path), _) => value["rest"] = json!({ "path": "/", "health": path }),
        (Ready::Grpc, _) => {
            value["grpc"] =
                json!({ "service": "grpc.health.v1.Health", "method": "Check", "proto": "" })
        }
        (Ready::Tcp, Protocol::Rest | Protocol::Grpc) => {}
    }
    match &target.reach {
        Reach::Url(url) => value["url"] = json!(url),
        Reach::Command {
            words,
            build,
            dir,
            env,
            port,
            port_env,
            container,
        } => {
            value["port"] = json!(port);
            value["native"] = json!({
                "binary": words[0],
                "args": words[1..],
                "build": build,
                "dir": dir,
                "env": env,
                "port_env": port_env,
                "container": container,
            });
        }
    }
    value
}

/// The lab's modes with the project's scenarios in the place of payloads, and its load in mode compare.
#[must_use]
pub fn modes(project: &Project, lab: &str) -> String {
    let mut modes: Value = serde_json::from_str(lab).unwrap_or_default();
    let names = project.scenarios.iter().map(|one| one.name.as_str());
    modes["payloads"] = names.collect();
    // They are of the lab's own scenarios.
    if let Some(all) = modes.as_object_mut() {
        all.remove("workloads");
    }
    let load = &project.load;
    let compare = &mut modes["modes"]["compare"];
    if let Some(trials) = load.trials {
        compare["trials"] = trials.into();
        compare["trialsOfSeveralPayloads"] = trials.into();
    }
    for phase in compare["phases"].as_array_mut().into_iter().flatten() {
        if let Some(rate) = load.rate {
            phase["rate"] = rate.into();
        }
        if let Some(seconds) = load.seconds {
            phase["seconds"] = seconds.into();
        }
        if let Some(users) = load.users {
            phase["vus"] = users.into();
        }
    }
    modes.to_string()
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
