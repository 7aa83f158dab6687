//! How a session is judged: what was named before its first round, and what became of its rounds.

use lab_verdict::looks::{DEFAULT_LOOKS, FIRST_LOOK_ROUNDS, Look, MAX_LOOKS, ROUNDS_A_LOOK};
use serde::{Deserialize, Serialize};

use crate::error::RequestError;
use crate::scenario::Scenario;

/// What the second name of a target in an A/A session ends with.
pub const AA_SUFFIX: &str = "-aa";

/// Named before the first round and stored with the session's plan, so that its report judges by it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Judging {
    /// Ratios within `1 / (1 + margin) ..= 1 + margin` count as equal; none: the report's default.
    pub margin: Option<f64>,
    /// The figure that decides; none: all do.
    pub primary: Option<Figure>,
    /// Name of the target with which the others are compared; none: all pairs.
    pub reference: Option<String>,
    /// The session is judged while its rounds come in and ends once every comparison is decided.
    pub until_decided: bool,
    /// With `until_decided`: rounds at the last look; none: those of the default plan.
    pub max_rounds: Option<u32>,
    /// One target is measured under two names.
    pub aa: bool,
    /// With `until_decided`: the look at which the session ended, from 1; none while it runs.
    pub ended_at_look: Option<usize>,
}

/// A figure that targets are compared in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// Successes a second, in a closed model.
    Rate,
    /// CPU of the service for each success, at a fixed rate.
    Cpu,
    /// 99th percentile of the latency, at a fixed rate.
    P99,
}

/// A round that was run again, because one of its runs was not valid.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Repeat {
    /// What the round measures.
    pub scenario: Scenario,
    /// Under which payload.
    pub payload: String,
    /// Trial number of the planned round that it stands for.
    pub of: u32,
    /// The planned trial after which it runs.
    pub after: u32,
}

impl Figure {
    /// As the command line writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Cpu => "cpu",
            Self::P99 => "p99",
        }
    }
}

impl Judging {
    /// Looks of the plan; none where the session is judged once.
    ///
    /// # Errors
    /// `max_rounds` is the number of rounds of no look.
    pub fn looks(&self) -> Result<Option<usize>, RequestError> {
        match (self.until_decided, self.max_rounds) {
            (false, None) => Ok(None),
            (false, Some(_)) => Err(RequestError(
                "--max-rounds bounds a session that runs until it is decided: add --until-decided"
                    .into(),
            )),
            (true, None) => Ok(Some(DEFAULT_LOOKS)),
            (true, Some(rounds)) => {
                let beyond = (rounds as usize).checked_sub(FIRST_LOOK_ROUNDS);
                let looks = beyond
                    .filter(|more| more % ROUNDS_A_LOOK == 0)
                    .map(|more| more / ROUNDS_A_LOOK + 1)
                    .filter(|looks| *looks <= MAX_LOOKS);
                looks.map(Some).ok_or_else(|| {
                    RequestError(format!(
                        "--max-rounds {rounds}: the session is judged after {FIRST_LOOK_ROUNDS}, {}, {}, ... {} rounds; name one of these",
                        FIRST_LOOK_ROUNDS + ROUNDS_A_LOOK,
                        FIRST_LOOK_ROUNDS + 2 * ROUNDS_A_LOOK,
                        rounds_at(MAX_LOOKS),
                    ))
                })
            }
        }
    }

    /// The look that is due after `rounds` planned rounds; none where none is.
    #[must_use]
    pub fn look_after(&self, rounds: u32) -> Option<Look> {
        let of = self.looks().ok().flatten()?;
        (1..=of)
            .filter_map(|number| Look::new(number, of))
            .find(|look| look.rounds() == rounds as usize)
    }

    /// The look by which the session's report judges; none where it is judged once.
    #[must_use]
    pub fn look(&self) -> Option<Look> {
        let of = self.looks().ok().flatten()?;
        // A session that was stopped on its way is judged as at its last look.
        Look::new(self.ended_at_look.unwrap_or(of), of)
    }
}

/// Rounds at a look, from 1.
#[must_use]
pub fn rounds_at(look: usize) -> usize {
    FIRST_LOOK_ROUNDS + ROUNDS_A_LOOK * look.saturating_sub(1)
}

/// The name under which an A/A session lists its target, without what tells both apart.
#[must_use]
pub fn measured_name(name: &str) -> &str {
    name.strip_suffix(AA_SUFFIX).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(max_rounds: Option<u32>) -> Judging {
        Judging {
            until_decided: true,
            max_rounds,
            ..Judging::default()
        }
    }

    #[test]
    fn looks_come_after_8_10_and_so_on() {
        assert_eq!(until(None).looks().unwrap(), Some(7));
        assert_eq!(until(Some(8)).looks().unwrap(), Some(1));
        assert_eq!(until(Some(12)).looks().unwrap(), Some(3));
        for wrong in [6, 9, 108] {
            let error = until(Some(wrong)).looks().unwrap_err().to_string();
            assert!(
                error.contains(&format!("--max-rounds {wrong}: ")),
                "{error}"
            );
        }
        let due: Vec<u32> = (1..=20)
            .filter(|n| until(None).look_after(*n).is_some())
            .collect();
        assert_eq!(due, [8, 10, 12, 14, 16, 18, 20]);
        assert_eq!(Judging::default().looks().unwrap(), None);
    }

    #[test]
    fn a_bound_without_what_it_bounds_is_refused() {
        let judging = Judging {
            max_rounds: Some(8),
            ..Judging::default()
        };
        let error = judging.looks().unwrap_err().to_string();
        assert!(error.contains("add --until-decided"), "{error}");
    }

    #[test]
    fn the_report_judges_by_the_look_at_which_the_session_ended() {
        let mut judging = until(None);
        assert_eq!(judging.look().map(Look::number), Some(7));
        judging.ended_at_look = Some(2);
        assert_eq!(judging.look().map(Look::rounds), Some(10));
        assert_eq!(Judging::default().look(), None);
    }
}
