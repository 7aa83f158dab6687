//! The binaries of a native run: built anew where sources have changed, and found where cargo says that it put them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lab_host::child::tail;
use lab_host::state::State;
use lab_model::targets::{Native, Target};
use serde::Deserialize;
use tokio::process::Command;

/// A release build from nothing on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(90 * 60);

/// What samples the resources.
const SAMPLER: &str = "stats-sidecar";

/// Where the binaries are.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    /// Beside weir, or as `WEIR_BIN_DIR` says.
    dir: PathBuf,
    /// Those that cargo has built for this session, by name.
    built: BTreeMap<String, PathBuf>,
}

/// A line of `cargo build --message-format=json`, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    executable: Option<PathBuf>,
    target: Option<Named>,
}

/// What `cargo metadata` answers, as far as it matters here.
#[derive(Deserialize)]
struct Workspace {
    packages: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Binaries {
    /// Uses `WEIR_BIN_DIR` as it is where that is set. Else, where cargo has built weir, lets cargo build the rest.
    pub(crate) async fn build(root: &Path, state: &State, targets: &[&Target]) -> Result<Self> {
        let named = std::env::var_os("WEIR_BIN_DIR").filter(|dir| !dir.is_empty());
        let mut binaries = Self {
            dir: match &named {
                Some(dir) => std::path::absolute(dir)?,
                None => beside_weir()?,
            },
            built: BTreeMap::new(),
        };
        if named.is_none() && binaries.belongs_to_cargo() {
            let packages = packages(root, targets).await?;
            if !packages.is_empty() {
                binaries.built = binaries.cargo_build(root, state, &packages).await?;
            }
        }
        binaries.require(root, targets)?;
        Ok(binaries)
    }

    /// The sampler's binary.
    pub(crate) fn sampler(&self) -> PathBuf {
        self.named(SAMPLER)
    }

    /// Path of a target's binary.
    pub(crate) fn path(&self, root: &Path, native: &Native) -> PathBuf {
        if Path::new(&native.binary).components().count() > 1 {
            root.join(&native.binary)
        } else {
            self.named(&native.binary)
        }
    }

    fn named(&self, name: &str) -> PathBuf {
        let built = self.built.get(name).cloned();
        built.unwrap_or_else(|| self.dir.join(name))
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

    async fn cargo_build(
        &self,
        root: &Path,
        state: &State,
        packages: &[String],
    ) -> Result<BTreeMap<String, PathBuf>> {
        let log = state.log("cargo-build");
        if let Some(directory) = log.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut command = cargo(root);
        command.args([
            "build",
            "--locked",
            "--message-format=json-render-diagnostics",
        ]);
        if !self.is_debug() {
            command.arg("--release");
        }
        for package in packages {
            command.args(["--package", package]);
        }
        command.stderr(File::create(&log)?);
        let finished = tokio::time::timeout(BUILD_LIMIT, command.output());
        let output = match finished
            .await
            .context("the build took more than 90 minutes")?
        {
            Ok(output) => output,
            // Binaries that were built elsewhere are as good; `require` looks for them.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(BTreeMap::new());
            }
            Err(error) => bail!("cannot start cargo: {error}"),
        };
        ensure!(
            output.status.success(),
            "the build failed ({}); its log {} says:\n{}",
            output.status,
            log.display(),
            tail(&log, 10)
        );
        Ok(executables(&String::from_utf8_lossy(&output.stdout)))
    }

    fn require(&self, root: &Path, targets: &[&Target]) -> Result<()> {
        let mut needed: Vec<PathBuf> = targets
            .iter()
            .filter(|target| !target.is_external())
            .filter_map(|target| Some(self.path(root, target.native.as_ref()?)))
            .collect();
        needed.push(self.sampler());
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

fn beside_weir() -> Result<PathBuf> {
    let weir = std::env::current_exe().context("weir does not know where it is")?;
    Ok(weir.parent().unwrap_or(Path::new("/")).to_path_buf())
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(root)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// The packages of this workspace among the targets' binaries, and the sampler.
async fn packages(root: &Path, targets: &[&Target]) -> Result<Vec<String>> {
    let mut command = cargo(root);
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    let Ok(output) = command.output().await else {
        // No cargo: `require` looks for what is there.
        return Ok(Vec::new());
    };
    ensure!(
        output.status.success(),
        "cargo metadata failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let workspace: Workspace = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    Ok(members(&workspace, targets))
}

fn members(workspace: &Workspace, targets: &[&Target]) -> Vec<String> {
    let native = targets.iter().filter_map(|target| target.native.as_ref());
    let wanted: BTreeSet<&str> = native
        .map(|native| native.binary.as_str())
        .chain([SAMPLER])
        .collect();
    let names = workspace.packages.iter().map(|package| &package.name);
    names
        .filter(|name| wanted.contains(name.as_str()))
        .cloned()
        .collect()
}

/// The executables that a build names, by the names of their targets.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok());
    messages
        .filter_map(|message| Some((message.target?.name, message.executable?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use lab_model::targets::Targets;

    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
    }

    #[tokio::test]
    async fn every_service_of_the_workspace_is_built() {
        let targets = Targets::load(&root()).unwrap();
        let all: Vec<&Target> = targets.iter().collect();
        let packages = packages(&root(), &all).await.unwrap();
        for name in [
            "balance",
            "event-log",
            "producer-grpc",
            "producer-rest",
            "stats-sidecar",
            "stream",
        ] {
            assert!(
                packages.iter().any(|package| package == name),
                "{name}: {packages:?}"
            );
        }
    }

    #[test]
    fn a_binary_is_where_cargo_says_that_it_is() {
        let messages = r#"
            {"reason":"compiler-artifact","target":{"name":"domain"},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"balance"},"executable":"/elsewhere/x86_64/release/balance"}
            {"reason":"build-finished","success":true}"#;
        let binaries = Binaries {
            dir: "/beside/release".into(),
            built: executables(messages),
        };
        assert_eq!(
            binaries.named("balance"),
            Path::new("/elsewhere/x86_64/release/balance")
        );
        assert_eq!(
            binaries.sampler(),
            Path::new("/beside/release/stats-sidecar")
        );
    }
}
