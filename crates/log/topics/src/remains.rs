//! What is a topic's among the files of a folder: nothing else is touched.

use std::fs;
use std::io;
use std::path::Path;

use super::name;
use super::recovery::parse_name;
use super::topic::DESCRIPTION;

/// Removes what is left in `folder` of topics that were on their way in or out. Anything else stays, and is named.
///
/// # Errors
/// A file cannot be read or removed.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_topic(&path)? {
            fs::remove_dir_all(path)?;
        } else {
            tracing::warn!(path = %path.display(), "left alone: is no rest of a topic");
        }
    }
    Ok(())
}

/// The name of the topic whose folder `path` is: it has a description, or partitions with segments.
pub(crate) fn topic_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    name::topic(name).ok()?;
    let is_folder = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let is_described = || fs::symlink_metadata(path.join(DESCRIPTION)).is_ok();
    let has_segments = || {
        let partitions = fs::read_dir(path).into_iter().flatten().flatten();
        partitions.into_iter().any(|partition| {
            let files = fs::read_dir(partition.path()).into_iter().flatten();
            files.flatten().any(|file| is_segment(&file.file_name()))
        })
    };
    (is_folder && (is_described() || has_segments())).then(|| name.to_owned())
}

/// Whether all below `path` is a topic's: its description, and numbered folders with files of segments.
fn is_topic(path: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return Ok(false);
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_number = name
            .to_str()
            .is_some_and(|name| name.parse::<u32>().is_ok());
        let is_known = match entry.file_type()? {
            kind if kind.is_file() => name == DESCRIPTION,
            kind if kind.is_dir() && is_number => fs::read_dir(entry.path())?
                .all(|file| file.is_ok_and(|file| is_segment(&file.file_name()))),
            _ => false,
        };
        if !is_known {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_segment(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| parse_name(name).is_some())
}
