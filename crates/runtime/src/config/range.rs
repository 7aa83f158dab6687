//! Settings with a range: a value outside is refused at the start, and `--help` shows the range.

use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};

use super::duration::duration;

/// Value parser that accepts only the values of a range. Made by [`count`], [`bytes()`], [`duration_within`] or
/// [`time_limit`].
#[derive(Clone, Debug)]
pub struct Within<T> {
    range: RangeInclusive<T>,
    parse: fn(&str) -> Result<T, String>,
    show: fn(&T) -> String,
}

/// Whole numbers of this range.
pub fn count<T>(range: RangeInclusive<T>) -> Within<T>
where
    T: FromStr<Err: Display> + Display,
{
    Within {
        range,
        parse: number,
        show: T::to_string,
    }
}

/// Sizes of this range, in plain bytes.
pub fn bytes<T>(range: RangeInclusive<T>) -> Within<T>
where
    T: FromStr<Err: Display> + Display,
{
    Within {
        range,
        parse: number,
        show: |bytes| format!("{bytes} bytes"),
    }
}

/// Durations of this range: `500ms`, `10s`, `2m`.
pub fn duration_within(range: RangeInclusive<Duration>) -> Within<Duration> {
    Within {
        range,
        parse: duration,
        show: |duration| {
            humantime::format_duration(*duration)
                .to_string()
                .replace(' ', "")
        },
    }
}

/// Limits on how long something may take: a limit of zero would refuse everything.
pub fn time_limit() -> Within<Duration> {
    duration_within(Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60))
}

fn number<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.trim()
        .parse()
        .map_err(|error: T::Err| error.to_string())
}

impl<T: PartialOrd> Within<T> {
    fn value(&self, text: &str) -> Result<T, String> {
        // A number that its type cannot hold is outside the range too.
        match (self.parse)(text) {
            Ok(value) if self.range.contains(&value) => Ok(value),
            Ok(_) => Err(format!("must be {}", self.shown())),
            Err(reason) => Err(format!("{reason}; must be {}", self.shown())),
        }
    }

    fn shown(&self) -> String {
        let (low, high) = (self.range.start(), self.range.end());
        format!("{} to {}", (self.show)(low), (self.show)(high))
    }
}

/// Marks a [`PossibleValue`] that contains a range instead of a value.
const RANGE: &str = "range";

impl<T: Clone + Send + Sync + PartialOrd + Debug + 'static> TypedValueParser for Within<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<T, clap::Error> {
        let within = self.clone();
        let parser = move |text: &str| within.value(text);
        parser.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let range = PossibleValue::new(RANGE).help(self.shown());
        Some(Box::new(std::iter::once(range)))
    }
}

/// Adds each setting's range to its help.
pub(super) fn shown_in_help(command: Command) -> Command {
    command
        .mut_args(|arg| match &arg.get_possible_values()[..] {
            [only] if only.get_name() == RANGE => {
                let with_range = |help: &dyn Display| {
                    format!(
                        "{help} [range: {}]",
                        only.get_help().cloned().unwrap_or_default()
                    )
                };
                let help = arg.get_help().map(|help| with_range(help));
                let long = arg.get_long_help().map(|help| with_range(help));
                let mut arg = arg.hide_possible_values(true);
                if let Some(help) = help {
                    arg = arg.help(help);
                }
                if let Some(long) = long {
                    arg = arg.long_help(long);
                }
                arg
            }
            _ => arg,
        })
        .mut_subcommands(shown_in_help)
}
