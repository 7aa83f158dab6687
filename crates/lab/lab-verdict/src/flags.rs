//! Whether one target's trials were disturbed more often than another's. Where they were, the target itself is what
//! disturbs, and leaving its disturbed trials out would flatter it.

/// Below this p-value the difference in disturbed trials counts as clear.
pub const CLEAR_P: f64 = 0.1;
/// A share of disturbed trials above this is clear whatever the p-value.
pub const CLEAR_SHARE: f64 = 0.25;

/// Trials of a target and how many of them were flagged as disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flagged {
    /// Trials in all.
    pub trials: usize,
    /// Flagged ones among them.
    pub flagged: usize,
}

impl Flagged {
    fn share(self) -> f64 {
        self.flagged as f64 / self.trials.max(1) as f64
    }
}

/// Which of the two was disturbed clearly more often: `Some(true)` for `a`, `Some(false)` for `b`, `None` for neither.
pub fn clearly_more(a: Flagged, b: Flagged) -> Option<bool> {
    let more = if a.share() > b.share() { a } else { b };
    let different = a.share() != b.share();
    let clear = more.share() > CLEAR_SHARE || fisher(a, b) < CLEAR_P;
    (different && clear).then_some(more == a)
}

/// Two-sided p-value of Fisher's exact test: all tables with the same margins that are at most as likely as this one.
pub fn fisher(a: Flagged, b: Flagged) -> f64 {
    let flagged = a.flagged + b.flagged;
    let trials = a.trials + b.trials;
    let lowest = flagged.saturating_sub(b.trials);
    let highest = flagged.min(a.trials);
    let ln_choose = |n: usize, k: usize| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let probability = |of_a: usize| {
        (ln_choose(a.trials, of_a) + ln_choose(b.trials, flagged - of_a)
            - ln_choose(trials, flagged))
        .exp()
    };
    let seen = probability(a.flagged);
    (lowest..=highest)
        .map(probability)
        // Tables that are equally likely may differ in the last digits.
        .filter(|other| *other <= seen * (1.0 + 1e-7))
        .sum::<f64>()
        .min(1.0)
}

fn ln_factorial(n: usize) -> f64 {
    libm::lgamma(n as f64 + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(flagged: usize, trials: usize) -> Flagged {
        Flagged { trials, flagged }
    }

    #[test]
    fn values_of_scipy() {
        // scipy.stats.fisher_exact([[f, n - f], [g, m - g]]).pvalue
        let table = [
            ((0, 12), (1, 12), 1.0),
            ((4, 12), (1, 12), 0.3167701863354037),
            ((0, 40), (6, 40), 0.025546605293440734),
            ((3, 8), (0, 8), 0.2),
            ((7, 9), (2, 11), 0.02155275065491784),
            ((1, 20), (12, 20), 0.00043162501449486987),
            ((0, 5), (0, 5), 1.0),
        ];
        for ((f, n), (g, m), p) in table {
            let found = fisher(of(f, n), of(g, m));
            assert!(
                (found / p - 1.0).abs() < 1e-9,
                "{f}/{n} {g}/{m}: {found} {p}"
            );
        }
    }

    #[test]
    fn clear_by_the_test_or_by_a_quarter() {
        assert_eq!(clearly_more(of(0, 12), of(1, 12)), None);
        assert_eq!(
            clearly_more(of(4, 12), of(1, 12)),
            Some(true),
            "over a quarter"
        );
        assert_eq!(
            clearly_more(of(0, 40), of(6, 40)),
            Some(false),
            "by the test alone"
        );
        assert_eq!(clearly_more(of(6, 12), of(6, 12)), None, "both alike");
        assert_eq!(clearly_more(of(0, 0), of(0, 0)), None);
    }
}
