//! Ranks of the sizes of differences, with ties.

/// Differences closer than this count as equal: they are logarithms, so it is a relative difference of the ratios, far
/// below what any instrument resolves and above what rounding does to two ratios that are equal as fractions.
pub const TIE: f64 = 1e-12;

/// Twice the rank of each `|difference|` among all of them, smallest first; equal ones share the mean of their ranks,
/// which is why the ranks are doubled: they stay whole numbers.
pub fn doubled_midranks(differences: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..differences.len()).collect();
    order.sort_by(|a, b| differences[*a].abs().total_cmp(&differences[*b].abs()));
    let mut ranks = vec![0; differences.len()];
    let mut start = 0;
    while start < order.len() {
        let first = differences[order[start]].abs();
        let mut end = start + 1;
        while end < order.len() && differences[order[end]].abs() - first <= TIE {
            end += 1;
        }
        // The ranks start+1 ..= end; twice their mean is the sum of the first and the last.
        for index in &order[start..end] {
            ranks[*index] = start + 1 + end;
        }
        start = end;
    }
    ranks
}

/// The difference is zero: this round says nothing about the direction.
pub fn is_zero(difference: f64) -> bool {
    difference.abs() <= TIE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_the_mean_of_their_ranks() {
        assert_eq!(doubled_midranks(&[0.3, -0.1, 0.2]), [6, 2, 4]);
        assert_eq!(doubled_midranks(&[0.2, -0.2, 0.1, 0.5]), [5, 5, 2, 8]);
        assert_eq!(doubled_midranks(&[0.0, 0.0, 0.0]), [4, 4, 4]);
        assert!(doubled_midranks(&[]).is_empty());
    }

    #[test]
    fn ratios_that_are_equal_as_fractions_tie_whatever_rounding_did() {
        // 20/30, 40/60 and 1/1.5 are the same ratio, their logarithms differ in the last digit.
        let differences: Vec<f64> = [(20.0, 30.0), (60.0, 40.0), (0.1, 0.15)]
            .into_iter()
            .filter_map(|(a, b)| crate::log_ratio(a, b))
            .collect();
        assert_eq!(doubled_midranks(&differences), [4, 4, 4]);
    }
}
