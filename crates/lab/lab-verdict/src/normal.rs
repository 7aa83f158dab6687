//! The standard normal distribution.

use std::f64::consts::{PI, SQRT_2};

/// Probability of a value above `z`.
pub fn upper(z: f64) -> f64 {
    libm::erfc(z / SQRT_2) / 2.0
}

/// Density at `z`.
pub fn density(z: f64) -> f64 {
    (-z * z / 2.0).exp() / (2.0 * PI).sqrt()
}

/// The `z` above which the probability is `share` (0 < share < 1).
pub fn upper_quantile(share: f64) -> f64 {
    // Beyond 38 the probability is below the smallest f64. Bisection ends at the last digit.
    let (mut low, mut high) = (-38.0_f64, 38.0_f64);
    while high - low > 1e-13 {
        let middle = (low + high) / 2.0;
        if upper(middle) > share {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_scipy() {
        // scipy.stats.norm.sf(z), norm.pdf(z)
        let table = [
            (0.0, 0.5, 0.398_942_280_401_432_7),
            (1.0, 0.158_655_253_931_457_05, 0.241_970_724_519_143_37),
            (1.96, 0.024_997_895_148_220_435, 0.058_440_944_333_451_47),
            (5.0, 2.866_515_718_791_933e-7, 1.486_719_514_734_297_7e-6),
        ];
        for (z, tail, height) in table {
            assert!((upper(z) / tail - 1.0).abs() < 1e-12, "{z}");
            assert!((density(z) / height - 1.0).abs() < 1e-12, "{z}");
        }
        assert!((upper_quantile(0.025) - 1.959_963_984_540_054).abs() < 1e-11);
        assert!((upper_quantile(0.2) - 0.841_621_233_572_914_3).abs() < 1e-11);
    }
}
