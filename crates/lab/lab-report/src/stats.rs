//! The report's statistics: order statistics, bootstrap intervals, an exact rank test, Holm's correction.
//!
//! Pure functions over slices. The unit of analysis is the trial, so samples are small (4 to some tens):
//! the rank test is exact by counting, not by a normal approximation, as long as that is feasible.

use serde::Serialize;

/// Resamples behind every bootstrap interval.
pub const RESAMPLES: usize = 10_000;
/// Fewest trials per target that a verdict may rest on: 3 against 3 can never reach p < 0.05.
pub const MIN_TRIALS: usize = 4;
/// Level of every test, after correction.
pub const ALPHA: f64 = 0.05;
/// Above this many values in both samples together the rank test uses the normal approximation.
const EXACT_LIMIT: usize = 60;

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// 2.5th percentile of the resampled statistic.
    pub low: f64,
    /// 97.5th percentile of the resampled statistic.
    pub high: f64,
}

/// The quantile `p` (0 to 1) by linear interpolation between order statistics (R's type 7); `None` for no values.
pub fn quantile(values: &[f64], p: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_sorted(&sorted, p)
}

/// The median; `None` for no values.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

fn quantile_sorted(sorted: &[f64], p: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = p.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = position.ceil() as usize;
    let share = position - below as f64;
    Some(sorted[below] + (sorted[above] - sorted[below]) * share)
}

/// Percentile bootstrap interval of the median. `None` under [`MIN_TRIALS`] values.
pub fn bootstrap_median(values: &[f64], seed: u64) -> Option<Interval> {
    if values.len() < MIN_TRIALS {
        return None;
    }
    let mut random = SplitMix64(seed);
    let mut drawn = Vec::new();
    bootstrap(|| random.median_of_resample(values, &mut drawn))
}

/// Percentile bootstrap interval of median(a) / median(b), the samples resampled independently.
/// `None` under [`MIN_TRIALS`] values in either sample.
pub fn bootstrap_ratio(a: &[f64], b: &[f64], seed: u64) -> Option<Interval> {
    if a.len() < MIN_TRIALS || b.len() < MIN_TRIALS {
        return None;
    }
    let mut random = SplitMix64(seed);
    let mut drawn = Vec::new();
    bootstrap(|| {
        let above = random.median_of_resample(a, &mut drawn)?;
        let below = random.median_of_resample(b, &mut drawn)?;
        (below > 0.0).then_some(above / below)
    })
}

fn bootstrap(mut draw: impl FnMut() -> Option<f64>) -> Option<Interval> {
    let mut drawn: Vec<f64> = (0..RESAMPLES).filter_map(|_| draw()).collect();
    drawn.sort_by(f64::total_cmp);
    Some(Interval {
        low: quantile_sorted(&drawn, 0.025)?,
        high: quantile_sorted(&drawn, 0.975)?,
    })
}

/// Two-sided p-value of the Mann-Whitney rank test: exact over all permutations (ties by mid-ranks) up to
/// 60 values together, by the normal approximation beyond. 1 where a sample is empty.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let ranks = doubled_midranks(a, b);
    let observed: usize = ranks[..a.len()].iter().sum();
    // Twice the mean rank sum of `a`: ranks are doubled so that mid-ranks stay whole numbers.
    let mean = a.len() * (a.len() + b.len() + 1);
    let distance = observed.abs_diff(mean);
    if distance == 0 {
        return 1.0;
    }
    if ranks.len() > EXACT_LIMIT {
        return normal_p(&ranks, a.len(), distance as f64);
    }
    exact_p(&ranks, a.len(), mean, distance)
}

/// Share of all choices of `size` ranks whose sum is at least `distance` away from `mean`.
fn exact_p(ranks: &[usize], size: usize, mean: usize, distance: usize) -> f64 {
    let total: usize = ranks.iter().sum();
    // ways[k][s]: in how many ways k of the ranks seen so far sum to s.
    let mut ways = vec![vec![0.0_f64; total + 1]; size + 1];
    ways[0][0] = 1.0;
    for &rank in ranks {
        for k in (1..=size).rev() {
            let (fewer, these) = ways.split_at_mut(k);
            for sum in rank..=total {
                these[0][sum] += fewer[k - 1][sum - rank];
            }
        }
    }
    let all: f64 = ways[size].iter().sum();
    let extreme: f64 = ways[size]
        .iter()
        .enumerate()
        .filter(|(sum, _)| sum.abs_diff(mean) >= distance)
        .map(|(_, count)| count)
        .sum();
    (extreme / all).min(1.0)
}

fn normal_p(doubled_ranks: &[usize], size: usize, distance: f64) -> f64 {
    let n = doubled_ranks.len() as f64;
    let (n1, n2) = (size as f64, n - size as f64);
    // Variance of the rank sum over permutations of these very ranks: holds with ties.
    let mean = doubled_ranks.iter().sum::<usize>() as f64 / n;
    let spread = doubled_ranks
        .iter()
        .map(|rank| (*rank as f64 - mean).powi(2))
        .sum::<f64>()
        / (n - 1.0);
    let deviation = (n1 * n2 / n * spread).sqrt();
    if deviation == 0.0 {
        return 1.0;
    }
    // Continuity: sums of doubled ranks move in steps of two.
    erfc(((distance - 1.0).max(0.0) / deviation) / std::f64::consts::SQRT_2).min(1.0)
}

/// Complementary error function, relative error under 1.2e-7 (Numerical Recipes, erfcc).
fn erfc(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let poly = [
        0.17087277,
        -0.82215223,
        1.48851587,
        -1.13520398,
        0.27886807,
        -0.18628806,
        0.09678418,
        0.37409196,
        1.00002368,
    ];
    let series = poly.iter().fold(0.0, |sum, c| sum * t + c);
    let value = t * (-x * x - 1.26551223 + t * series).exp();
    if x >= 0.0 { value } else { 2.0 - value }
}

/// Twice the rank of each value of `a` then `b` among all of them; equal values share the mean of their ranks.
fn doubled_midranks(a: &[f64], b: &[f64]) -> Vec<usize> {
    let values: Vec<f64> = a.iter().chain(b).copied().collect();
    values
        .iter()
        .map(|value| {
            let below = values.iter().filter(|other| *other < value).count();
            let equal = values.iter().filter(|other| *other == value).count();
            2 * below + equal + 1
        })
        .collect()
}

/// The smallest p-value that the rank test can give for samples of these sizes: 2 in all choices.
pub fn smallest_p(a: usize, b: usize) -> f64 {
    let choices = (1..=a).fold(1.0, |product, k| product * (b + k) as f64 / k as f64);
    (2.0 / choices).min(1.0)
}

/// Fewest trials each at which one of `pairs` comparisons can be significant after correction.
pub fn trials_needed(pairs: usize) -> usize {
    let reachable = |trials: &usize| smallest_p(*trials, *trials) * pairs as f64 <= ALPHA;
    (MIN_TRIALS..100).find(reachable).unwrap_or(100)
}

/// Holm's step-down correction: p-values in the order given, each corrected for all of them together.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|left, right| p_values[*left].total_cmp(&p_values[*right]));
    let mut corrected = vec![1.0; p_values.len()];
    let mut floor = 0.0_f64;
    for (place, index) in order.iter().enumerate() {
        let remaining = (p_values.len() - place) as f64;
        floor = floor.max((p_values[*index] * remaining).min(1.0));
        corrected[*index] = floor;
    }
    corrected
}

/// Steele, Lea and Flood's generator: fixed here so that an interval is the same in every version of every library.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The median of as many values as there are, drawn with replacement into `drawn`.
    fn median_of_resample(&mut self, values: &[f64], drawn: &mut Vec<f64>) -> Option<f64> {
        let count = values.len() as u128;
        drawn.clear();
        // The high half of a 128-bit product: uniform without a division.
        drawn.extend(
            values
                .iter()
                .map(|_| values[((u128::from(self.next()) * count) >> 64) as usize]),
        );
        drawn.sort_unstable_by(f64::total_cmp);
        quantile_sorted(drawn, 0.5)
    }
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
