//! The ratio and its confidence interval, by inverting the signed rank test (Hodges and Lehmann).

use serde::Serialize;

use crate::signed_rank::interval_place;

/// A confidence interval of a ratio: both ends are ratios, above zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// The ratio 1 is not in the interval.
    pub fn excludes_one(self) -> bool {
        self.low > 1.0 || self.high < 1.0
    }

    /// The whole interval lies within `1 / (1 + margin) ..= 1 + margin`.
    pub fn is_within(self, margin: f64) -> bool {
        self.low >= 1.0 / (1.0 + margin) && self.high <= 1.0 + margin
    }

    /// The interval of the ratio the other way round.
    #[must_use]
    pub fn inverted(self) -> Self {
        Self {
            low: 1.0 / self.high,
            high: 1.0 / self.low,
        }
    }
}

/// The Walsh averages of the rounds: the mean of each pair of differences, each with itself too, sorted.
#[derive(Clone, Debug)]
pub struct Walsh {
    rounds: usize,
    averages: Vec<f64>,
}

impl Walsh {
    /// All `n (n + 1) / 2` averages: memory grows with the square of the rounds.
    pub fn of(differences: &[f64]) -> Self {
        let mut averages = Vec::with_capacity(differences.len() * (differences.len() + 1) / 2);
        for (index, first) in differences.iter().enumerate() {
            averages.extend(
                differences[index..]
                    .iter()
                    .map(|second| (first + second) / 2.0),
            );
        }
        averages.sort_unstable_by(f64::total_cmp);
        Self {
            rounds: differences.len(),
            averages,
        }
    }

    /// The ratio: `exp` of the median of the averages. `None` without rounds.
    pub fn ratio(&self) -> Option<f64> {
        let count = self.averages.len();
        let upper = *self.averages.get(count / 2)?;
        let middle = if count % 2 == 1 {
            upper
        } else {
            (self.averages[count / 2 - 1] + upper) / 2.0
        };
        Some(middle.exp())
    }

    /// The interval at `1 - alpha`; `None` where this many rounds have none at that level.
    pub fn interval(&self, alpha: f64) -> Option<Interval> {
        let place = interval_place(self.rounds, alpha);
        if place == 0 {
            return None;
        }
        let count = self.averages.len();
        // At levels near 0 the two ends meet in the middle.
        let place = place.min(count.div_ceil(2));
        Some(Interval {
            low: self.averages[place - 1].exp(),
            high: self.averages[count - place].exp(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // D = ln 1, ln 2, ln 4: the averages are ln of 1, 2^.5, 2, 2, 2^1.5, 4; the median is ln 2.
        let walsh = Walsh::of(&[0.0, 2.0_f64.ln(), 4.0_f64.ln()]);
        assert!((walsh.ratio().unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(
            walsh.interval(0.05),
            None,
            "three rounds have no interval at 95 %"
        );
        // P(W <= 0) = 1/8: at 75 % the interval is the whole range.
        let whole = walsh.interval(0.25).unwrap();
        assert!((whole.low - 1.0).abs() < 1e-12 && (whole.high - 4.0).abs() < 1e-12);
        assert_eq!(Walsh::of(&[]).ratio(), None);
    }

    #[test]
    fn one_and_the_margin() {
        let of = |low, high| Interval { low, high };
        assert!(of(1.01, 1.2).excludes_one() && of(0.5, 0.99).excludes_one());
        assert!(!of(1.0, 1.2).excludes_one() && !of(0.9, 1.1).excludes_one());
        assert!(of(0.98, 1.03).is_within(0.03) && !of(0.97, 1.0).is_within(0.03));
        assert!(!of(1.0, 1.031).is_within(0.03));
        assert_eq!(of(0.5, 2.0).inverted(), of(0.5, 2.0));
    }
}
