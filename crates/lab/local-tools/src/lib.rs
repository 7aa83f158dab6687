//! Programs of this machine that the lab, its benchmarks and the tests start: which ones, and as whom.
//!
//! - [`named`]: what `scripts/native-tools.sh` has noted in `.tools/env`
//! - [`environment`]: what of the caller's environment they see
//! - [`postgres`]: PostgreSQL's programs; [`Account`]: as whom they run, since PostgreSQL refuses to be root

mod account;
pub mod environment;
pub mod named;
pub mod postgres;

pub use account::{Account, open_to_all};
