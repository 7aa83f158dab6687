//! No crate grows until nobody has read it: who comes to one reads it in a day. docs/ARCHITECTURE.md says what each is for.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use cargo_metadata::MetadataCommand;

/// Most lines of code of a crate, without tests, comments and empty lines. The house's measure is about 6,000.
const MOST: usize = 6_400;

/// Most lines of code of a file.
const MOST_OF_A_FILE: usize = 400;

/// Lines of code before the file's own tests.
fn lines(text: &str) -> usize {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let is_code = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//")
    };
    code.lines().filter(is_code).count()
}

fn is_of_tests(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem == "tests" || stem.ends_with("_tests")
}

/// Every file of code below `folder`, with its lines.
fn files(folder: &Path, found: &mut Vec<(String, usize)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !is_of_tests(&path) {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.display().to_string(), lines(&text)));
        }
    }
}

#[test]
fn no_crate_and_no_file_is_longer_than_its_measure() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let mut too_long = Vec::new();
    let mut crates = 0;
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().unwrap();
        let mut found = Vec::new();
        files(folder.join("src").as_std_path(), &mut found);
        let all: usize = found.iter().map(|(_, lines)| lines).sum();
        if all > MOST {
            too_long.push(format!("{}: {all} lines", package.name));
        }
        let long = found.iter().filter(|(_, lines)| *lines > MOST_OF_A_FILE);
        too_long.extend(long.map(|(path, lines)| format!("{path}: {lines} lines")));
        crates += 1;
    }
    assert!(crates > 30, "{crates} crates were found");
    assert!(too_long.is_empty(), "{too_long:#?}");
}

#[test]
fn tests_comments_and_empty_lines_do_not_count() {
    let text =
        "//! A.\n\nuse b;\n\n/// C.\nfn c() {}\n\n#[cfg(test)]\nmod tests {\n    fn d() {}\n}\n";
    assert_eq!(lines(text), 2);
}
