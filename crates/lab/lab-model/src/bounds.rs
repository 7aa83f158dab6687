//! The bounds of a trustworthy run. Shares are between 0 and 1.

/// Largest share of its CPU allowance that the generator may use in any phase: beyond it the generator, not the target, may
/// have been the limit.
pub const GENERATOR_CPU: f64 = 0.80;

/// Largest share of its CPU allowance that the database may use in any phase.
pub const DATABASE_CPU: f64 = 0.95;

/// Largest share of the machine's CPU that may be in use in any phase: beyond it all processes wait for each other.
pub const HOST_CPU: f64 = 0.95;

/// Share of the machine's CPU in use from which on the machine counts as busy, so that a generator which has most of it
/// counts as the limit.
pub const BUSY_HOST_CPU: f64 = 0.90;

/// Largest share of the machine's time that the hypervisor may take in any phase.
pub const STEAL: f64 = 0.02;

/// Largest share of a phase in which the generator may be held back by its CPU quota.
pub const THROTTLED: f64 = 0.05;

/// Largest share of its generator's ceiling that a run may reach: beyond it the generator may be what is measured.
pub const CEILING: f64 = 0.7;

/// Largest share of requests that may fail.
pub const ERRORS: f64 = 0.01;

/// Largest share of iterations that may be dropped.
pub const DROPPED: f64 = 0.001;

/// Smallest share of the intended rate that must be reached.
pub const RATE_REACHED: f64 = 0.99;

/// Largest share of their time that the virtual users may have spent in requests: all of it, plus rounding.
pub const TIME_IN_REQUESTS: f64 = 1.02;

/// Milliseconds by which 99 % of the iterations of an open model may begin late. k6's clock has whole milliseconds.
pub const BEGUN_LATE_MS: f64 = 5.0;
