//! The lab's files inside this binary: what a session over a user's own services needs of this repository.

/// A file: its path in the repository, its text, and whether it is a program.
pub struct Asset {
    /// Below the root.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
    /// Whether it can be run.
    pub program: bool,
}

macro_rules! assets {
    ($($path:literal),* $(,)?) => {
        &[$(Asset {
            path: $path,
            text: include_str!(concat!("../../../../../", $path)),
            program: is_program($path),
        }),*]
    };
}

const fn is_program(path: &str) -> bool {
    let bytes = path.as_bytes();
    matches!(bytes, [.., b'.', b's', b'h'])
}

/// All of them but the two that are made of the user's file: the list of targets, and the modes.
pub const ASSETS: &[Asset] = assets![
    "load-test/k6/config.js",
    "load-test/k6/own-test.js",
    "load-test/k6/lib/events.js",
    "load-test/k6/lib/latency.js",
    "load-test/k6/lib/open-model.js",
    "load-test/k6/lib/outcome.js",
    "load-test/k6/lib/own-grpc.js",
    "load-test/k6/lib/own-requests.js",
    "load-test/k6/lib/payload.js",
    "load-test/k6/lib/per-vu.js",
    "load-test/k6/lib/phases.js",
    "load-test/k6/lib/random.js",
    "load-test/k6/lib/settings.js",
    "load-test/k6/lib/summary.js",
    "load-test/k6/shared/helpers.js",
    "scripts/native-tools.sh",
    "scripts/native-tools.txt",
];

/// The script around a k6 script of the user's own, whose path takes the place of [`USER_SCRIPT`].
pub const SCRIPT: &str = include_str!("../../../../../load-test/k6/own-script.js");

/// See [`SCRIPT`].
pub const USER_SCRIPT: &str = "'./user.js'";

/// The lab's own modes, which a `weir.toml` changes.
pub const MODES: &str = include_str!("../../../../../load-test/k6/lib/modes.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Every module that the script for prepared requests imports, and what those import, is inside the binary.
    #[test]
    fn nothing_that_the_script_imports_is_missing() {
        let known: BTreeSet<&str> = ASSETS.iter().map(|asset| asset.path).collect();
        for asset in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
            let folder = Path::new(asset.path).parent().unwrap();
            let quoted = asset.text.split(['\'', '"']);
            for import in quoted.filter(|word| word.starts_with('.') && word.ends_with(".js")) {
                let mut path = folder.to_path_buf();
                for part in Path::new(import).components() {
                    match part {
                        std::path::Component::ParentDir => drop(path.pop()),
                        std::path::Component::Normal(name) => path.push(name),
                        _ => {}
                    }
                }
                let path = path.to_string_lossy().into_owned();
                assert!(
                    known.contains(path.as_str()),
                    "{} imports {path}",
                    asset.path
                );
            }
        }
        assert!(ASSETS.iter().any(|asset| asset.program));
    }
}
