//! What is wrong with a file or with a request.

use std::path::{Path, PathBuf};

/// A file of the lab that cannot be read or holds something wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, with the key where there is one.
    pub problem: String,
}

impl FileError {
    pub(crate) fn at(path: &Path, problem: impl ToString) -> Self {
        Self {
            path: path.to_owned(),
            problem: problem.to_string(),
        }
    }
}

/// A request that names something that does not exist, or a value outside its range. The text names both.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RequestError(pub(crate) String);
