//! The rows of the metrics database as plain structs.
//!
//! Units stand in the column comments of the schema; latencies are milliseconds, memory is MiB.

mod check;
mod figures;
mod run;
mod sample;
mod session;

pub use check::{Audit, Check, CheckStatus, CheckWords};
pub use figures::{Latency, Performance, Phase};
pub use run::{NewRun, Run, RunStatus};
pub use sample::{ResourceSample, Role};
pub use session::{NewSession, Session};
