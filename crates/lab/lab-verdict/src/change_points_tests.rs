//! Planted changes are found where they are, and a series without one is left alone.

use super::*;

/// Figures around these levels, each for so many points, with normal noise of `noise` (a share).
fn series(levels: &[(f64, usize)], noise: f64, seed: u64) -> Vec<f64> {
    let mut random = SplitMix64::new(seed);
    let points = levels
        .iter()
        .flat_map(|(level, number)| std::iter::repeat_n(*level, *number));
    points
        .map(|level| level * (noise * random.normal()).exp())
        .collect()
}

fn quick(level: f64) -> Search {
    Search {
        level,
        permutations: 199,
        ..Search::default()
    }
}

#[test]
fn the_distance_is_that_of_the_definition() {
    // Of [0, 0, 0, 1, 1, 1] the split in the middle: 3 * 3 / 6 * (2 * 1 - 0 - 0) = 3.
    let (at, distance) = best(&[0.0, 0.0, 0.0, 1.0, 1.0, 1.0], 1).unwrap();
    assert_eq!(at, 3);
    assert!((distance - 3.0).abs() < 1e-12, "{distance}");
    // By hand over all pairs, for a split that is not in the middle.
    let part: [f64; 5] = [0.3, 1.7, 0.9, 4.0, 4.4];
    let mean = |pairs: Vec<f64>| pairs.iter().sum::<f64>() / pairs.len() as f64;
    let all = |from: &[f64], to: &[f64]| {
        from.iter()
            .flat_map(|a| to.iter().map(move |b| (a - b).abs()))
            .collect::<Vec<_>>()
    };
    let within = |side: &[f64]| {
        let mut pairs = Vec::new();
        for (index, a) in side.iter().enumerate() {
            pairs.extend(side[index + 1..].iter().map(|b| (a - b).abs()));
        }
        mean(pairs)
    };
    let (left, right) = part.split_at(3);
    let expected = 3.0 * 2.0 / 5.0 * (2.0 * mean(all(left, right)) - within(left) - within(right));
    let (at, distance) = best(&part, 2).unwrap();
    assert_eq!(at, 3);
    assert!((distance - expected).abs() < 1e-12, "{distance} {expected}");
}

#[test]
fn planted_changes_are_found_where_they_are() {
    let found = change_points(
        &series(&[(100.0, 15), (110.0, 12), (90.0, 14)], 0.01, 7),
        &quick(0.01),
    );
    let places: Vec<usize> = found.iter().map(|change| change.index).collect();
    assert_eq!(places, [15, 27]);
    assert!((found[0].ratio() - 1.1).abs() < 0.02, "{found:?}");
    assert!((found[1].ratio() - 90.0 / 110.0).abs() < 0.02, "{found:?}");
    assert!(found.iter().all(|change| change.p <= 0.01));
}

#[test]
fn a_change_of_two_deviations_is_found_in_most_series() {
    let hits = (0..100)
        .filter(|seed| {
            let figures = series(&[(100.0, 15), (106.0, 15)], 0.03, *seed);
            let found = change_points(&figures, &quick(0.01));
            matches!(found[..], [only] if only.index.abs_diff(15) <= 2)
        })
        .count();
    assert!(hits >= 80, "{hits} of 100");
}

#[test]
fn a_series_without_a_change_gives_few_false_alarms() {
    for (noise, is_heavy) in [(0.03, false), (0.03, true)] {
        let alarms = (0..400)
            .filter(|seed| {
                let mut figures = series(&[(100.0, 24)], noise, 1000 + seed);
                if is_heavy {
                    // One figure in eight is far off, as a disturbed session's is.
                    figures
                        .iter_mut()
                        .step_by(8)
                        .for_each(|figure| *figure *= 1.4);
                }
                !change_points(&figures, &quick(0.05)).is_empty()
            })
            .count();
        // 5 % of 400 are 20, with a standard deviation of 4.4.
        assert!(alarms <= 34, "{alarms} of 400, heavy: {is_heavy}");
    }
}

#[test]
fn one_figure_that_is_far_off_is_no_change() {
    let mut figures = series(&[(100.0, 20)], 0.01, 3);
    figures[9] = 180.0;
    assert_eq!(change_points(&figures, &quick(0.01)), []);
}

#[test]
fn short_constant_and_empty_series_have_no_change() {
    for figures in [
        &[][..],
        &[1.0],
        &[1.0; 5],
        &[1.0; 40],
        &[1.0, 1.0, 1.0, 2.0, 2.0, 2.0],
    ] {
        assert_eq!(change_points(figures, &quick(0.01)), [], "{figures:?}");
    }
}

#[test]
fn another_unit_changes_nothing_and_the_seed_makes_it_repeatable() {
    let figures = series(&[(100.0, 15), (112.0, 15)], 0.02, 11);
    let found = change_points(&figures, &quick(0.01));
    let in_microseconds: Vec<f64> = figures.iter().map(|figure| figure * 1000.0).collect();
    let places = |found: &[ChangePoint]| found.iter().map(|c| (c.index, c.p)).collect::<Vec<_>>();
    assert_eq!(
        places(&found),
        places(&change_points(&in_microseconds, &quick(0.01)))
    );
    assert_eq!(found, change_points(&figures, &quick(0.01)));
}

#[test]
fn a_step_without_noise_is_found_from_the_points_needed_on() {
    // Divisions of 9, 11 and 12 points into halves: 126, 462, 924.
    let needed = |level: f64| {
        Search {
            level,
            ..Search::default()
        }
        .points_needed()
    };
    assert_eq!((needed(0.05), needed(0.01), needed(0.005)), (9, 11, 12));
    for level in [0.05, 0.01] {
        let search = Search {
            level,
            ..Search::default()
        };
        let half = search.points_needed().div_ceil(2);
        let enough = [vec![1.0; half], vec![2.0; half]].concat();
        assert_eq!(change_points(&enough, &search).len(), 1, "{level}");
        let few = &enough[half - 3..half + 3];
        assert_eq!(change_points(few, &search), [], "{level}");
    }
}
