//! How names, times and commands are written in `weir.toml`.

use crate::file::Words;

/// A name that stands in file names, in k6's tags and in command lines.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// A text goes to the shell, which hands the process over to the program: one process to sample and to stop.
pub(super) fn words(command: &Words) -> Vec<String> {
    match command {
        Words::List(words) => words.clone(),
        Words::Shell(text) => vec!["sh".into(), "-c".into(), format!("exec {text}")],
    }
}

/// The remedy for a name that is none.
pub(super) const NAME_RULE: &str = "use 1 to 64 letters, digits, '-', '_' and '.'";

/// `250ms`, `2s`, `1m` in milliseconds.
pub(super) fn milliseconds(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().ok()?;
    let scale = match &text[digits.len()..] {
        "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        _ => return None,
    };
    (number > 0.0 && number.is_finite()).then_some(number * scale)
}
