//! Reading what compose answers.

use serde_json::Value;

use crate::variables::Variables;

/// A number that may be written as text.
pub(super) fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// The variables of a service in what `config` answers, which writes `$` twice so that it can be read again.
pub(super) fn told(config: &Value, service: &str) -> Variables {
    let variables = config["services"][service]["environment"].as_object();
    let set = variables.into_iter().flatten().filter_map(|(name, value)| {
        let value = value.as_str()?.replace("$$", "$");
        Some((name.clone(), value))
    });
    set.collect()
}

/// The lines `NAME=value` of `config --environment`.
pub(super) fn assignments(text: &str) -> Variables {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
