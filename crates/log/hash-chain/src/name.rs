//! Names of partitions, and the files they have.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::canonical::write_char;

/// Longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 200;
/// What the names of partition files end with.
const EXTENSION: &str = "jsonl";

/// A name that a partition may have. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionName(Arc<Parts>);

#[derive(Debug, PartialEq, Eq)]
struct Parts {
    name: String,
    stem: String,
    json: Vec<u8>,
}

/// Why a text is no name. Displays as the rest of a sentence that begins with "partition".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing.
    #[error("must not be empty")]
    Empty,
    /// Over [`MAX_NAME_BYTES`].
    #[error("must have at most {MAX_NAME_BYTES} bytes")]
    TooLong,
    /// A line end, a tab, NUL or the like.
    #[error("must not have control characters")]
    Control,
}

impl PartitionName {
    /// Checks a name.
    ///
    /// # Errors
    /// It is empty, over [`MAX_NAME_BYTES`], or has control characters.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(NameError::TooLong);
        }
        if name.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        let mut json = Vec::with_capacity(name.len());
        for char in name.chars() {
            write_char(char, &mut json);
        }
        Ok(Self(Arc::new(Parts {
            name: name.to_owned(),
            stem: stem(name),
            json,
        })))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.name
    }

    /// As it stands between quotation marks in canonical JSON.
    #[must_use]
    pub fn json(&self) -> &[u8] {
        &self.0.json
    }

    /// The name of its file without the extension. Other names may have the same.
    #[must_use]
    pub fn stem(&self) -> &str {
        &self.0.stem
    }

    /// Its file in `folder`.
    #[must_use]
    pub fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.{EXTENSION}", self.0.stem))
    }
}

/// Letters and digits, `-` and `_` stay, all else becomes `_`: no name leads out of its folder.
#[must_use]
pub fn stem(name: &str) -> String {
    let sanitised = |char: char| {
        let stays = char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
        let stays = stays || (!char.is_ascii() && is_letter_or_digit(char));
        if stays { char } else { '_' }
    };
    name.chars().map(sanitised).collect()
}

/// As Python's `str.isalnum`: the Unicode categories L and N, without the combining marks that `char::is_alphabetic` has.
fn is_letter_or_digit(char: char) -> bool {
    matches!(
        char.general_category_group(),
        GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number
    )
}

/// The partition file beside a journal.
pub(super) fn of_journal(journal: &Path) -> PathBuf {
    journal.with_extension(EXTENSION)
}

/// The stem of a partition file, or `None` for another file.
pub(super) fn stem_of(path: &Path) -> Option<&str> {
    let is_partition = path.extension().is_some_and(|found| found == EXTENSION);
    path.file_stem()?.to_str().filter(|_| is_partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_its_folder() {
        for (name, expected) in [
            ("orders", "orders"),
            ("a-b_C9", "a-b_C9"),
            ("../etc/passwd", "___etc_passwd"),
            ("..", "__"),
            ("a b.c", "a_b_c"),
            ("käse·東京²½Ⅷ", "käse_東京²½Ⅷ"),
            ("e\u{301}हि", "e_ह_"),
            ("😀", "_"),
        ] {
            let name = PartitionName::new(name).expect("a name");
            assert_eq!(name.stem(), expected);
            let file = name.file(Path::new("/d"));
            assert_eq!(file.parent(), Some(Path::new("/d")));
            assert_eq!(stem_of(&file), Some(expected));
        }
    }

    #[test]
    fn bad_names_are_told_apart() {
        for (name, expected) in [
            ("", NameError::Empty),
            (&*"é".repeat(101), NameError::TooLong),
            ("a\nb", NameError::Control),
            ("\0", NameError::Control),
            ("\u{85}", NameError::Control),
        ] {
            assert_eq!(PartitionName::new(name), Err(expected));
        }
        assert!(PartitionName::new(&"é".repeat(100)).is_ok());
    }
}
