//! What each part of a measurement may use.

/// CPUs that each part may use: its quota, or the machine's cores.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// k6.
    pub generator: f64,
    /// The application database; none where the target uses none.
    pub database: Option<f64>,
    /// The machine.
    pub host: f64,
}
