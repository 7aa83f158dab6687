//! The whole test over a family of comparisons, and its three outcomes.

use serde::{Deserialize, Serialize};

use crate::looks::{LevelTable, Look};
use crate::walsh::{Interval, Walsh};
use crate::{holm, signed_rank};

/// What may be said of two targets. There is no fourth: that nothing was found is not that nothing is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The test rejects equality and the interval excludes 1.
    Different,
    /// The interval at `1 - 2 alpha` lies within the margin.
    Equal,
    /// Neither: more rounds, or quieter ones, would decide it.
    Open,
}

/// How strict the verdict is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Probability that a family of comparisons in which all targets are equal names a difference (0 to 1).
    pub alpha: f64,
    /// Targets whose ratio is certainly within `1 / (1 + margin) ..= 1 + margin` are called equal.
    pub margin: f64,
    /// The session grows and is judged several times; this is which time. `None`: it is judged once.
    pub look: Option<Look>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            margin: 0.03,
            look: None,
        }
    }
}

/// What was found for one comparison of `a` with `b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Rounds that are intact for it.
    pub rounds: usize,
    /// `a / b`: the Hodges-Lehmann estimate. `None` without rounds.
    pub ratio: Option<f64>,
    /// Its interval at `1 - alpha`; `None` where the rounds are too few for one.
    pub interval: Option<Interval>,
    /// Its interval at `1 - 2 alpha`, by which equality is judged.
    pub equality_interval: Option<Interval>,
    /// The level at which the correction tested it: `alpha` of both intervals.
    pub alpha: f64,
    /// Two-sided p-value alone. `None` without rounds.
    pub p: Option<f64>,
    /// The same corrected with the family by Holm.
    pub p_holm: Option<f64>,
    /// What may be said.
    pub outcome: Outcome,
    /// Standard deviation of the differences of the rounds; `None` with fewer than two.
    pub spread: Option<f64>,
}

/// Judges families of comparisons under the same settings.
#[derive(Clone, Debug)]
pub struct Judge {
    settings: Settings,
    levels: LevelTable,
}

impl Judge {
    /// A judge with these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            levels: LevelTable::default(),
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Judges the comparisons of one family together: for each the differences of its intact rounds
    /// ([`crate::log_ratio`]). The results are in the same order. A comparison without rounds is not counted.
    pub fn family<D: AsRef<[f64]>>(&mut self, family: &[D]) -> Vec<Judgement> {
        let p_values: Vec<Option<f64>> = family
            .iter()
            .map(|differences| signed_rank::p_value(differences.as_ref()))
            .collect();
        let judged: Vec<f64> = p_values.iter().flatten().copied().collect();
        let mut steps = holm::steps(&judged, |left| self.level(left)).into_iter();
        family
            .iter()
            .zip(p_values)
            .map(|(differences, p)| {
                let step = p.and_then(|p| Some((p, steps.next()?)));
                self.judgement(differences.as_ref(), step)
            })
            .collect()
    }

    fn level(&mut self, left: usize) -> f64 {
        match self.settings.look {
            Some(look) => self.levels.level(look, left, self.settings.alpha),
            None => self.settings.alpha / left as f64,
        }
    }

    fn judgement(&self, differences: &[f64], step: Option<(f64, holm::Step)>) -> Judgement {
        let Some((p, step)) = step else {
            return Judgement {
                rounds: 0,
                ratio: None,
                interval: None,
                equality_interval: None,
                alpha: self.settings.alpha,
                p: None,
                p_holm: None,
                outcome: Outcome::Open,
                spread: None,
            };
        };
        let walsh = Walsh::of(differences);
        let interval = walsh.interval(step.level);
        let equality_interval = walsh.interval((2.0 * step.level).min(1.0));
        let margin = self.settings.margin;
        let excluded = interval.is_some_and(Interval::excludes_one);
        // With ties p and interval may differ by a rank; then nothing is claimed.
        let outcome = match (step.rejected, excluded) {
            (true, true) => Outcome::Different,
            (false, false) if equality_interval.is_some_and(|i| i.is_within(margin)) => {
                Outcome::Equal
            }
            _ => Outcome::Open,
        };
        Judgement {
            rounds: differences.len(),
            ratio: walsh.ratio(),
            interval,
            equality_interval,
            alpha: step.level,
            p: Some(p),
            p_holm: Some(step.p_holm),
            outcome,
            spread: spread(differences),
        }
    }
}

/// Standard deviation of the differences, over `n - 1`.
pub fn spread(differences: &[f64]) -> Option<f64> {
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
    (differences.len() > 1).then(|| (squares / (n - 1.0)).sqrt())
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
