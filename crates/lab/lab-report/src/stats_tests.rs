use super::*;

fn close(left: f64, right: f64, tolerance: f64) {
    assert!(
        (left - right).abs() <= tolerance,
        "{left} is not within {tolerance} of {right}"
    );
}

#[test]
fn quantiles_interpolate_between_order_statistics() {
    let table: [(&[f64], f64, Option<f64>); 7] = [
        (&[], 0.5, None),
        (&[7.0], 0.5, Some(7.0)),
        (&[3.0, 1.0, 2.0], 0.5, Some(2.0)),
        (&[4.0, 1.0, 3.0, 2.0], 0.5, Some(2.5)),
        (&[4.0, 1.0, 3.0, 2.0], 0.25, Some(1.75)),
        (&[1.0, 2.0], 0.0, Some(1.0)),
        (&[1.0, 2.0], 1.0, Some(2.0)),
    ];
    for (values, p, expected) in table {
        assert_eq!(quantile(values, p), expected, "{values:?} at {p}");
    }
}

/// Reference values: R 4.3, wilcox.test(a, b, exact = TRUE), and by hand where there are ties.
#[test]
fn rank_test_matches_known_p_values() {
    let table: [(&[f64], &[f64], f64); 7] = [
        (&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 0.1),
        (&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0], 2.0 / 70.0),
        (&[1.0, 2.0, 3.0, 5.0], &[4.0, 6.0, 7.0, 8.0], 4.0 / 70.0),
        (&[1.0, 4.0], &[2.0, 3.0], 1.0),
        (&[1.0, 1.0, 1.0, 1.0], &[1.0, 1.0, 1.0, 1.0], 1.0),
        // Ranks 1, 2.5 against 2.5, 4: four of the six choices are as far from the mean.
        (&[1.0, 2.0], &[2.0, 3.0], 4.0 / 6.0),
        (&[], &[1.0], 1.0),
    ];
    for (a, b, expected) in table {
        close(mann_whitney(a, b), expected, 1e-12);
        close(mann_whitney(b, a), expected, 1e-12);
    }
}

#[test]
fn the_normal_approximation_joins_the_exact_test() {
    // 35 against 35, shifted a little: beyond the exact limit; the same ranks counted exactly must agree.
    let a: Vec<f64> = (0..35).map(|i| f64::from(i) * 2.0).collect();
    let b: Vec<f64> = (0..35).map(|i| f64::from(i) * 2.0 + 9.0).collect();
    let ranks = doubled_midranks(&a, &b);
    let mean = a.len() * (a.len() + b.len() + 1);
    let distance = ranks[..a.len()].iter().sum::<usize>().abs_diff(mean);
    close(
        mann_whitney(&a, &b),
        exact_p(&ranks, a.len(), mean, distance),
        0.003,
    );
}

#[test]
fn three_against_three_can_never_be_significant_and_four_can() {
    assert!(mann_whitney(&[1.0, 2.0, 3.0], &[7.0, 8.0, 9.0]) > ALPHA);
    assert!(mann_whitney(&[1.0, 2.0, 3.0, 4.0], &[7.0, 8.0, 9.0, 10.0]) < ALPHA);
    assert_eq!(
        bootstrap_ratio(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0], 1),
        None
    );
    assert_eq!(bootstrap_median(&[1.0, 2.0, 3.0], 1), None);
}

#[test]
fn the_smallest_p_bounds_what_few_trials_can_show() {
    for n in 1..9 {
        let low: Vec<f64> = (0..n).map(f64::from).collect();
        let high: Vec<f64> = (0..n).map(|value| f64::from(value) + 100.0).collect();
        close(
            smallest_p(low.len(), high.len()),
            mann_whitney(&low, &high),
            1e-12,
        );
    }
    close(smallest_p(4, 6), 2.0 / 210.0, 1e-12);
    // Two targets; four of them (6 pairs); two under five payloads (5 pairs).
    assert_eq!([1, 6, 5, 30].map(trials_needed), [4, 5, 5, 7]);
}

#[test]
fn holm_steps_down_and_never_decreases() {
    let table: [(&[f64], &[f64]); 4] = [
        (&[], &[]),
        (&[0.04], &[0.04]),
        (&[0.01, 0.04, 0.03], &[0.03, 0.06, 0.06]),
        (&[0.9, 0.5, 0.02], &[1.0, 1.0, 0.06]),
    ];
    for (raw, expected) in table {
        for (found, wanted) in holm(raw).iter().zip(expected) {
            close(*found, *wanted, 1e-12);
        }
    }
}

#[test]
fn intervals_repeat_with_the_seed_and_hold_the_ratio() {
    let a = [160.0, 158.0, 161.0, 163.0, 157.0, 159.5, 162.0, 160.5];
    let b = [100.0, 101.0, 99.0, 98.0, 102.0, 100.5, 99.5, 100.2];
    let interval = bootstrap_ratio(&a, &b, 4711).unwrap();
    assert_eq!(Some(interval), bootstrap_ratio(&a, &b, 4711));
    assert_ne!(Some(interval), bootstrap_ratio(&a, &b, 4712));
    assert!(
        interval.low > 1.55 && interval.low < 1.602 && interval.high > 1.6 && interval.high < 1.65,
        "{interval:?}"
    );
    let one = bootstrap_median(&a, 4711).unwrap();
    assert!(
        one.low >= 157.0 && one.low < 160.25 && one.high > 160.25 && one.high <= 163.0,
        "{one:?}"
    );
}

/// Coverage of the 95 % interval of a ratio that is known to be 1, over 150 invented experiments of 8 trials.
#[test]
fn intervals_cover_the_truth_about_as_often_as_they_say() {
    let mut random = SplitMix64(7);
    let mut noisy = || {
        // Sum of 12 uniforms less 6: near enough to a normal deviate.
        let normal: f64 = (0..12)
            .map(|_| random.next() as f64 / u64::MAX as f64)
            .sum::<f64>()
            - 6.0;
        1000.0 * (1.0 + 0.05 * normal)
    };
    let mut covered = 0;
    for experiment in 0..150 {
        let a: Vec<f64> = (0..8).map(|_| noisy()).collect();
        let b: Vec<f64> = (0..8).map(|_| noisy()).collect();
        let interval = bootstrap_ratio(&a, &b, experiment).unwrap();
        covered += usize::from(interval.low <= 1.0 && interval.high >= 1.0);
    }
    let share = f64::from(u32::try_from(covered).unwrap()) / 150.0;
    assert!((0.88..=0.995).contains(&share), "{share}");
}
