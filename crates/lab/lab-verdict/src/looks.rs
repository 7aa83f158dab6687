//! Levels for a session that is judged several times while its rounds come in.
//!
//! Judging at 5 % each time finds a false winner in 8 sessions of 100. Here the error is spent over the looks as Lan and
//! DeMets spend it in the manner of Pocock: after a share `t` of all rounds, `alpha * ln(1 + (e - 1) t)` of it is used up.
//! Each look's level follows from the joint distribution of the sums of normal differences, integrated step by step
//! (Armitage, McPherson and Rowe).

use std::collections::BTreeMap;

use crate::normal;

/// Rounds at the first look.
pub const FIRST_LOOK_ROUNDS: usize = 8;
/// Rounds between two looks.
pub const ROUNDS_A_LOOK: usize = 2;
/// Looks of a default plan: at 8, 10, ... 20 rounds.
pub const DEFAULT_LOOKS: usize = 7;
/// Most looks that a plan can have.
pub const MAX_LOOKS: usize = 50;

/// Levels at 5 % over the default plan, from a simulation of the exact test, for one and for two comparisons.
const GIVEN: [[f64; DEFAULT_LOOKS]; 2] = [
    [0.0260, 0.0150, 0.0138, 0.0136, 0.0137, 0.0140, 0.0142],
    [0.0132, 0.0070, 0.0063, 0.0062, 0.0061, 0.0062, 0.0063],
];

/// Which look this is, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    number: usize,
    of: usize,
}

impl Look {
    /// Look `number` (from 1) of `of`; `None` where that is no look of a plan of 1 to [`MAX_LOOKS`].
    pub fn new(number: usize, of: usize) -> Option<Self> {
        ((1..=MAX_LOOKS).contains(&of) && (1..=of).contains(&number)).then_some(Self { number, of })
    }

    /// Which look, from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// Looks of the plan.
    pub fn of(self) -> usize {
        self.of
    }

    /// Rounds that the plan has at this look.
    pub fn rounds(self) -> usize {
        FIRST_LOOK_ROUNDS + ROUNDS_A_LOOK * (self.number - 1)
    }
}

/// The level at each look of a plan of `looks`, for a p-value that is one of `comparisons` at an overall level of `alpha`.
pub fn nominal_levels(looks: usize, comparisons: usize, alpha: f64) -> Vec<f64> {
    if looks == DEFAULT_LOOKS && alpha == 0.05 && (1..=GIVEN.len()).contains(&comparisons) {
        return GIVEN[comparisons - 1].to_vec();
    }
    computed_levels(looks, alpha / comparisons.max(1) as f64)
}

/// Levels remembered by comparisons left: each takes milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct LevelTable(BTreeMap<usize, Vec<f64>>);

impl LevelTable {
    pub(crate) fn level(&mut self, look: Look, left: usize, alpha: f64) -> f64 {
        let levels = self
            .0
            .entry(left)
            .or_insert_with(|| nominal_levels(look.of, left, alpha));
        levels[look.number - 1]
    }
}

/// Points of the grid between the two bounds; odd, for Simpson's rule.
const POINTS: usize = 401;

/// The part of the paths that have crossed no bound yet: where their sums are, and how likely.
struct Undecided {
    sums: Vec<f64>,
    /// Density times the weight of Simpson's rule.
    mass: Vec<f64>,
}

impl Undecided {
    fn between(bound: f64, density: impl Fn(f64) -> f64) -> Self {
        let step = 2.0 * bound / (POINTS - 1) as f64;
        let sums: Vec<f64> = (0..POINTS).map(|i| -bound + step * i as f64).collect();
        let weight = |index: usize| match index {
            0 => 1.0,
            last if last == POINTS - 1 => 1.0,
            odd if odd % 2 == 1 => 4.0,
            _ => 2.0,
        };
        let mass = sums
            .iter()
            .enumerate()
            .map(|(index, sum)| density(*sum) * weight(index) * step / 3.0)
            .collect();
        Self { sums, mass }
    }

    /// Probability that the sum is beyond `bound` after `more` further rounds.
    fn crossing(&self, bound: f64, more: f64) -> f64 {
        let each = self.sums.iter().zip(&self.mass);
        2.0 * each
            .map(|(sum, mass)| mass * normal::upper((bound - sum) / more.sqrt()))
            .sum::<f64>()
    }

    fn after(&self, bound: f64, more: f64) -> Self {
        let deviation = more.sqrt();
        Self::between(bound, |at| {
            let each = self.sums.iter().zip(&self.mass);
            each.map(|(sum, mass)| mass * normal::density((at - sum) / deviation) / deviation)
                .sum()
        })
    }
}

fn computed_levels(looks: usize, alpha: f64) -> Vec<f64> {
    let rounds_at = |look: usize| (FIRST_LOOK_ROUNDS + ROUNDS_A_LOOK * look) as f64;
    let last = rounds_at(looks.saturating_sub(1));
    let spent =
        |look: usize| alpha * (1.0 + (std::f64::consts::E - 1.0) * rounds_at(look) / last).ln();
    let mut levels = Vec::with_capacity(looks);
    let mut undecided: Option<Undecided> = None;
    for look in 0..looks {
        let rounds = rounds_at(look);
        let bound = match &undecided {
            None => normal::upper_quantile(spent(0) / 2.0) * rounds.sqrt(),
            Some(paths) => {
                let now = spent(look) - spent(look - 1);
                let (mut low, mut high) = (0.0, 40.0 * rounds.sqrt());
                for _ in 0..60 {
                    let middle = (low + high) / 2.0;
                    if paths.crossing(middle, ROUNDS_A_LOOK as f64) > now {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                (low + high) / 2.0
            }
        };
        levels.push(2.0 * normal::upper(bound / rounds.sqrt()));
        undecided = Some(match &undecided {
            None => Undecided::between(bound, |sum| {
                normal::density(sum / rounds.sqrt()) / rounds.sqrt()
            }),
            Some(paths) => paths.after(bound, ROUNDS_A_LOOK as f64),
        });
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_computed_levels_are_those_of_the_simulation() {
        for (comparisons, given) in [1, 2].into_iter().zip(GIVEN) {
            let computed = computed_levels(DEFAULT_LOOKS, 0.05 / f64::from(comparisons));
            for (mine, given) in computed.iter().zip(given) {
                assert!(
                    (mine - given).abs() < 0.000_25,
                    "{comparisons}: {mine} {given}"
                );
            }
        }
    }

    #[test]
    fn one_look_is_the_plain_test() {
        for comparisons in [1, 3, 10] {
            let levels = nominal_levels(1, comparisons, 0.05);
            assert_eq!(levels.len(), 1);
            assert!(
                (levels[0] - 0.05 / comparisons as f64).abs() < 1e-9,
                "{levels:?}"
            );
        }
    }

    #[test]
    fn more_comparisons_and_more_looks_leave_less_for_each() {
        let of = |looks, comparisons| nominal_levels(looks, comparisons, 0.05);
        for look in 0..7 {
            assert!(of(7, 3)[look] < of(7, 2)[look]);
            assert!(of(7, 4)[look] < of(7, 3)[look]);
        }
        assert!(of(10, 1)[9] < 0.05 && of(10, 1)[0] < of(7, 1)[0]);
    }

    #[test]
    fn a_look_knows_its_rounds_and_refuses_what_no_plan_has() {
        assert_eq!(Look::new(3, 7).map(Look::rounds), Some(12));
        for (number, of) in [(0, 7), (8, 7), (1, 0), (1, MAX_LOOKS + 1)] {
            assert_eq!(Look::new(number, of), None);
        }
    }
}
