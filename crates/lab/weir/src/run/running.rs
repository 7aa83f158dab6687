//! A cell that is being measured.

use std::path::PathBuf;

use lab_model::plan::layout::Cell;

/// What the steps of a cell share.
pub(crate) struct Running<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) run: i64,
    pub(crate) label: String,
    /// Path of the results without extension.
    pub(crate) results: PathBuf,
}
