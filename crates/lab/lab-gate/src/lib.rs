//! The verdict file, and what follows from it alone: whether a candidate may replace a baseline, and the forms in which
//! other tools read that.
//!
//! The crate is pure: it reads no clock, no file and no database. `docs/reference/gate.md` describes both.
//!
//! In reading order:
//!
//! - [`verdict_file`]: the file `verdict.json` as types, written and read
//! - [`decision`]: what follows; [`gate`]: baseline, candidate and a limit become held, regressed or open
//! - [`words`]: the decision as sentences
//! - [`export`]: the same as Markdown, JUnit and a badge; the figures as Bencher Metric Format

pub mod decision;
pub mod export;
pub mod gate;
pub mod verdict_file;
pub mod words;

#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod samples;

pub use decision::Decision;
pub use gate::Gate;
pub use verdict_file::VerdictFile;
