//! Wilcoxon's signed rank test over rounds: exact, with ties and zeros.
//!
//! Under the null hypothesis each round's difference is as likely positive as negative. All `2^n` patterns of signs are
//! counted by dynamic programming over the sums of ranks, which takes microseconds where listing them would take days.

use crate::normal;
use crate::ranks::{doubled_midranks, is_zero};

/// Rounds up to which the distribution is exact; beyond, the normal approximation with a continuity correction is used.
pub const EXACT_ROUNDS: usize = 60;

/// Two-sided p-value of the differences of the rounds. Zeros are ranked with the others and have no sign (Pratt's
/// treatment). 1 where all are zero; `None` without rounds.
pub fn p_value(differences: &[f64]) -> Option<f64> {
    if differences.is_empty() {
        return None;
    }
    let ranks = doubled_midranks(differences);
    let signed = || {
        let both = ranks.iter().zip(differences);
        both.filter(|(_, d)| !is_zero(**d))
    };
    let weights: Vec<usize> = signed().map(|(rank, _)| *rank).collect();
    let total: usize = weights.iter().sum();
    let positive: usize = signed().filter(|(_, d)| **d > 0.0).map(|(r, _)| *r).sum();
    // Twice the distance of the sum from its mean, total / 2.
    let distance = (2 * positive).abs_diff(total);
    if distance == 0 {
        return Some(1.0);
    }
    if differences.len() > EXACT_ROUNDS {
        return Some(normal_p(&weights, distance));
    }
    let beyond = distribution(&weights)
        .iter()
        .enumerate()
        .filter(|(sum, _)| (2 * sum).abs_diff(total) >= distance)
        .map(|(_, probability)| probability)
        .sum::<f64>();
    Some(beyond.min(1.0))
}

/// Probability of each sum that the positive ones of `weights` can have, when each is positive with probability 1/2.
fn distribution(weights: &[usize]) -> Vec<f64> {
    let total: usize = weights.iter().sum();
    let mut probability = vec![0.0_f64; total + 1];
    probability[0] = 1.0;
    let mut reached = 0;
    for &weight in weights {
        reached += weight;
        for sum in (0..=reached).rev() {
            let with = if sum >= weight {
                probability[sum - weight]
            } else {
                0.0
            };
            // Halving is exact in binary, so no rounding builds up.
            probability[sum] = (probability[sum] + with) / 2.0;
        }
    }
    probability
}

/// `distance` is twice that of the doubled rank sum from its mean.
fn normal_p(weights: &[usize], distance: usize) -> f64 {
    // In units of plain ranks: distance / 4. The variance holds with ties and with zeros left out.
    let deviation = weights
        .iter()
        .map(|w| (*w as f64 / 2.0).powi(2))
        .sum::<f64>()
        .sqrt()
        / 2.0;
    let from_mean = distance as f64 / 4.0;
    (2.0 * normal::upper((from_mean - 0.5).max(0.0) / deviation)).min(1.0)
}

/// The largest p-value over `rounds` rounds without ties that is at most `alpha`; 0 where there is none.
pub fn largest_p_within(rounds: usize, alpha: f64) -> f64 {
    let bound = alpha / 2.0 * (1.0 + 1e-12);
    let tail = lower_tails(rounds)
        .take_while(|below| *below <= bound)
        .last();
    2.0 * tail.unwrap_or(0.0)
}

/// Number of values `v` of the rank sum with `P(W <= v) <= alpha / 2` over `rounds` rounds without ties: the place, from
/// either end of the sorted Walsh averages, at which the confidence interval at `1 - alpha` stands. 0: there is none.
pub fn interval_place(rounds: usize, alpha: f64) -> usize {
    // A level such as 0.05 / 3 is not exact in binary.
    let bound = alpha / 2.0 * (1.0 + 1e-12);
    if rounds > EXACT_ROUNDS {
        let n = rounds as f64;
        let (mean, deviation) = (
            n * (n + 1.0) / 4.0,
            (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt(),
        );
        let last = mean - 0.5 - normal::upper_quantile(bound.min(0.5)) * deviation;
        return if last < 0.0 { 0 } else { last as usize + 1 };
    }
    lower_tails(rounds)
        .take_while(|below| *below <= bound)
        .count()
}

/// `P(W <= 0)`, `P(W <= 1)` and so on, over `rounds` rounds without ties.
fn lower_tails(rounds: usize) -> impl Iterator<Item = f64> {
    let weights: Vec<usize> = (1..=rounds).collect();
    distribution(&weights)
        .into_iter()
        .scan(0.0, |sum, probability| {
            *sum += probability;
            Some(*sum)
        })
}

#[cfg(test)]
#[path = "signed_rank_tests.rs"]
mod tests;
