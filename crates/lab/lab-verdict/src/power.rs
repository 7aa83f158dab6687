//! How many rounds a verdict takes: beforehand, and at the spread that was seen.

use crate::{normal, signed_rank};

/// Probability of finding a difference that the figures below promise.
pub const POWER: f64 = 0.8;
/// Most rounds that [`rounds_needed`] looks for.
pub const MAX_ROUNDS: usize = 10_000;

/// Fewest rounds at which the smallest of `comparisons` p-values can be significant at `alpha`: `2^(1-n) m <= alpha`.
pub fn least_rounds(comparisons: usize, alpha: f64) -> usize {
    let reachable = |rounds: &usize| {
        2.0_f64.powi(1 - *rounds as i32) * comparisons.max(1) as f64 <= alpha * (1.0 + 1e-12)
    };
    (1..1_000).find(reachable).unwrap_or(1_000)
}

/// The difference (in logarithms of the ratio) that `rounds` rounds find in 80 % of sessions, for a standard deviation of
/// `spread` over the rounds and one of `comparisons` comparisons at `alpha`. `None` where so few rounds can find nothing.
///
/// The normal approximation at the level that the exact test really has, with a correction for few rounds that was fitted
/// to a simulation (1 to 45 comparisons, 8 to 60 rounds; within 6 % of it).
pub fn detectable(rounds: usize, comparisons: usize, alpha: f64, spread: f64) -> Option<f64> {
    let level = achieved_level(rounds, alpha / comparisons.max(1) as f64)?;
    let z = normal::upper_quantile(level / 2.0) + normal::upper_quantile(1.0 - POWER);
    let n = rounds as f64;
    // 3 / pi: the efficiency of the test relative to the t-test when differences are normal.
    let large = z / (n * 3.0 / std::f64::consts::PI).sqrt();
    Some(spread * large * (1.0 + 0.65 / n + 7.2 * (z / 2.8).powi(5) / (n * n)))
}

/// The largest significant p-value of the exact test that is at most `alpha`.
fn achieved_level(rounds: usize, alpha: f64) -> Option<f64> {
    if rounds > signed_rank::EXACT_ROUNDS {
        return Some(alpha);
    }
    let level = signed_rank::largest_p_within(rounds, alpha);
    (level > 0.0).then_some(level)
}

/// Fewest rounds that find a `difference` (in logarithms) in 80 % of sessions; `None` beyond [`MAX_ROUNDS`].
pub fn rounds_needed(
    difference: f64,
    comparisons: usize,
    alpha: f64,
    spread: f64,
) -> Option<usize> {
    let enough = |rounds: usize| {
        detectable(rounds, comparisons, alpha, spread).is_some_and(|found| found <= difference)
    };
    let least = least_rounds(comparisons, alpha);
    if let Some(found) = (least..=signed_rank::EXACT_ROUNDS).find(|rounds| enough(*rounds)) {
        return Some(found);
    }
    // Beyond the exact test the detectable difference falls steadily.
    let (mut low, mut high) = (signed_rank::EXACT_ROUNDS.max(least), MAX_ROUNDS);
    if !enough(high) {
        return None;
    }
    while high - low > 1 {
        let middle = (low + high) / 2;
        if enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_rounds_for_each_number_of_comparisons() {
        let table = [
            (1, 6),
            (2, 7),
            (3, 7),
            (4, 8),
            (6, 8),
            (7, 9),
            (12, 9),
            (13, 10),
            (25, 10),
            (26, 11),
            (51, 11),
            (52, 12),
            (102, 12),
        ];
        for (comparisons, rounds) in table {
            assert_eq!(least_rounds(comparisons, 0.05), rounds, "{comparisons}");
        }
    }

    #[test]
    fn detectable_differences_are_those_of_the_simulation() {
        // 80 % power, in standard deviations, as docs/reference/verdict.md has it.
        let table = [
            (8, 1, 1.25),
            (12, 1, 0.95),
            (20, 1, 0.70),
            (8, 2, 1.45),
            (12, 2, 1.05),
            (20, 2, 0.80),
        ];
        for (rounds, comparisons, of_spread) in table {
            let found = detectable(rounds, comparisons, 0.05, 1.0).unwrap();
            assert!(
                (found / of_spread - 1.0).abs() < 0.08,
                "{rounds} {comparisons}: {found}"
            );
        }
        assert_eq!(detectable(5, 1, 0.05, 1.0), None);
        assert_eq!(detectable(7, 4, 0.05, 1.0), None);
    }

    #[test]
    fn rounds_needed_is_the_first_that_suffices() {
        for (difference, spread) in [(0.10, 0.08), (0.03, 0.05), (0.01, 0.05)] {
            let rounds = rounds_needed(difference, 2, 0.05, spread).unwrap();
            assert!(detectable(rounds, 2, 0.05, spread).unwrap() <= difference);
            assert!(detectable(rounds - 1, 2, 0.05, spread).is_none_or(|d| d > difference));
        }
        assert_eq!(rounds_needed(1e-6, 1, 0.05, 1.0), None);
    }
}
