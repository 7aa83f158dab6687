//! Several generators that make one load together, as `weir run --generators FILE` names them.
//!
//! The load of a session is divided among them by [`split`]: whole virtual users by largest remainder, a rate in proportion.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::FileError;
use crate::modes::Mode;

/// More than this no session needs; a file with more is a mistake.
const MOST: usize = 64;

/// The file, and what a session records of it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Generators {
    /// The address on which services that weir starts listen, so that generators elsewhere reach them.
    #[serde(default = "loopback")]
    pub listen: IpAddr,
    /// By how many milliseconds a generator's clock may differ from weir's, the uncertainty of the comparison included.
    #[serde(default = "most_skew_ms")]
    pub max_skew_ms: f64,
    /// Who makes the load, at least two.
    #[serde(rename = "generator")]
    pub each: Vec<Generator>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Generator {
    /// Unique in the file: lower-case letters, digits and hyphens.
    pub name: String,
    /// What stands before the command that is run there, a word each: `["ssh", "load-1"]`; empty: this machine.
    #[serde(default)]
    pub prefix: Vec<String>,
    /// The program `benchmark` there, of the same build; none: the path that it has on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark: Option<String>,
    /// Name or address of the target's machine as this generator sees it; none: that which weir uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_host: Option<String>,
    /// Threads that make its load, at most one a core of its machine; none: half the cores of weir's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Its part of the load, in proportion to the others' parts.
    #[serde(default = "one")]
    pub share: u32,
}

fn loopback() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}

const fn most_skew_ms() -> f64 {
    100.0
}

const fn one() -> u32 {
    1
}

impl Generators {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The file cannot be read, is no TOML, has a key that is not known, or names generators that cannot share a load.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|error| FileError::at(path, error))?;
        Self::parse(&text).map_err(|problem| FileError::at(path, problem))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let found: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let count = found.each.len();
        if !(2..=MOST).contains(&count) {
            return Err(format!(
                "[[generator]] stands {count} times: name 2 to {MOST} generators; a load from one machine needs no file"
            ));
        }
        if !(found.max_skew_ms > 0.0 && found.max_skew_ms <= 10_000.0) {
            return Err(format!(
                "max_skew_ms = {}: must be more than 0 and at most 10000",
                found.max_skew_ms
            ));
        }
        for (index, one) in found.each.iter().enumerate() {
            let problem =
                |what: &str| Err(format!("generator {} ({}): {what}", index + 1, one.name));
            let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if one.name.is_empty() || one.name.len() > 32 || !one.name.chars().all(is_of_name) {
                return problem("name must be 1 to 32 lower-case letters, digits and hyphens");
            }
            if found.each[..index]
                .iter()
                .any(|other| other.name == one.name)
            {
                return problem("name is used twice");
            }
            if one.prefix.iter().any(String::is_empty) {
                return problem(
                    "prefix has an empty word: give each word of the command, such as [\"ssh\", \"load-1\"]",
                );
            }
            if !(1..=1000).contains(&one.share) {
                return problem("share must be 1 to 1000");
            }
            if one
                .threads
                .is_some_and(|threads| !(1..=256).contains(&threads))
            {
                return problem("threads must be 1 to 256");
            }
            for (key, value) in [
                ("benchmark", &one.benchmark),
                ("target_host", &one.target_host),
            ] {
                if value.as_deref() == Some("") {
                    return problem(&format!("{key} must not be empty: leave it out"));
                }
            }
        }
        Ok(found)
    }

    /// Checks that each of them has something to do in every phase.
    ///
    /// # Errors
    /// The mode is bounded by iterations, or a phase has fewer virtual users than it needs.
    pub fn check(&self, mode: &str, load: &Mode) -> Result<(), String> {
        if !load.is_timed() {
            return Err(format!(
                "--generators: mode {mode} has no phases of a length, so that nothing can begin together: take full, \
                 saturation or compare"
            ));
        }
        for phase in &load.phases {
            let parts = self.split(u64::from(phase.vus));
            if let Some(idle) = parts.iter().position(|part| *part == 0) {
                return Err(format!(
                    "--generators: phase {} of mode {mode} has {} virtual users, which leaves none for generator {}: name fewer \
                     generators, or give it a larger share",
                    phase.name, phase.vus, self.each[idle].name
                ));
            }
        }
        Ok(())
    }

    /// Divides `total` virtual users among the generators.
    #[must_use]
    pub fn split(&self, total: u64) -> Vec<u64> {
        let shares: Vec<u32> = self.each.iter().map(|one| one.share).collect();
        split(total, &shares)
    }

    /// The part of a rate that falls to each, by the virtual users that it has of the phase with the most: each of them then has
    /// as much to do as any other.
    #[must_use]
    pub fn split_rate(&self, rate: f64) -> Vec<f64> {
        let all: u32 = self.each.iter().map(|one| one.share).sum();
        let part = |one: &Generator| rate * f64::from(one.share) / f64::from(all);
        self.each.iter().map(part).collect()
    }
}

/// A clock beside weir's, microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skew {
    /// What it shows less what weir's shows.
    pub offset_us: i64,
    /// By how much the offset may be wrong: half the round trip.
    pub within_us: i64,
}

impl Skew {
    /// By how much the two clocks differ at most, milliseconds.
    #[must_use]
    pub fn at_most_ms(self) -> f64 {
        let at_most_us = self.offset_us.saturating_abs();
        at_most_us.saturating_add(self.within_us) as f64 / 1000.0
    }

    /// From an exchange: asked at `asked_us` on weir's clock, answered with `answer_us`, `round_trip` later. The answer was made
    /// somewhere between, so the difference is that to the middle, give or take half the round trip (RFC 5905, section 8).
    #[must_use]
    pub fn of_exchange(asked_us: i64, answer_us: i64, round_trip: Duration) -> Self {
        let half = i64::try_from(round_trip.as_micros() / 2).unwrap_or(i64::MAX);
        Self {
            offset_us: answer_us.saturating_sub(asked_us.saturating_add(half)),
            // The answer has whole microseconds, and so has half of the round trip.
            within_us: half.saturating_add(2),
        }
    }
}

/// Divides `total` in whole parts in proportion to `shares`, by largest remainder (Hamilton's method): the parts add up to
/// `total`, and none differs from its exact part by 1 or more. Of equal remainders the first gets the next one.
#[must_use]
pub fn split(total: u64, shares: &[u32]) -> Vec<u64> {
    let all: u128 = shares.iter().map(|share| u128::from(*share)).sum();
    if all == 0 {
        return vec![0; shares.len()];
    }
    let exact = |share: u32| u128::from(total) * u128::from(share);
    let whole = |share: u32| u64::try_from(exact(share) / all).unwrap_or(u64::MAX);
    let mut parts: Vec<u64> = shares.iter().map(|share| whole(*share)).collect();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by_key(|index| std::cmp::Reverse(exact(shares[*index]) % all));
    let left = total - parts.iter().sum::<u64>();
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    for index in by_remainder.into_iter().take(left) {
        parts[index] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use lab_verdict::random::SplitMix64;

    use super::*;

    const TWO: &str = r#"
        listen = "10.0.0.1"
        [[generator]]
        name = "near"
        [[generator]]
        name = "far"
        prefix = ["ssh", "load-1"]
        benchmark = "/opt/benchmark"
        target_host = "service-1"
        share = 3
    "#;

    #[test]
    fn a_file_names_who_makes_the_load() {
        let found = Generators::parse(TWO).unwrap();
        assert_eq!((found.each.len(), found.max_skew_ms), (2, 100.0));
        assert_eq!(found.each[0].share, 1);
        assert_eq!(found.each[1].prefix, ["ssh", "load-1"]);
        assert_eq!(found.split(200), [50, 150]);
        assert_eq!(found.split_rate(1000.0), [250.0, 750.0]);
        let stored = serde_json::to_value(&found).unwrap();
        assert_eq!(serde_json::from_value::<Generators>(stored).unwrap(), found);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        for (from, to, named) in [
            ("name = \"far\"", "name = \"near\"", "name is used twice"),
            ("name = \"far\"", "name = \"Far\"", "name must be"),
            ("share = 3", "share = 0", "share must be"),
            (
                "[\"ssh\", \"load-1\"]",
                "[\"ssh\", \"\"]",
                "prefix has an empty word",
            ),
            ("\"10.0.0.1\"", "\"here\"", "listen"),
            ("share = 3", "shar = 3", "shar"),
            (
                "target_host = \"service-1\"",
                "target_host = \"\"",
                "target_host must not be empty",
            ),
            ("listen", "max_skew_ms = -1\nlisten", "max_skew_ms"),
        ] {
            let error = Generators::parse(&TWO.replace(from, to)).unwrap_err();
            assert!(error.contains(named), "{to}: {error}");
        }
        let one = Generators::parse("[[generator]]\nname = \"a\"").unwrap_err();
        assert!(one.contains("stands 1 times"), "{one}");
    }

    #[test]
    fn parts_add_up_and_are_in_proportion() {
        let mut random = SplitMix64::of_stream(3, 0);
        for _ in 0..2_000 {
            let shares: Vec<u32> = (0..1 + random.below(8))
                .map(|_| u32::try_from(1 + random.below(1000)).unwrap())
                .collect();
            let total = random.below(100_000) as u64;
            let parts = split(total, &shares);
            assert_eq!(parts.iter().sum::<u64>(), total, "{shares:?}");
            let all: u32 = shares.iter().sum();
            for (part, share) in parts.iter().zip(&shares) {
                let exact = total as f64 * f64::from(*share) / f64::from(all);
                assert!(
                    (*part as f64 - exact).abs() < 1.0,
                    "{total} {shares:?}: {parts:?}"
                );
            }
        }
        assert_eq!(split(3, &[1, 1]), [2, 1]);
        assert_eq!(split(0, &[1, 1]), [0, 0]);
    }

    #[test]
    fn whatever_the_ways_take_the_true_offset_is_within_the_bound() {
        for offset in [-5_000_000_i64, -3, 0, 40, 7_000] {
            for (there, back) in [(0_i64, 0_i64), (10, 0), (0, 10), (3, 4_000), (900, 901)] {
                let asked = 1_700_000_000_000_000_i64;
                let answer = asked + there + offset;
                let round_trip = Duration::from_micros(u64::try_from(there + back).unwrap());
                let skew = Skew::of_exchange(asked, answer, round_trip);
                assert!(
                    (skew.offset_us - offset).abs() <= skew.within_us,
                    "{offset} {there} {back}: {skew:?}"
                );
                assert!(skew.at_most_ms() * 1000.0 + 0.5 >= offset.abs() as f64);
            }
        }
    }
}
