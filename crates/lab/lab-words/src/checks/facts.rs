//! Reading what a check was stored with.

use metrics_db::Check;
use serde_json::Value;

/// A check's figure and context. What is absent, or of another type, is `None`.
pub(super) struct Facts<'a>(&'a Check);

impl<'a> Facts<'a> {
    pub(super) fn of(check: &'a Check) -> Self {
        Self(check)
    }

    pub(super) fn value(&self) -> Option<f64> {
        self.0.value
    }

    pub(super) fn bound(&self) -> Option<f64> {
        self.0.bound
    }

    pub(super) fn whole(&self, name: &str) -> Option<i64> {
        self.fact(name)?.as_i64()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.fact(name)
            .is_some_and(|fact| fact == &Value::Bool(true))
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.fact(name)?.as_f64()
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.fact(name)?.as_str()
    }

    pub(super) fn texts(&self, name: &str) -> Option<Vec<&'a str>> {
        self.fact(name)?
            .as_array()?
            .iter()
            .map(Value::as_str)
            .collect()
    }

    fn fact(&self, name: &str) -> Option<&'a Value> {
        self.0.context.get(name)
    }
}
