//! Holm's step-down correction for several comparisons.

/// What the correction says about one comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The p-value times the comparisons that were left at its step, at least that of every smaller one, at most 1.
    pub p_holm: f64,
    /// The level at which its step was tested. Testing stops at the first comparison that is not rejected; it and all
    /// after it share that step's level.
    pub level: f64,
    /// The comparison was rejected: its difference is significant.
    pub rejected: bool,
}

/// Tests all p-values together, smallest first. `level_of(left)` is the level at which a p-value is tested when `left`
/// comparisons are left, itself among them: `alpha / left` in a session that is judged once.
pub fn steps(p_values: &[f64], mut level_of: impl FnMut(usize) -> f64) -> Vec<Step> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let nothing = Step {
        p_holm: 1.0,
        level: 0.0,
        rejected: false,
    };
    let mut steps = vec![nothing; p_values.len()];
    let mut largest = 0.0_f64;
    let mut stopped_at = None;
    for (place, index) in order.into_iter().enumerate() {
        let left = p_values.len() - place;
        let p = p_values[index];
        largest = largest.max((p * left as f64).min(1.0));
        let level = stopped_at.unwrap_or_else(|| level_of(left));
        // The exact test has few p-values, and a level such as 0.05 / 3 is not exact in binary.
        let rejected = stopped_at.is_none() && p <= level * (1.0 + 1e-12);
        if !rejected {
            stopped_at = Some(level);
        }
        steps[index] = Step {
            p_holm: largest,
            level,
            rejected,
        };
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let steps = steps(&[0.04, 0.01, 0.03], |left| 0.05 / left as f64);
        let corrected: Vec<f64> = steps.iter().map(|s| s.p_holm).collect();
        assert_eq!(corrected, [0.06, 0.03, 0.06]);
        assert!(steps[1].rejected && !steps[2].rejected && !steps[0].rejected);
        // Step 1 at 0.05 / 3; step 2 fails at 0.05 / 2, and 0.04 is shown at that level although 0.04 <= 0.05.
        assert_eq!(steps[1].level, 0.05 / 3.0);
        assert_eq!(steps[2].level, 0.025);
        assert_eq!(steps[0].level, 0.025);
    }

    #[test]
    fn all_rejected_each_at_its_own_step() {
        let steps = steps(&[0.001, 0.002], |left| 0.05 / left as f64);
        assert!(steps.iter().all(|s| s.rejected));
        assert_eq!((steps[0].level, steps[1].level), (0.025, 0.05));
        assert!(super::steps(&[], |_| 0.05).is_empty());
    }
}
