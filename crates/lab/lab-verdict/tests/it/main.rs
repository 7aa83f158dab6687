//! Properties of the verdict that hold for any figures.

use lab_verdict::judge::Judgement;
use lab_verdict::{Interval, Judge, Outcome, Settings, log_ratio};
use proptest::prelude::*;

/// Figures of two targets, round by round; some rounds are equal, as counters that tick are.
fn rounds() -> impl Strategy<Value = Vec<(f64, f64)>> {
    let figure = prop_oneof![3 => 0.5..2.0_f64, 1 => (1_u8..9).prop_map(f64::from)];
    prop::collection::vec((figure.clone(), figure), 1..30)
}

fn judged(families: &[Vec<(f64, f64)>]) -> Vec<Judgement> {
    let differences: Vec<Vec<f64>> = families
        .iter()
        .map(|rounds| {
            rounds
                .iter()
                .filter_map(|(a, b)| log_ratio(*a, *b))
                .collect()
        })
        .collect();
    Judge::new(Settings::default()).family(&differences)
}

fn one(rounds: &[(f64, f64)]) -> Judgement {
    judged(&[rounds.to_vec()]).remove(0)
}

fn close(a: f64, b: f64) -> bool {
    (a / b - 1.0).abs() < 1e-9
}

fn close_intervals(a: Option<Interval>, b: Option<Interval>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => close(a.low, b.low) && close(a.high, b.high),
        (a, b) => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn swapping_the_targets_inverts_the_ratio_and_leaves_p(rounds in rounds()) {
        let swapped: Vec<(f64, f64)> = rounds.iter().map(|(a, b)| (*b, *a)).collect();
        let (one, other) = (one(&rounds), one(&swapped));
        prop_assert_eq!(one.p, other.p);
        prop_assert_eq!(one.outcome, other.outcome);
        prop_assert!(close(one.ratio.unwrap(), 1.0 / other.ratio.unwrap()));
        prop_assert!(close_intervals(one.interval, other.interval.map(Interval::inverted)));
    }

    #[test]
    fn another_unit_and_a_common_factor_per_round_change_nothing(
        rounds in rounds(),
        unit in 1e-6..1e6_f64,
        factors in prop::collection::vec(0.1..10.0_f64, 30),
    ) {
        let before = one(&rounds);
        let scaled: Vec<(f64, f64)> = rounds
            .iter()
            .zip(&factors)
            .map(|((a, b), factor)| (a * unit * factor, b * unit * factor))
            .collect();
        let after = one(&scaled);
        prop_assert_eq!(before.p, after.p);
        prop_assert_eq!(before.outcome, after.outcome);
        prop_assert!(close(before.ratio.unwrap(), after.ratio.unwrap()));
        prop_assert!(close_intervals(before.interval, after.interval));
    }

    #[test]
    fn the_order_of_rounds_changes_nothing(rounds in rounds()) {
        let mut reversed = rounds.clone();
        reversed.reverse();
        let (one, other) = (one(&rounds), one(&reversed));
        prop_assert_eq!(one.p, other.p);
        prop_assert!(close(one.ratio.unwrap(), other.ratio.unwrap()));
    }

    #[test]
    fn outcome_interval_and_p_never_contradict(families in prop::collection::vec(rounds(), 1..6)) {
        for found in judged(&families) {
            let excludes = found.interval.is_some_and(Interval::excludes_one);
            match found.outcome {
                Outcome::Different => {
                    prop_assert!(excludes);
                    prop_assert!(found.p_holm.unwrap() <= 0.05 + 1e-12);
                }
                Outcome::Equal => {
                    prop_assert!(!excludes);
                    prop_assert!(found.equality_interval.unwrap().is_within(0.03));
                }
                Outcome::Open => {}
            }
            if let (Some(interval), Some(ratio)) = (found.interval, found.ratio) {
                prop_assert!(interval.low <= ratio * (1.0 + 1e-12) && ratio <= interval.high * (1.0 + 1e-12));
            }
        }
    }
}
