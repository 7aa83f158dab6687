//! What is done to the files of a folder before anything is appended: crashes are tidied up, and nothing else is touched.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use super::error::ChainError;
use super::file::{self, Owner};
use super::journal;
use super::name;
use super::partition::cut_torn_line;

/// Recovers all chains in `folder` but those that are open. Gives the number of chains.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn recover(folder: &Path, is_open: impl Fn(&Path) -> bool) -> io::Result<usize> {
    let (mut chains, mut journals) = (HashSet::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if journal::is_named_as_one(&path) {
            journals.push(path);
            continue;
        }
        let Some(stem) = name::stem_of(&path) else {
            continue;
        };
        if is_open(&path) {
            chains.insert(path);
        } else if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            stranger(&path, "is no regular file");
        } else if recover_one(&path, stem) {
            chains.insert(path);
        }
    }
    for journal in journals {
        if !chains.contains(&name::of_journal(&journal)) {
            stranger(
                &journal,
                "is named as a journal, and there is no chain of its name",
            );
        }
    }
    Ok(chains.len())
}

/// Whether the file is a chain, as far as can be seen.
fn recover_one(path: &Path, stem: &str) -> bool {
    let owner = match File::open(path).and_then(|file| file::owner(&file, stem)) {
        Ok(owner) => owner,
        Err(error) => {
            stranger(path, &format!("cannot be read: {error}"));
            return false;
        }
    };
    match owner {
        Owner::Nobody => stranger(path, "is empty"),
        Owner::Stranger => stranger(path, "is not a chain"),
        // Named here, and left as it is.
        Owner::Damaged => drop(ChainError::damaged(
            path,
            "the first line is no entry of it",
        )),
        Owner::Name(_) | Owner::Torn => {
            // Damage was logged where it was found.
            if let Err(ChainError::Io(error)) = tidy_up(path) {
                tracing::error!(file = %path.display(), %error, "a chain is set aside: it cannot be used");
            }
        }
    }
    !matches!(owner, Owner::Nobody | Owner::Stranger)
}

fn tidy_up(path: &Path) -> Result<(), ChainError> {
    journal::recover(path)?;
    let file = OpenOptions::new().read(true).append(true).open(path)?;
    cut_torn_line(&file, path)?;
    Ok(())
}

fn stranger(path: &Path, what: &str) {
    tracing::warn!(file = %path.display(), "left alone: {what}");
}
