//! Change points of a series: where its figures begin to be others, by E-divisive (Matteson and James, 2014).
//!
//! The split of a series is where the energy distance between the figures before and after is largest. It is a change where
//! a permutation test says so: the same largest distance over shuffled figures, so that choosing the split is paid for. A
//! change divides the series, and both parts are looked at in the same way. A series without a change gets one test, so the
//! probability of a false alarm is at most the level, whatever the distribution of the figures.
//!
//! Apache Otava (Hunter) takes the same distance and replaces the permutation test by Student's t-test at the chosen split:
//! it is faster, assumes normal figures, and does not pay for the choice.

use crate::quantile::median;
use crate::random::SplitMix64;

/// How strict the search is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// Probability of naming a change in a stretch that has none (0 to 1).
    pub level: f64,
    /// Shuffled series of each test. The smallest p-value is one in `permutations + 1`.
    pub permutations: usize,
    /// Fewest figures on either side of a change.
    pub least: usize,
    /// Seed of the shuffles.
    pub seed: u64,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            level: 0.01,
            permutations: 999,
            least: 3,
            seed: 1,
        }
    }
}

impl Search {
    /// Fewest figures in which a change can be found: those whose two most extreme divisions, of all that a shuffle can
    /// make, are half as frequent as the level, so that the shuffles that were drawn show it too.
    pub fn points_needed(&self) -> usize {
        let least = 2 * self.least.max(1);
        let rare = |points: &usize| {
            let half = points / 2;
            let divisions: f64 = (0..half)
                .map(|i| (points - i) as f64 / (half - i) as f64)
                .product();
            2.0 / divisions <= self.level / 2.0
        };
        (least..1_000).find(rare).unwrap_or(1_000)
    }
}

/// A change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// Index of the first figure after the change.
    pub index: usize,
    /// P-value of its permutation test.
    pub p: f64,
    /// Median from the change before (or the beginning) to this one.
    pub before: f64,
    /// Median from this change to the next (or the end).
    pub after: f64,
}

impl ChangePoint {
    /// Median after to median before.
    pub fn ratio(&self) -> f64 {
        self.after / self.before
    }
}

/// The changes of a series, first one first. Figures are above zero; distances are those of their logarithms, so that a step
/// from 1 to 2 counts as much as one from 100 to 200.
pub fn change_points(figures: &[f64], search: &Search) -> Vec<ChangePoint> {
    let logs: Vec<f64> = figures
        .iter()
        .map(|figure| figure.max(f64::MIN_POSITIVE).ln())
        .collect();
    let mut random = SplitMix64::new(search.seed);
    let mut splits = Vec::new();
    let mut parts = vec![(0, logs.len())];
    while let Some((from, to)) = parts.pop() {
        let Some((at, p)) = split(&logs[from..to], search, &mut random) else {
            continue;
        };
        splits.push((from + at, p));
        // The earlier part is looked at first, so that the shuffles depend on the series alone.
        parts.push((from + at, to));
        parts.push((from, from + at));
    }
    splits.sort_unstable_by_key(|(at, _)| *at);
    let ends = |place: usize| splits.get(place).map_or(figures.len(), |(at, _)| *at);
    splits
        .iter()
        .enumerate()
        .filter_map(|(place, (at, p))| {
            let from = place.checked_sub(1).map_or(0, ends);
            Some(ChangePoint {
                index: *at,
                p: *p,
                before: median(&figures[from..*at])?,
                after: median(&figures[*at..ends(place + 1)])?,
            })
        })
        .collect()
}

/// The most likely change of one part and its p-value; `None` where it is not significant.
fn split(part: &[f64], search: &Search, random: &mut SplitMix64) -> Option<(usize, f64)> {
    let least = search.least.max(1);
    if part.len() < 2 * least {
        return None;
    }
    let (at, seen) = best(part, least)?;
    let mut shuffled = part.to_vec();
    let mut as_large = 1;
    // Enough have been as large: the p-value is above the level whatever the rest says.
    let too_many = search.level * (search.permutations + 1) as f64;
    for _ in 0..search.permutations {
        random.shuffle(&mut shuffled);
        let found = best(&shuffled, least).map_or(0.0, |(_, found)| found);
        // A shuffle that restores the series gives the same sum up to rounding.
        if found >= seen * (1.0 - 1e-9) {
            as_large += 1;
            if f64::from(as_large) > too_many {
                return None;
            }
        }
    }
    let p = f64::from(as_large) / (search.permutations + 1) as f64;
    Some((at, p))
}

/// The split with the largest energy distance between its sides, weighted by their sizes.
fn best(part: &[f64], least: usize) -> Option<(usize, f64)> {
    let n = part.len();
    // Sums of distances within the left side, within the right side, and between both, for a split that moves right.
    let mut within_left = 0.0;
    let mut between = 0.0;
    let mut within_right: f64 = (0..n)
        .map(|i| {
            part[i + 1..]
                .iter()
                .map(|other| (part[i] - other).abs())
                .sum::<f64>()
        })
        .sum();
    let mut found: Option<(usize, f64)> = None;
    for at in 1..=n - least {
        let moved = part[at - 1];
        let to_left: f64 = part[..at - 1]
            .iter()
            .map(|other| (moved - other).abs())
            .sum();
        let to_right: f64 = part[at..].iter().map(|other| (moved - other).abs()).sum();
        within_left += to_left;
        within_right -= to_right;
        between += to_right - to_left;
        if at < least {
            continue;
        }
        let (left, right) = (at as f64, (n - at) as f64);
        let mean_within = |sum: f64, size: f64| match size > 1.0 {
            true => 2.0 * sum / (size * (size - 1.0)),
            false => 0.0,
        };
        let distance = 2.0 * between / (left * right)
            - mean_within(within_left, left)
            - mean_within(within_right, right);
        let weighted = distance * left * right / (left + right);
        if found.is_none_or(|(_, most)| weighted > most) {
            found = Some((at, weighted));
        }
    }
    found.filter(|(_, distance)| *distance > 0.0)
}

#[cfg(test)]
#[path = "change_points_tests.rs"]
mod tests;
