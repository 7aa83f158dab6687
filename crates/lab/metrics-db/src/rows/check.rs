//! What is judged about a run: its audit and the checks of its validity.

use serde::{Deserialize, Serialize};

/// The audit's counts over one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Events that the generator counted as acknowledged.
    pub acknowledged: i64,
    /// Events sent whose answer was an error or never came.
    pub in_doubt: i64,
    /// Events of this run found in the application database.
    pub stored: i64,
    /// Whether `acknowledged <= stored <= acknowledged + in_doubt`.
    pub passed: bool,
}

impl Audit {
    /// Judges the counts: everything acknowledged is there, and nothing that was never sent.
    pub fn judge(acknowledged: i64, in_doubt: i64, stored: i64) -> Self {
        let passed = acknowledged <= stored && stored <= acknowledged + in_doubt;
        Self {
            acknowledged,
            in_doubt,
            stored,
            passed,
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Within its bound.
    #[default]
    Ok,
    /// Worth knowing; the run counts.
    Warn,
    /// Out of its bound; the run takes part in no ranking.
    Bad,
}

/// One check of a run's validity, shown as a badge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Stable name, e.g. `generator_cpu`.
    pub id: String,
    /// What the badge says, e.g. `Generator CPU`.
    pub label: String,
    /// The measured figure with its unit, e.g. `41 % of 2 cores`.
    pub figure: String,
    /// Within the bound or not.
    pub status: CheckStatus,
    /// A sentence: what was compared with what.
    pub detail: String,
    /// What was measured, in `unit`. None where the check has no figure, and in rows stored before checks had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it was compared with, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// `share` (0 to 1), `ms` or `count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

impl Check {
    /// A check within its bound.
    pub fn ok(id: &str, label: &str, figure: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(id, label, CheckStatus::Ok, figure, detail)
    }

    /// A check that does not exclude the run but should be read.
    pub fn warn(
        id: &str,
        label: &str,
        figure: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(id, label, CheckStatus::Warn, figure, detail)
    }

    /// A check that excludes the run from rankings.
    pub fn bad(
        id: &str,
        label: &str,
        figure: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(id, label, CheckStatus::Bad, figure, detail)
    }

    /// The same check with its figure as data.
    #[must_use]
    pub fn measured(mut self, value: f64, bound: f64, unit: &str) -> Self {
        // JSON has neither infinities nor NaN.
        self.value = Some(value).filter(|value| value.is_finite());
        self.bound = Some(bound);
        self.unit = Some(unit.to_owned());
        self
    }

    fn new(
        id: &str,
        label: &str,
        status: CheckStatus,
        figure: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            label: label.into(),
            figure: figure.into(),
            status,
            detail: detail.into(),
            value: None,
            bound: None,
            unit: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_data_and_rows_from_before_stay_readable() {
        let check =
            Check::bad("steal", "Steal", "9 %", "In phase 1 ...").measured(0.09, 0.02, "share");
        let stored = serde_json::to_value(&check).unwrap();
        assert_eq!(
            (&stored["value"], &stored["bound"]),
            (&0.09.into(), &0.02.into())
        );
        assert_eq!(stored["unit"], "share");
        assert_eq!(serde_json::from_value::<Check>(stored).unwrap(), check);
        let old = r#"{"id":"steal","label":"Steal","figure":"9 %","status":"bad","detail":"In phase 1 ..."}"#;
        let old: Check = serde_json::from_str(old).unwrap();
        assert_eq!((old.value, old.bound, old.unit), (None, None, None));
        assert_eq!(old.status, CheckStatus::Bad);
    }
}
