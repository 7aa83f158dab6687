//! A cell that is being measured.

use std::path::PathBuf;

use lab_bench::started::Started;
use lab_model::plan::layout::Cell;

use crate::own::around::Trial;

/// What the steps of a cell share.
pub(crate) struct Running<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) run: i64,
    pub(crate) label: String,
    /// Path of the results without extension.
    pub(crate) results: PathBuf,
}

impl Running<'_> {
    /// What commands around it are told; `started` once the target is there.
    pub(crate) fn trial(&self, started: Option<&Started>) -> Trial {
        Trial {
            run: self.label.clone(),
            target: self.cell.target.name.clone(),
            scenario: self.cell.payload.clone(),
            at: started.map(|started| started.from_here.clone()),
        }
    }
}
