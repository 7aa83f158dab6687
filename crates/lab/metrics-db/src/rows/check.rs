//! What is judged about a run: its audit and the checks of its validity.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

/// One check of a run's validity, as data: `lab_words::checks` makes the words when it is shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Stable name, e.g. `generator_cpu`.
    pub id: String,
    /// Within the bound or not.
    pub status: CheckStatus,
    /// What was measured, in `unit`. None where the check has no figure, or nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it was compared with, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// `share` (0 to 1), `ms` or `count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What else the words need, e.g. `{"phase": 2, "cpus": 2.0}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
    /// The words of rows that were stored before checks were data; none in rows of today.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub words: Option<CheckWords>,
}

/// A check in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckWords {
    /// What is checked, e.g. `Generator CPU`.
    pub label: String,
    /// The measured figure with its unit, e.g. `41 % of 2 cores`.
    pub figure: String,
    /// A sentence: what was compared with what.
    pub detail: String,
}

impl Check {
    /// A check that ended so.
    pub fn new(id: &str, status: CheckStatus) -> Self {
        Self {
            id: id.to_owned(),
            status,
            ..Self::default()
        }
    }

    /// A check within its bound.
    pub fn ok(id: &str) -> Self {
        Self::new(id, CheckStatus::Ok)
    }

    /// A check that does not exclude the run but should be read.
    pub fn warn(id: &str) -> Self {
        Self::new(id, CheckStatus::Warn)
    }

    /// A check that excludes the run from rankings.
    pub fn bad(id: &str) -> Self {
        Self::new(id, CheckStatus::Bad)
    }

    /// The same check with its figure. A value that is no number (JSON has neither infinities nor NaN) is left out.
    #[must_use]
    pub fn measured(mut self, value: f64, bound: f64, unit: &str) -> Self {
        self.value = Some(value).filter(|value| value.is_finite());
        self.bound = Some(bound);
        self.unit = Some(unit.to_owned());
        self
    }

    /// The same check with one more fact for its words.
    #[must_use]
    pub fn with(mut self, name: &str, fact: impl Into<Value>) -> Self {
        self.context.insert(name.to_owned(), fact.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_data_and_rows_from_before_stay_readable() {
        let check = Check::bad("steal")
            .measured(0.09, 0.02, "share")
            .with("phase", 1);
        let stored = serde_json::to_value(&check).unwrap();
        assert_eq!(
            stored,
            serde_json::json!({"id": "steal", "status": "bad", "value": 0.09, "bound": 0.02, "unit": "share",
                "context": {"phase": 1}})
        );
        assert_eq!(serde_json::from_value::<Check>(stored).unwrap(), check);
        let words = r#"{"id":"steal","label":"Steal","figure":"9 %","status":"bad","detail":"In phase 1 ..."}"#;
        let words: Check = serde_json::from_str(words).unwrap();
        assert_eq!((words.value, words.bound, words.unit), (None, None, None));
        assert_eq!(words.status, CheckStatus::Bad);
        assert_eq!(words.words.unwrap().detail, "In phase 1 ...");
        let both = r#"{"id":"steal","label":"Steal","figure":"9 %","status":"bad","detail":"In phase 1 ...","value":0.09,"bound":0.02,"unit":"share"}"#;
        let both: Check = serde_json::from_str(both).unwrap();
        assert_eq!(
            (both.value, both.words.unwrap().figure),
            (Some(0.09), "9 %".to_owned())
        );
    }
}
