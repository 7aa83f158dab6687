//! The binaries of a native run: those beside weir's own, built anew where sources have changed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lab_model::targets::{Native, Target};
use tokio::process::Command;

use crate::process::tail;
use crate::state::State;

/// A release build from nothing on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(90 * 60);

/// Where the binaries are.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// Uses `WEIR_BIN_DIR` as it is where that is set, else builds into the directory of weir itself.
    pub(crate) async fn build(root: &Path, state: &State, targets: &[&Target]) -> Result<Self> {
        if let Some(dir) = std::env::var_os("WEIR_BIN_DIR").filter(|dir| !dir.is_empty()) {
            let dir = std::path::absolute(dir)?;
            let binaries = Self { dir };
            binaries.require(root, targets)?;
            return Ok(binaries);
        }
        let weir = std::env::current_exe().context("weir does not know where it is")?;
        let binaries = Self {
            dir: weir.parent().unwrap_or(Path::new("/")).to_path_buf(),
        };
        let packages = packages(root, targets);
        if binaries.belongs_to_cargo() && !packages.is_empty() {
            binaries.cargo_build(root, state, &packages).await?;
        }
        binaries.require(root, targets)?;
        Ok(binaries)
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Path of a target's binary.
    pub(crate) fn path(&self, root: &Path, native: &Native) -> PathBuf {
        let named = Path::new(&native.binary);
        if named.components().count() > 1 {
            root.join(named)
        } else {
            self.dir.join(named)
        }
    }

    /// `release` or `debug`, by cargo's directory names.
    pub(crate) fn profile(&self) -> &'static str {
        if self.is_debug() { "debug" } else { "release" }
    }

    /// True where the directory is that of cargo's debug builds.
    pub(crate) fn is_debug(&self) -> bool {
        self.dir.ends_with("debug")
    }

    fn belongs_to_cargo(&self) -> bool {
        self.dir.ends_with("release") || self.dir.ends_with("debug")
    }

    async fn cargo_build(&self, root: &Path, state: &State, packages: &[String]) -> Result<()> {
        let log = state.log("cargo-build");
        if let Some(directory) = log.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let out = File::create(&log)?;
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(root).args(["build", "--locked"]);
        if !self.is_debug() {
            command.arg("--release");
        }
        if let Some(target_dir) = self.dir.parent() {
            command.arg("--target-dir").arg(target_dir);
        }
        for package in packages {
            command.args(["--package", package]);
        }
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .kill_on_drop(true);
        let finished = tokio::time::timeout(BUILD_LIMIT, command.status());
        let status = match finished
            .await
            .context("the build took more than 90 minutes")?
        {
            Ok(status) => status,
            // Binaries that were built elsewhere are as good; `require` looks for them.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => bail!("cannot start cargo: {error}"),
        };
        ensure!(
            status.success(),
            "the build failed ({status}); its log {} says:\n{}",
            log.display(),
            tail(&log, 10)
        );
        Ok(())
    }

    fn require(&self, root: &Path, targets: &[&Target]) -> Result<()> {
        let mut needed: Vec<PathBuf> = targets
            .iter()
            .filter(|target| !target.is_external())
            .filter_map(|target| Some(self.path(root, target.native.as_ref()?)))
            .collect();
        needed.push(self.dir.join("stats-sidecar"));
        for path in needed {
            ensure!(
                path.is_file(),
                "{} is missing: build it with 'cargo build --release'",
                path.display()
            );
        }
        Ok(())
    }
}

/// The packages of this workspace among the targets' binaries, and the sampler.
fn packages(root: &Path, targets: &[&Target]) -> Vec<String> {
    let mut all: Vec<String> = targets
        .iter()
        .filter_map(|target| Some(target.native.as_ref()?.binary.clone()))
        .chain(["stats-sidecar".to_owned()])
        .filter(|name| root.join("crates").join(name).join("Cargo.toml").is_file())
        .collect();
    all.sort();
    all.dedup();
    all
}
