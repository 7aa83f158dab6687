//! Where the lab is: a checkout of this repository, or the home that is laid out beside a user's `weir.toml`.
//!
//! The home, `.weir/lab`, has the shape of a checkout as far as a session needs it: the scripts out of this binary, and the
//! list of targets and the modes as the user's file has them. So a session over somebody's own services is a session like any
//! other. What is measured is left in `weir-results/` beside the file.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lab_model::{files, root};
use lab_project::project::Project;
use lab_project::{FILE, lab};

use super::assets::{ASSETS, MODES};
use crate::usage::UsageError;

/// The home below the folder of a `weir.toml`.
const HOME: &str = ".weir/lab";

/// The folder of the results beside a `weir.toml`.
const RESULTS: &str = "weir-results";

/// The root that commands work in: what `WEIR_ROOT` names, else the nearest folder above the working directory with a
/// `weir.toml` or a checkout, else the checkout of this binary.
///
/// # Errors
/// There is none, or the file is wrong: a usage error that names line, key and remedy.
pub fn find() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("WEIR_ROOT").filter(|value| !value.is_empty()) {
        let named = std::path::absolute(named)?;
        if is_project(&named) {
            return lay_out(&named.join(FILE));
        }
        return Ok(root::find()?);
    }
    let here = std::env::current_dir().context("the working directory cannot be read")?;
    let nearest = here
        .ancestors()
        .find(|dir| is_project(dir) || dir.join(files::TARGETS).is_file());
    match nearest {
        Some(dir) if is_project(dir) => lay_out(&dir.join(FILE)),
        _ => Ok(root::find()?),
    }
}

/// A checkout that holds a `weir.toml` too stays a checkout.
fn is_project(dir: &Path) -> bool {
    dir.join(FILE).is_file() && !dir.join(files::TARGETS).is_file()
}

/// The user's file of a home; none: the root is a checkout.
#[must_use]
pub fn file_of(root: &Path) -> Option<PathBuf> {
    let dir = root.parent()?.parent()?;
    (root == dir.join(HOME)).then(|| dir.join(FILE))
}

/// Where the results of a root are, by the name under which the user finds them.
#[must_use]
pub fn results(root: &Path) -> PathBuf {
    let results = root.join(files::RESULTS);
    match file_of(root) {
        Some(_) => fs::canonicalize(&results).unwrap_or(results),
        None => results,
    }
}

/// Reads the file and lays out its home; what is there already and still right stays.
fn lay_out(file: &Path) -> Result<PathBuf> {
    let project = Project::read(file).map_err(|problem| UsageError::plain(problem.to_string()))?;
    let home = project.dir.join(HOME);
    write(&home.join("../.gitignore"), "*\n")?;
    for asset in ASSETS {
        let path = home.join(asset.path);
        write(&path, asset.text)?;
        if asset.program {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
    }
    write(&home.join(files::TARGETS), &lab::targets(&project))?;
    write(&home.join(files::MODES), &lab::modes(&project, MODES))?;
    let results = home.join(files::RESULTS);
    if !results.exists() {
        fs::create_dir_all(project.dir.join(RESULTS)).context(RESULTS)?;
        // It may be there and name a folder that the user has removed.
        if fs::symlink_metadata(&results).is_err() {
            symlink(Path::new("../../..").join(RESULTS), &results)
                .with_context(|| format!("{}", results.display()))?;
        }
    }
    Ok(home)
}

fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use lab_model::modes::Modes;
    use lab_model::targets::Targets;

    use super::*;

    const SHOP: &str = "[[target]]\nname = \"shop\"\nprotocol = \"rest\"\nurl = \"http://127.0.0.1:1\"\n[[scenario]]\n\
                        name = \"browse\"\n[[scenario.request]]\npath = \"/\"\n";

    #[test]
    fn a_home_is_read_as_a_checkout_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        fs::write(&file, SHOP).unwrap();
        let home = lay_out(&file).unwrap();
        let targets = Targets::load(&home).unwrap();
        assert!(targets.get("shop").unwrap().is_external());
        assert_eq!(Modes::load(&home).unwrap().payloads, ["browse"]);
        assert_eq!(file_of(&home), Some(file.clone()));
        assert_eq!(file_of(folder.path()), None);
        assert!(results(&home).ends_with(RESULTS));

        // A second time nothing is written anew; results that were removed are made again.
        let before = fs::metadata(home.join(files::TARGETS))
            .unwrap()
            .modified()
            .unwrap();
        fs::remove_dir(folder.path().join(RESULTS)).unwrap();
        lay_out(&file).unwrap();
        let after = fs::metadata(home.join(files::TARGETS))
            .unwrap()
            .modified()
            .unwrap();
        assert_eq!(before, after);
        assert!(folder.path().join(RESULTS).is_dir());

        fs::write(&file, SHOP.replace("path = \"/\"", "path = \"x\"")).unwrap();
        let error = lay_out(&file).unwrap_err();
        assert!(error.is::<UsageError>(), "{error}");
        assert!(
            error
                .to_string()
                .contains("weir.toml:8: scenario browse: request 1: path"),
            "{error}"
        );
    }
}
