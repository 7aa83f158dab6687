//! The principals in force, replaced as a whole when their files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::file;
use super::jwt::Verifier;
use super::known::{Credentials, Identified, Principals};
use crate::files::{self, FileError, Seen};
use crate::refusal::Refusal;

const SETTING: &str = "PRINCIPALS_FILE";

/// The principals in force. Cheap to share; a call sees one whole file, old or new.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    now: ArcSwap<Principals>,
    seen: Mutex<Seen>,
}

impl Directory {
    /// Reads `path` and the key set that it names.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let (principals, seen) = load(path, None);
        let principals = principals?;
        tracing::info!(principals = principals.len(), file = %path.display(), "principals are in force");
        Ok(Self {
            path: path.to_owned(),
            now: ArcSwap::from_pointee(principals),
            seen: Mutex::new(seen),
        })
    }

    /// Reads the files anew where they have changed. A wrong file leaves the principals before it in force, and is logged
    /// once at error. Principals that are gone or changed are revoked.
    pub fn refresh(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.now() == *seen {
            return;
        }
        let before = self.now.load_full();
        let (principals, read) = load(&self.path, Some(&before));
        *seen = read;
        match principals {
            Ok(principals) => {
                tracing::info!(
                    principals = principals.len(),
                    file = %self.path.display(),
                    "the principals file has changed and is in force"
                );
                let after = Arc::new(principals);
                self.now.store(Arc::clone(&after));
                before.revoke_all_but(&after);
            }
            Err(error) => {
                tracing::error!(%error, "the principals file has changed and is wrong: the principals before stay in force");
            }
        }
    }

    /// Who sends `credentials`, by the file in force.
    ///
    /// # Errors
    /// There are no credentials, or they belong to no principal.
    pub fn identify(&self, credentials: Credentials<'_>) -> Result<Identified, Refusal> {
        self.now.load().identify(credentials)
    }
}

/// The principals of a file, and what was seen of all files that it names before they were read: what changes meanwhile, or
/// appears later, is read again.
fn load(path: &Path, before: Option<&Principals>) -> (Result<Principals, FileError>, Seen) {
    let mut seen = Seen::of([path]);
    let principals = files::read_text(SETTING, path).and_then(|text| {
        let contents = file::parse(&text)
            .map_err(|problem| FileError::new(SETTING, path, problem.to_string()))?;
        let Some(jwt) = &contents.jwt else {
            return Ok(Principals::new(contents.principals, None, before));
        };
        let keys = path.parent().unwrap_or(Path::new("")).join(&jwt.keys);
        seen = Seen::of([path, keys.as_path()]);
        let setting = format!("{SETTING} jwt.keys");
        let text = files::read_text(&setting, &keys)?;
        let verifier = Verifier::new(&text, &jwt.expected)
            .map_err(|problem| FileError::new(&setting, &keys, problem))?;
        Ok(Principals::new(contents.principals, Some(verifier), before))
    });
    (principals, seen)
}
