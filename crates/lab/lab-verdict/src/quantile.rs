//! Order statistics: quantiles, the median and its exact interval.

use crate::walsh::Interval;

/// The quantile `p` (0 to 1) by linear interpolation between order statistics (R's type 7); `None` for no values.
pub fn quantile(values: &[f64], p: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let position = p.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = position.ceil() as usize;
    let share = position - below as f64;
    Some(sorted[below] + (sorted[above] - sorted[below]) * share)
}

/// The median; `None` for no values.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The exact interval of the median at 95 % or a little more, whatever the distribution: the k-th value from either end, k
/// the number of `v` with `P(B <= v) <= 2.5 %` for a binomial `B` of half. `None` under six values.
pub fn median_interval(values: &[f64]) -> Option<Interval> {
    let n = values.len();
    let mut ways = 0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX));
    let mut below = 0.0;
    let mut place = 0;
    // Beyond some thousand trials the first terms vanish in f64; nobody runs that many.
    while place < n {
        below += ways;
        if below > 0.025 {
            break;
        }
        ways *= (n - place) as f64 / (place + 1) as f64;
        place += 1;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (place > 0 && place <= n / 2 + 1 && below > 0.025).then(|| Interval {
        low: sorted[place - 1],
        high: sorted[n - place],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_by_linear_interpolation() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        // numpy.quantile([1, 2, 3, 4, 5], [0, .1, .9, 1])
        let values = [5.0, 4.0, 3.0, 2.0, 1.0];
        for (p, expected) in [(0.0, 1.0), (0.1, 1.4), (0.9, 4.6), (1.0, 5.0)] {
            let found = quantile(&values, p).unwrap();
            assert!((found - expected).abs() < 1e-12, "{p}: {found}");
        }
    }

    #[test]
    fn the_interval_of_a_median_is_made_of_its_values() {
        let of = |n: u32| {
            let values: Vec<f64> = (1..=n).map(f64::from).collect();
            median_interval(&values).map(|found| (found.low, found.high))
        };
        // scipy.stats.binom.cdf: the ranks of the tables in textbooks.
        assert_eq!(of(5), None);
        assert_eq!(of(6), Some((1.0, 6.0)));
        assert_eq!(of(8), Some((1.0, 8.0)));
        assert_eq!(of(9), Some((2.0, 8.0)));
        assert_eq!(of(12), Some((3.0, 10.0)));
        assert_eq!(of(20), Some((6.0, 15.0)));
    }
}
