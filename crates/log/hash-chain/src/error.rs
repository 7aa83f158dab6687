//! What can go wrong with hash-chained partitions.

use std::io;
use std::path::Path;

use domain::Kind;
use group_commit::{AppendError, is_out_of_room};

use super::canonical::Refused;
use super::name::NameError;

/// Longest data, in bytes as sent.
pub const MAX_DATA_BYTES: usize = 10 * 1024 * 1024;

/// Why something was not done. `Display` is what the client may see.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The name is none that a partition may have.
    #[error("partition {0}")]
    Name(#[from] NameError),
    /// The name's file belongs to another name.
    #[error("partition '{name}' would share the file {file} with '{owner}'")]
    Taken {
        /// The name asked for.
        name: String,
        /// The file's name.
        file: String,
        /// The partition whose file it is.
        owner: String,
    },
    /// The data is none that the log takes.
    #[error("data {0}")]
    Data(#[from] Refused),
    /// The data is over 10 MiB.
    #[error("data is larger than {} bytes", MAX_DATA_BYTES)]
    TooLarge,
    /// There is no such partition.
    #[error("no such partition: '{0}'")]
    NotFound(String),
    /// What is stored is not as it was written. The text names the file's line or byte.
    #[error("{0}")]
    Damaged(String),
    /// It was opened for reading.
    #[error("the log is open for reading only")]
    ReadOnly,
    /// Too much waits, or an earlier write failed.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The operating system refused. What it said is in the log.
    #[error("internal error")]
    Io(#[source] io::Error),
}

impl ChainError {
    /// What sort of error it is, for the answer that a face gives.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Name(_) | Self::Data(_) => Kind::InvalidArgument,
            Self::Taken { .. } => Kind::Conflict,
            Self::TooLarge => Kind::TooLarge,
            Self::NotFound(_) => Kind::NotFound,
            Self::Damaged(_) => Kind::DataLoss,
            Self::Append(AppendError::Full) => Kind::ResourceExhausted,
            Self::Append(AppendError::Poisoned(_) | AppendError::NoRoom) => Kind::Unavailable,
            Self::ReadOnly | Self::Io(_) => Kind::Internal,
        }
    }

    /// Whether the caller sent what the log does not take.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Name(_) | Self::Taken { .. } | Self::Data(_) | Self::TooLarge
        )
    }

    /// Damage in the file at `path`, named and logged.
    pub(super) fn damaged(path: &Path, what: &str) -> Self {
        let file = path.file_name().unwrap_or_default();
        let message = format!("{}: {what}", file.display());
        tracing::error!(file = %path.display(), "damaged: {what}");
        Self::Damaged(message)
    }
}

impl From<io::Error> for ChainError {
    fn from(error: io::Error) -> Self {
        if is_out_of_room(&error) {
            return Self::Append(AppendError::NoRoom);
        }
        Self::Io(error)
    }
}
