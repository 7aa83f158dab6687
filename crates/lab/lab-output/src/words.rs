//! Figures in words, as the display and the commands show them.

use std::time::Duration;

/// A duration for people: `45 s`, `12 min`, `2 h 05 min`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5999 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `1 run`, `2 runs`.
pub fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// A count with thousands separated: `12,345`.
pub fn thousands(value: f64) -> String {
    lab_verdict::words::thousands(value.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_for_people() {
        assert_eq!(thousands(0.4), "0");
        assert_eq!(thousands(1234567.0), "1,234,567");
        assert_eq!(duration(Duration::from_secs(45)), "45 s");
        assert_eq!(duration(Duration::from_secs(700)), "12 min");
        assert_eq!(duration(Duration::from_secs(7500)), "2 h 05 min");
    }
}
