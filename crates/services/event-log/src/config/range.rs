//! Durations within bounds, and the durability, as settings.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use group_commit::Durability;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A duration from `allowed`, which the refusal names.
pub(super) fn within(text: &str, allowed: RangeInclusive<Duration>) -> Result<Duration, String> {
    let duration = runtime::config::duration(text)?;
    if allowed.contains(&duration) {
        return Ok(duration);
    }
    let [least, most] =
        [allowed.start(), allowed.end()].map(|bound| humantime::format_duration(*bound));
    Err(format!("must be from {least} to {most}"))
}

/// The wait for an answer.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(1)..=DAY)
}

/// Durability by its name.
pub(crate) fn durability() -> impl TypedValueParser<Value = Durability> {
    let values = Durability::ALL.map(|one| PossibleValue::new(one.name()).help(one.promise()));
    PossibleValuesParser::new(values)
        .try_map(|name| Durability::named(&name).ok_or("no such durability"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_refused_with_the_range() {
        assert_eq!(timeout("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(timeout("0s"), Err("must be from 1ms to 1day".to_owned()));
        assert_eq!(timeout("2days"), Err("must be from 1ms to 1day".to_owned()));
    }
}
