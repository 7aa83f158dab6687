//! `.tools/env` of a checkout: the programs that `scripts/native-tools.sh` has found or fetched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The path that the environment variable `key` names, or else `.tools/env` below `root`.
#[must_use]
pub fn path(root: &Path, key: &str) -> Option<PathBuf> {
    let set = std::env::var_os(key).filter(|value| !value.is_empty());
    set.map(PathBuf::from).or_else(|| {
        let text = std::fs::read_to_string(root.join(".tools/env")).unwrap_or_default();
        parse(&text).remove(key).map(PathBuf::from)
    })
}

/// `KEY=value` lines, values bare or in quotes, `export` allowed; what is none is passed over.
#[must_use]
pub fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim().trim_start_matches("export ");
            if line.starts_with('#') {
                return None;
            }
            let (key, value) = line.split_once('=')?;
            let value = value.trim().trim_matches(['"', '\'']);
            Some((key.trim().to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_file() {
        let named = parse("# tools\nWEIR_K6=/a/k6\nexport WEIR_PG_BIN=\"/b b/bin\"\n\nnoise\n");
        assert_eq!(named["WEIR_K6"], "/a/k6");
        assert_eq!(named["WEIR_PG_BIN"], "/b b/bin");
        assert_eq!(named.len(), 2);
    }

    #[test]
    fn a_path_comes_from_the_checkout() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join(".tools")).expect("a folder");
        let file = root.path().join(".tools/env");
        std::fs::write(file, "LOCAL_TOOLS_TEST='/a/k6'\n").expect("a file");
        let found = path(root.path(), "LOCAL_TOOLS_TEST");
        assert_eq!(found.as_deref(), Some(Path::new("/a/k6")));
        assert_eq!(path(root.path(), "LOCAL_TOOLS_OTHER"), None);
    }
}
