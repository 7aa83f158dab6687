//! The statistical verdict of the lab: which of two targets is better, by how much, and whether that is certain.
//!
//! The crate is pure: it reads no clock, no file and no database, and its only random numbers come from a seed that the
//! caller gives. `docs/reference/verdict.md` describes the method and shows the simulation that checks it.
//!
//! In reading order:
//!
//! - [`difference`]: a round's two figures become one logarithm of their ratio
//! - [`signed_rank`]: the exact p-value over rounds, and the null distribution behind it ([`ranks`])
//! - [`walsh`]: the ratio and its confidence interval
//! - [`holm`]: many comparisons, corrected together
//! - [`looks`]: levels for a session that is judged several times while it grows
//! - [`judge`]: all of the above applied to a family of comparisons; the three outcomes
//! - [`power`]: how many rounds a difference takes
//! - [`flags`], [`position`]: was one target disturbed more often, and does the place in a round matter
//! - [`quantile`]: the median of some values and its interval
//! - [`change_points`]: where a series over commits begins to be another
//! - [`order`]: balanced random orders for the rounds
//! - [`words`]: its figures as text, with digits enough to be true
//! - [`normal`], [`random`]: the normal distribution and the seeded generator that these need

pub mod change_points;
pub mod difference;
pub mod flags;
pub mod holm;
pub mod judge;
pub mod looks;
pub mod normal;
pub mod order;
pub mod position;
pub mod power;
pub mod quantile;
pub mod random;
pub mod ranks;
pub mod signed_rank;
pub mod walsh;
pub mod words;

pub use difference::log_ratio;
pub use judge::{Judge, Judgement, Outcome, Settings};
pub use looks::Look;
pub use walsh::Interval;
