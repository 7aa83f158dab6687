//! What is named beforehand: margin, reference, primary figure.

use super::model::Metric;

/// How the report judges.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Ratios within `1 / (1 + margin) ..= 1 + margin` count as equal.
    pub margin: f64,
    /// Name of the target with which the others are compared; `None`: all pairs.
    pub reference: Option<String>,
    /// The figure that decides; the others are corrected among themselves and describe. `None`: all decide.
    pub primary: Option<Metric>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            margin: 0.03,
            reference: None,
            primary: None,
        }
    }
}
