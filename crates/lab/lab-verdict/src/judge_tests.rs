use super::*;

/// `rounds` differences around `middle` that alternate by `wobble`.
fn around(middle: f64, wobble: f64, rounds: usize) -> Vec<f64> {
    let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
    (0..rounds)
        .map(|i| middle + wobble * sign(i) * (1.0 + i as f64 / 100.0))
        .collect()
}

fn judge(margin: f64) -> Judge {
    Judge::new(Settings {
        margin,
        ..Settings::default()
    })
}

fn one(differences: &[f64], margin: f64) -> Judgement {
    judge(margin).family(&[differences]).remove(0)
}

#[test]
fn three_outcomes() {
    let apart = one(&around(0.2, 0.05, 12), 0.03);
    assert_eq!(apart.outcome, Outcome::Different);
    assert!(apart.interval.is_some_and(Interval::excludes_one));
    let alike = one(&around(0.0, 0.01, 12), 0.03);
    assert_eq!(alike.outcome, Outcome::Equal);
    let unclear = one(&around(0.0, 0.3, 12), 0.03);
    assert_eq!(unclear.outcome, Outcome::Open);
    assert_eq!(
        one(&around(0.0, 0.3, 12), 0.6).outcome,
        Outcome::Equal,
        "a wider margin"
    );
}

#[test]
fn a_small_difference_that_is_certain_is_a_difference() {
    let found = one(&around(0.01, 0.004, 12), 0.03);
    assert_eq!(found.outcome, Outcome::Different);
    assert!(
        found.interval.unwrap().is_within(0.03),
        "by less than the margin"
    );
}

#[test]
fn five_rounds_never_find_a_difference() {
    let found = one(&around(0.5, 0.01, 5), 0.03);
    assert_eq!((found.outcome, found.interval), (Outcome::Open, None));
    assert_eq!(found.p, Some(0.0625));
    let nothing = one(&[], 0.03);
    assert_eq!((nothing.rounds, nothing.p, nothing.ratio), (0, None, None));
    assert_eq!(nothing.outcome, Outcome::Open);
}

#[test]
fn a_comparison_without_rounds_is_not_counted_by_the_correction() {
    let differences = around(0.2, 0.05, 12);
    let found = judge(0.03).family(&[&differences[..], &[]]);
    assert_eq!(found[0].p_holm, found[0].p);
    assert_eq!(found[0].alpha, 0.05);
}

#[test]
fn ties_can_part_p_and_interval_and_then_nothing_is_claimed() {
    // Six rounds one way and three zeros: p = 2 / 64, and the interval without ties ends at 1.
    let differences = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0, 0.0, 0.0];
    let found = one(&differences, 0.03);
    assert!(found.p.unwrap() < 0.05, "{found:?}");
    assert!(!found.interval.unwrap().excludes_one(), "{found:?}");
    assert_eq!(found.outcome, Outcome::Open);
}

#[test]
fn each_interval_stands_at_the_level_of_its_step() {
    let strong = around(0.2, 0.05, 12);
    let weak = around(0.02, 0.05, 12);
    let found = judge(0.03).family(&[&weak[..], &strong[..]]);
    assert_eq!(found[1].alpha, 0.025);
    assert_eq!(found[0].alpha, 0.05, "tested second, alone");
    assert_eq!(found[1].outcome, Outcome::Different);
}

#[test]
fn a_look_is_stricter_than_a_session_that_is_judged_once() {
    // One round of twelve the other way, of the fifth size: p is between the level of the look and 0.05.
    let mut differences: Vec<f64> = (1..=12).map(|i| f64::from(i) / 50.0).collect();
    differences[9] = -differences[9];
    let once = one(&differences, 0.03);
    assert!((0.0138..=0.05).contains(&once.p.unwrap()), "{once:?}");
    assert_eq!(once.outcome, Outcome::Different);
    let mut looking = Judge::new(Settings {
        look: Look::new(3, 7),
        ..Settings::default()
    });
    let looked = looking.family(&[&differences]).remove(0);
    assert_eq!((looked.p, looked.alpha), (once.p, 0.0138));
    assert_eq!(looked.outcome, Outcome::Open);
}
