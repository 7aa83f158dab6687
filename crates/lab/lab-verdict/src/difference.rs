//! One round as one number: the natural logarithm of the ratio of its two figures.

/// `ln(a / b)` of the figures of one round. Ratios multiply, their logarithms add: a factor that slows both targets of a
/// round cancels, and 10 % more and 10 % less are equally far from zero.
///
/// `None` where the round is not intact for this figure: one of them is zero, negative, infinite or not a number.
///
/// Swapping the figures negates the result exactly, which `(a / b).ln()` does not promise.
pub fn log_ratio(a: f64, b: f64) -> Option<f64> {
    let usable = |figure: f64| figure.is_finite() && figure > 0.0;
    if !usable(a) || !usable(b) {
        return None;
    }
    let size = (a.max(b) / a.min(b)).ln();
    // Two figures at either end of the range of f64 have a ratio beyond it.
    size.is_finite().then_some(if a < b { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapping_negates_exactly() {
        for (a, b) in [(1.1, 1.0), (3.0, 7.0), (0.1, 0.3), (1e-9, 1e9), (5.0, 5.0)] {
            assert_eq!(log_ratio(a, b), log_ratio(b, a).map(|d| -d), "{a} {b}");
        }
        assert_eq!(log_ratio(2.0, 1.0), Some(std::f64::consts::LN_2));
    }

    #[test]
    fn a_figure_without_a_logarithm_leaves_the_round_out() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(log_ratio(bad, 1.0), None, "{bad}");
            assert_eq!(log_ratio(1.0, bad), None, "{bad}");
        }
        assert_eq!(log_ratio(f64::MAX, f64::MIN_POSITIVE), None);
    }
}
