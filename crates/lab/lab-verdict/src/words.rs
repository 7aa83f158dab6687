//! Figures of a verdict in words, with digits enough to be true: a ratio that differs from 1 is never printed as 1.

use crate::judge::{Judgement, Settings};
use crate::power;

/// Most decimals that a ratio near 1 is given; closer than that it is 1 for any reader.
const MOST_DECIMALS: usize = 6;

/// A whole number with commas: 1234567 is `1,234,567`.
pub fn thousands(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Ratios that stand together (an estimate and the ends of its interval), with the same decimals near 1: two, more where
/// one of them would else seem to be 1, fewer from 10 on.
pub fn ratios<const N: usize>(values: [f64; N]) -> [String; N] {
    let near_one = |value: f64| (0.1..9.95).contains(&value);
    let decimals = values
        .iter()
        .filter(|value| near_one(**value))
        .map(|value| decimals_near_one(*value))
        .max()
        .unwrap_or(2);
    values.map(|value| match value {
        value if !value.is_finite() => "–".to_owned(),
        value if near_one(value) => format!("{value:.decimals$}"),
        value if value >= 99.5 => format!("{value:.0}"),
        value if value >= 9.95 => format!("{value:.1}"),
        value if value > 0.0 => {
            let places = (1 - value.log10().floor() as i32).clamp(2, 12) as usize;
            format!("{value:.places$}")
        }
        _ => "0".to_owned(),
    })
}

/// One ratio alone.
pub fn ratio(value: f64) -> String {
    let [text] = ratios([value]);
    text
}

fn decimals_near_one(value: f64) -> usize {
    let tells_apart = |decimals: &usize| {
        let unit = 10_f64.powi(*decimals as i32);
        (value * unit).round() != unit
    };
    if (value - 1.0).abs() < 0.5 * 10_f64.powi(-(MOST_DECIMALS as i32)) {
        return 2;
    }
    (2..=MOST_DECIMALS)
        .find(tells_apart)
        .unwrap_or(MOST_DECIMALS)
}

/// A share (0 to 1) in percent with at least two significant digits and no zeros at its end: `3 %`, `0.25 %`, `14 %`.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let places = if value == 0.0 {
        0
    } else {
        (1 - value.abs().log10().floor() as i32).clamp(0, 6) as usize
    };
    format!("{} %", trimmed(&format!("{value:.places$}")))
}

/// The confidence level of an interval at `1 - alpha`: `95 %`, `97.5 %`, `98.33 %`.
pub fn level(alpha: f64) -> String {
    let value = (1.0 - alpha) * 100.0;
    let places = if value > 99.9 { 4 } else { 2 };
    format!("{} %", trimmed(&format!("{value:.places$}")))
}

/// `p 0.34`, `p 0.0286`, `p < 0.0001`.
pub fn p_value(p: f64) -> String {
    match p {
        p if p < 0.0001 => "p < 0.0001".to_owned(),
        p if p < 0.1 => format!("p {p:.4}"),
        p => format!("p {p:.2}"),
    }
}

fn trimmed(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

/// What would decide an open comparison, one of `comparisons`: `at this spread 20 rounds would find a difference of 18 %`.
pub fn what_would_decide(found: &Judgement, comparisons: usize, settings: &Settings) -> String {
    let least = power::least_rounds(comparisons, settings.alpha);
    if found.rounds < least {
        return format!("a verdict needs at least {least} rounds");
    }
    let Some(spread) = found.spread.filter(|spread| *spread > crate::ranks::TIE) else {
        return "more rounds would be needed".to_owned();
    };
    let of = |rounds| power::detectable(rounds, comparisons, settings.alpha, spread);
    // The margin is the smallest difference that anyone cares for, if it can be had.
    let for_margin =
        power::rounds_needed(settings.margin.ln_1p(), comparisons, settings.alpha, spread);
    let affordable = 100.max(2 * found.rounds);
    match for_margin.filter(|rounds| (found.rounds + 1..=affordable).contains(rounds)) {
        Some(rounds) => format!(
            "at this spread {rounds} rounds would find a difference of {}",
            percent(settings.margin)
        ),
        None => {
            let rounds = 20.max(2 * found.rounds);
            let found = of(rounds).map_or(0.0, f64::exp_m1);
            format!(
                "at this spread {rounds} rounds would find a difference of {}",
                percent(found)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Judge;

    #[test]
    fn a_ratio_that_is_not_one_does_not_look_like_one() {
        assert_eq!(ratios([1.14, 1.09, 1.2]), ["1.14", "1.09", "1.20"]);
        assert_eq!(ratios([1.004, 1.001, 1.02]), ["1.004", "1.001", "1.020"]);
        assert_eq!(ratio(1.0), "1.00");
        assert_eq!(ratio(0.9996), "0.9996");
        assert_eq!(ratio(1.000_02), "1.00002");
        assert_eq!(ratios([26.44, 9.0, 148.2]), ["26.4", "9.00", "148"]);
        assert_eq!(ratio(0.0123), "0.012");
        assert_eq!(ratio(f64::INFINITY), "–");
    }

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
            (-100, "-100"),
            (-1_000, "-1,000"),
        ] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn levels_shares_and_p() {
        assert_eq!(level(0.05), "95 %");
        assert_eq!(level(0.025), "97.5 %");
        assert_eq!(level(0.05 / 3.0), "98.33 %");
        assert_eq!(level(0.000_5), "99.95 %");
        assert_eq!(percent(0.03), "3 %");
        assert_eq!(percent(0.0025), "0.25 %");
        assert_eq!(percent(0.142), "14 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(p_value(0.000_488_28), "p 0.0005");
        assert_eq!(p_value(0.000_01), "p < 0.0001");
        assert_eq!(p_value(0.341), "p 0.34");
    }

    #[test]
    fn what_would_decide_names_rounds() {
        let settings = Settings::default();
        let judged = |differences: &[f64]| Judge::new(settings).family(&[differences]).remove(0);
        let few = judged(&[0.1, 0.2, 0.3]);
        assert_eq!(
            what_would_decide(&few, 1, &settings),
            "a verdict needs at least 6 rounds"
        );
        let noisy = judged(&[0.3, -0.2, 0.4, -0.3, 0.1, -0.4, 0.2, -0.1]);
        let text = what_would_decide(&noisy, 2, &settings);
        assert!(
            text.starts_with("at this spread 20 rounds would find a difference of 2"),
            "{text}"
        );
        let quiet = judged(&[0.03, -0.02, 0.04, -0.03, 0.01, -0.04, 0.02, -0.01]);
        let text = what_would_decide(&quiet, 1, &settings);
        assert!(
            text.ends_with("rounds would find a difference of 3 %"),
            "{text}"
        );
        let flat = judged(&[0.1; 8]);
        assert_eq!(
            what_would_decide(&flat, 1, &settings),
            "more rounds would be needed"
        );
    }
}
