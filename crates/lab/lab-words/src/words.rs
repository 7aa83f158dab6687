//! Figures in words: thousands separated, three significant digits, percent with a space.

pub use lab_verdict::words::thousands as count;

/// Three significant digits, whole from 100 on, thousands separated: `0.0421`, `6.4`, `42,137`.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    if size >= 99.95 {
        return count(value.round() as i64);
    }
    // Digits after the point that leave three significant ones; below a millionth it is zero for a reader.
    let places = (2 - size.log10().floor() as i32).clamp(0, 8) as usize;
    let text = format!("{value:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A share (0 to 1) in percent, two digits under ten: `61 %`, `2.4 %`, `0.02 %`.
pub fn percent(share: f64) -> String {
    match share.abs() * 100.0 {
        0.0 => "0 %".to_owned(),
        size if size >= 9.95 => format!("{:.0} %", share * 100.0),
        size if size >= 0.95 => format!("{:.1} %", share * 100.0),
        size if size >= 0.005 => format!("{:.2} %", share * 100.0),
        _ => "under 0.01 %".to_owned(),
    }
}

/// A share (0 to 1) that is shown beside its bound: one digit after the point where it is not zero, so that the two do not
/// look equal: `98.5 %`, `80 %`.
pub fn share_by_bound(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    match text.trim_end_matches(".0") {
        "0" if share > 0.0 => "under 0.1 %".to_owned(),
        text => format!("{text} %"),
    }
}

/// The text with its first letter large.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// `1 run`, `3 runs`.
pub fn plural(number: usize, noun: &str) -> String {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{} {noun}s", count(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        let table = [
            (0.0, "0"),
            (0.04213, "0.0421"),
            (0.5, "0.5"),
            (6.4, "6.4"),
            (9.996, "10"),
            (13.04, "13"),
            (61.26, "61.3"),
            (99.96, "100"),
            (148.4, "148"),
            (42_137.2, "42,137"),
            (-1_234.0, "-1,234"),
            (f64::NAN, "–"),
        ];
        for (value, text) in table {
            assert_eq!(figure(value), text, "{value}");
        }
    }

    #[test]
    fn counts_percents_and_lists() {
        assert_eq!(count(8_421_332), "8,421,332");
        assert_eq!(count(-100), "-100");
        assert_eq!(percent(0.612), "61 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.024), "2.4 %");
        assert_eq!(percent(0.0002), "0.02 %");
        assert_eq!(share_by_bound(0.985), "98.5 %");
        assert_eq!(share_by_bound(0.8), "80 %");
        assert_eq!(share_by_bound(0.0002), "under 0.1 %");
        assert_eq!(share_by_bound(0.0), "0 %");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(plural(1, "run"), "1 run");
        assert_eq!(plural(1200, "run"), "1,200 runs");
    }
}
