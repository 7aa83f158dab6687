//! The recorded environment as lines of a table, and where sessions differ in it.

use std::collections::BTreeMap;

use metrics_db::Session;
use serde_json::Value;

use super::model::{Fingerprint, Setting};

/// Sessions by fingerprint, in the order met.
pub fn fingerprints(sessions: &[&Session]) -> Vec<Fingerprint> {
    let mut found: Vec<Fingerprint> = Vec::new();
    for session in sessions {
        match found
            .iter_mut()
            .find(|known| known.value == session.fingerprint)
        {
            Some(known) => known.sessions.push(session.id.clone()),
            None => found.push(Fingerprint {
                value: session.fingerprint.clone(),
                sessions: vec![session.id.clone()],
            }),
        }
    }
    found
}

/// The environment of each fingerprint, flattened to dotted keys; differing values side by side.
pub fn settings(sessions: &[&Session], fingerprints: &[Fingerprint]) -> Vec<Setting> {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (column, fingerprint) in fingerprints.iter().enumerate() {
        let Some(session) = sessions
            .iter()
            .find(|session| session.fingerprint == fingerprint.value)
        else {
            continue;
        };
        for (key, value) in flat(&session.environment) {
            let values = lines.entry(key).or_default();
            values.resize(column, "–".to_owned());
            values.push(value);
        }
    }
    lines
        .into_iter()
        .map(|(key, mut values)| {
            values.resize(fingerprints.len(), "–".to_owned());
            let differs = values.iter().any(|value| *value != values[0]);
            Setting {
                key,
                values,
                differs,
            }
        })
        .collect()
}

/// The settings in an environment by their dotted keys, in words.
#[must_use]
pub fn flat(environment: &Value) -> Vec<(String, String)> {
    let mut flat = Vec::new();
    flatten(String::new(), environment, &mut flat);
    flat
}

fn flatten(path: String, value: &Value, into: &mut Vec<(String, String)>) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                flatten(below(key), value, into);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (place, item) in items.iter().enumerate() {
                flatten(below(&place.to_string()), item, into);
            }
        }
        Value::Array(items) => {
            into.push((path, items.iter().map(text).collect::<Vec<_>>().join(", ")))
        }
        Value::Object(_) => {}
        other => into.push((path, text(other))),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;

    fn session(id: &str, fingerprint: &str, environment: Value) -> Session {
        Session {
            id: id.to_owned(),
            command: String::new(),
            seed: 0,
            runtime: "native".to_owned(),
            git_commit: None,
            environment,
            fingerprint: fingerprint.to_owned(),
            started_at: OffsetDateTime::UNIX_EPOCH,
            completed_at: None,
            plan: None,
        }
    }

    #[test]
    fn differing_environments_stand_side_by_side() {
        let a = session(
            "a",
            "1",
            json!({"k6": "1.1.0", "limits": {"cpus": 2}, "modules": ["x", "y"]}),
        );
        let b = session(
            "b",
            "2",
            json!({"k6": "1.2.0", "limits": {"cpus": 2}, "extra": null}),
        );
        let c = session("c", "1", a.environment.clone());
        let sessions = [&a, &b, &c];
        let prints = fingerprints(&sessions);
        assert_eq!(prints.len(), 2);
        assert_eq!(prints[0].sessions, ["a", "c"]);
        let lines: Vec<(String, Vec<String>, bool)> = settings(&sessions, &prints)
            .into_iter()
            .map(|s| (s.key, s.values, s.differs))
            .collect();
        let line = |key: &str, left: &str, right: &str, differs| {
            (
                key.to_owned(),
                vec![left.to_owned(), right.to_owned()],
                differs,
            )
        };
        assert_eq!(
            lines,
            [
                line("extra", "–", "–", false),
                line("k6", "1.1.0", "1.2.0", true),
                line("limits.cpus", "2", "2", false),
                line("modules", "x, y", "–", true),
            ]
        );
    }
}
