use super::*;
use crate::walsh::Walsh;

/// Differences without ties, the p-value of SciPy 1.17 (`scipy.stats.wilcoxon(d, method="exact").pvalue`), and for some the
/// ratio by hand in NumPy: `exp(median([(d[i] + d[j]) / 2 for i in range(n) for j in range(i, n)]))`.
type Row = (&'static [f64], f64, Option<f64>);

#[rustfmt::skip]
const UNTIED: &[Row] = &[
        (&[-0.03319], 1.0, None),
        (&[-0.75264, -1.49626], 0.5, None),
        (&[0.36557, -0.28637, 0.06719, 0.34558, 0.97392], 0.1875, None),
        (&[-0.28352, 0.83087, -0.12344, -0.53289, 2.36203, 0.21236], 0.6875, Some(1.2365929784291279)),
        (&[-0.48768, 1.29275, -1.24156, -0.61035, 0.78818, -0.02184, 0.48153, 2.65609], 0.640625, Some(1.330457010329458)),
        (&[1.54706, -1.72186, -0.36217, -0.36578, 0.1514, -0.43719, -1.34796, 1.06855, 0.76478, 1.46334, -2.58355, 0.50148], 0.9697265625, Some(0.9081075139105246)),
        (&[-0.2509, 0.54589, -0.14209, -1.55447, 1.70098, 0.95905, 0.3794, 1.02399, -0.08544, -0.78518, -0.59184, 0.67204, 1.89421, 0.32503, -0.20278, 0.2937, 0.98628, 1.315, -1.05332, -0.0793], 0.21616744995117188, Some(1.321989104875104)),
        (&[0.68112, 0.22722, 1.41791, 0.48263, -0.50463, -0.24299, -0.51729, 0.95973, 0.37357, -0.98528, 1.18245, -1.58626, -1.75908, 0.61248, 0.63425, 1.63955, -0.34292, 0.60078, 2.965, 0.49438, 0.61896, -0.15175, 0.9872, 0.74313, 0.59523, -0.78936, -0.36194, 0.77189, 1.63283, -0.01812], 0.047259049490094185, None),
        (&[1.4549, -1.04692, 0.0192, 0.81978, 0.5085, 2.56073, 0.00667, 0.03548, -2.42231, -0.18276, -0.26393, 1.16334, -0.03936, 0.30536, 2.33965, 0.26455, -1.21906, 0.41178, -0.58844, -0.03928, -0.80276, 0.17281, -0.90512, 0.93002, 0.84713, -0.31535, -0.83304, 0.89935, -0.33426, 1.9844, 0.74265, 2.17447, 1.11534, 0.62757, 0.79988, 0.32739, 0.27552, 0.147, 0.80095, 1.24238, -1.08113, 2.30789, 0.87359, -0.88572, 0.21066, 1.06481, -0.13391, 0.85814, 0.10176, 0.22897, 0.07095, 0.53282, -0.26406, -2.03799, -0.514, 0.18859, 1.6157, 0.31399, 1.388, -1.2682], 0.02193789832535864, None),
];

/// Differences with ties and zeros, and SciPy's p-value over all patterns of signs:
/// `wilcoxon(d, zero_method="pratt", method=PermutationMethod(n_resamples=10**7)).pvalue`.
#[rustfmt::skip]
const TIED: &[(&[f64], f64)] = &[
        (&[-0.25, 0.25, -0.0, 0.25], 1.0),
        (&[0.5, 0.5, 0.25, 0.25, 0.0, 0.0], 0.125),
        (&[0.25, 0.25, -0.0, -0.25, -0.25, -0.0, 0.25, 0.0], 1.0),
        (&[-0.5, -0.0, -0.0, 0.25, 0.0, 0.0, 0.5, -0.0, 0.0, 0.25], 0.625),
        (&[0.5, -0.0, -0.0, 0.5, 0.25, 0.0, -0.0, 0.25, 0.0, -0.0, -0.5, 0.25], 0.21875),
];

fn close(found: f64, expected: f64) -> bool {
    (found / expected - 1.0).abs() < 1e-11
}

#[test]
fn exact_values_of_scipy() {
    for (differences, p, ratio) in UNTIED {
        let found = p_value(differences).unwrap();
        assert!(
            close(found, *p),
            "n = {}: {found}, SciPy {p}",
            differences.len()
        );
        if let Some(ratio) = ratio {
            let found = Walsh::of(differences).ratio().unwrap();
            assert!(
                close(found, *ratio),
                "n = {}: {found}, NumPy {ratio}",
                differences.len()
            );
        }
    }
}

#[test]
fn ties_and_zeros_as_scipy_permutes_them() {
    for (differences, p) in TIED {
        let found = p_value(differences).unwrap();
        assert!(close(found, *p), "{differences:?}: {found}, SciPy {p}");
    }
    assert_eq!(p_value(&[0.0; 9]), Some(1.0), "all zero");
    assert_eq!(p_value(&[]), None);
}

#[test]
fn all_rounds_one_way_is_two_patterns_of_all() {
    for rounds in 1..=60 {
        let differences: Vec<f64> = (1..=rounds).map(f64::from).collect();
        let found = p_value(&differences).unwrap();
        assert!(close(found, 2.0_f64.powi(1 - rounds)), "{rounds}: {found}");
    }
}

#[test]
fn beyond_sixty_rounds_the_normal_approximation_of_scipy() {
    // d = [((37 * i) % 101) - shift for i in range(1, 101)]; wilcoxon(d, method="approx", correction=True).pvalue
    for (shift, p) in [(44.7, 0.061183381673693756), (40.7, 0.0023563856480415153)] {
        let differences: Vec<f64> = (1..=100).map(|i| f64::from(37 * i % 101) - shift).collect();
        let found = p_value(&differences).unwrap();
        assert!(close(found, p), "{shift}: {found}, SciPy {p}");
    }
    // The interval changes over to the approximation without a step.
    let exact = interval_place(EXACT_ROUNDS, 0.05);
    let next = interval_place(EXACT_ROUNDS + 1, 0.05);
    assert!((1..=30).contains(&(next - exact)), "{exact} {next}");
}

#[test]
fn places_of_the_interval() {
    let table = [
        (
            0.05,
            [
                (5, 0),
                (6, 1),
                (7, 3),
                (8, 4),
                (9, 6),
                (10, 9),
                (12, 14),
                (20, 53),
            ],
        ),
        (
            0.025,
            [
                (5, 0),
                (6, 0),
                (7, 1),
                (8, 3),
                (9, 4),
                (10, 6),
                (12, 11),
                (20, 46),
            ],
        ),
    ];
    for (alpha, places) in table {
        for (rounds, place) in places {
            assert_eq!(
                interval_place(rounds, alpha),
                place,
                "{rounds} rounds at {alpha}"
            );
        }
    }
}
