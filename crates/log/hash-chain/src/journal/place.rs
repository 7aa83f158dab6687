//! Where the journal of a partition is.

use std::path::{Path, PathBuf};

/// What the names of journals end with.
const EXTENSION: &str = "journal";
/// Bytes of a journal.
pub(super) const JOURNAL_BYTES: u64 = 4 * 1024 * 1024;

/// The journal of the partition whose file is at `partition`.
pub(super) fn path_of(partition: &Path) -> PathBuf {
    partition.with_extension(EXTENSION)
}

/// Whether a file is named as journals are.
pub(crate) fn is_named_as_one(path: &Path) -> bool {
    path.extension().is_some_and(|found| found == EXTENSION)
}
