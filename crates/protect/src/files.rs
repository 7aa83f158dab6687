//! Files that settings name: read with errors that name them, watched for changes by their contents.

use std::io;
use std::path::{Path, PathBuf};

/// What is wrong with a file, with the setting that names it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {path}: {problem}", path = path.display())]
pub struct FileError {
    /// The setting, for example `TLS_CERT`.
    pub setting: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what to do about it. Holds nothing of a secret.
    pub problem: String,
}

impl FileError {
    pub(crate) fn new(setting: &str, path: &Path, problem: impl Into<String>) -> Self {
        Self {
            setting: setting.to_owned(),
            path: path.to_owned(),
            problem: problem.into(),
        }
    }
}

/// Longest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The whole of a file.
pub(crate) fn read(setting: &str, path: &Path) -> Result<Vec<u8>, FileError> {
    let wrong = |problem: String| FileError::new(setting, path, problem);
    let metadata = std::fs::metadata(path).map_err(|error| wrong(unreadable(&error)))?;
    if !metadata.is_file() {
        return Err(wrong("not a regular file".to_owned()));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(wrong("larger than 16 MiB".to_owned()));
    }
    std::fs::read(path).map_err(|error| wrong(unreadable(&error)))
}

/// [`read`], as text.
pub(crate) fn read_text(setting: &str, path: &Path) -> Result<String, FileError> {
    String::from_utf8(read(setting, path)?)
        .map_err(|_| FileError::new(setting, path, "not UTF-8 text"))
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "this user may not read it: change its owner or mode".to_owned()
        }
        _ => format!("cannot be read: {error}"),
    }
}

/// Files whose change is to be noticed. Compares contents, so that it works wherever files are replaced: by a rename, by a
/// symbolic link (Kubernetes), on a network file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(Vec<(PathBuf, Option<Vec<u8>>)>);

impl Seen {
    /// What the files hold now; `None` for one that cannot be read.
    pub(crate) fn of<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Self {
        use sha2::Digest;
        let hash = |path: &Path| {
            let contents = read("", path).ok()?;
            Some(sha2::Sha256::digest(contents).to_vec())
        };
        Self(
            paths
                .into_iter()
                .map(|path| (path.to_owned(), hash(path)))
                .collect(),
        )
    }

    /// What the same files hold now.
    pub(crate) fn now(&self) -> Self {
        Self::of(self.0.iter().map(|(path, _)| path.as_path()))
    }
}
