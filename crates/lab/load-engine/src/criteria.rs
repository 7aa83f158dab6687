//! What a load has to reach, and whether it did.

use std::fmt::Write as _;

use serde::Serialize;

/// One criterion with its figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Criterion {
    /// What is asked for, e.g. `p99 at 50 in flight`.
    pub what: String,
    /// The bound with its unit, e.g. `under 100 ms`.
    pub bound: String,
    /// The figure with its unit.
    pub measured: String,
    /// Whether it is met.
    pub met: bool,
}

impl Criterion {
    /// A criterion with its figure.
    pub fn new(
        what: impl Into<String>,
        bound: impl Into<String>,
        measured: impl Into<String>,
        met: bool,
    ) -> Self {
        Self {
            what: what.into(),
            bound: bound.into(),
            measured: measured.into(),
            met,
        }
    }
}

/// Whether all are met; a load without criteria passes.
pub fn passed(criteria: &[Criterion]) -> bool {
    criteria.iter().all(|criterion| criterion.met)
}

/// A line per criterion, and the verdict; empty without criteria.
pub fn render(criteria: &[Criterion]) -> String {
    if criteria.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nCriteria\n");
    for criterion in criteria {
        let Criterion {
            what,
            bound,
            measured,
            met,
        } = criterion;
        let word = if *met { "pass" } else { "FAIL" };
        // Writing to a String cannot fail.
        writeln!(text, "  {word}  {what:<30} {bound:<18} {measured}").ok();
    }
    let verdict = if passed(criteria) { "passed" } else { "FAILED" };
    writeln!(text, "Verdict: {verdict}").ok();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_missed_fails_all() {
        let met = Criterion::new("errors at 100", "0", "0", true);
        let missed = Criterion::new("p99 at 50", "under 100 ms", "120.0 ms", false);
        assert!(passed(std::slice::from_ref(&met)));
        let text = render(&[met, missed]);
        assert!(text.contains("pass  errors at 100"), "{text}");
        assert!(text.contains("FAIL  p99 at 50"), "{text}");
        assert!(text.ends_with("Verdict: FAILED\n"));
        assert_eq!(render(&[]), "");
    }
}
