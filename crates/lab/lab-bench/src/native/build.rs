//! The binaries of a native run: built anew where sources have changed, and found where cargo says that it put them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab_host::child::tail;
use lab_host::state::State;
use lab_model::targets::{Native, Target};
use serde::Deserialize;
use tokio::process::Command;

use crate::progress::Progress;

/// A release build from nothing on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(90 * 60);

/// Names of cargo's directories, and of the profiles that they are for.
const PROFILES: [&str; 3] = ["release", "dist", "debug"];

/// What samples the resources.
const SAMPLER: &str = "stats-sidecar";

/// Where the binaries are.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    /// Beside weir, or as `WEIR_BIN_DIR` says.
    dir: PathBuf,
    /// Those that cargo has built for this session, by name: they are where cargo says that it put them.
    built: BTreeMap<String, PathBuf>,
}

/// A line of `cargo build --message-format=json`, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    target: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Binaries {
    /// Uses `WEIR_BIN_DIR` as it is where that is set, else builds into the directory of weir itself.
    pub(crate) async fn build(
        root: &Path,
        state: &State,
        targets: &[&Target],
        progress: &Progress,
    ) -> Result<Self> {
        if let Some(dir) = std::env::var_os("WEIR_BIN_DIR").filter(|dir| !dir.is_empty()) {
            let dir = std::path::absolute(dir)?;
            let binaries = Self {
                dir,
                built: BTreeMap::new(),
            };
            binaries.require(root, targets)?;
            return Ok(binaries);
        }
        let weir = std::env::current_exe().context("weir does not know where it is")?;
        let mut binaries = Self {
            dir: weir.parent().unwrap_or(Path::new("/")).to_path_buf(),
            built: BTreeMap::new(),
        };
        if binaries.belongs_to_cargo() {
            let programs = binaries.own(targets);
            binaries.built = binaries.cargo_build(root, state, &programs).await?;
        }
        for native in targets.iter().filter_map(|target| target.native.as_ref()) {
            if !native.build.is_empty() {
                contender(root, state, native, progress).await?;
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
        if is_own(native) {
            self.named(&native.binary)
        } else {
            root.join(&native.binary)
        }
    }

    fn named(&self, name: &str) -> PathBuf {
        let built = self.built.get(name).cloned();
        built.unwrap_or_else(|| self.dir.join(name))
    }

    /// `release`, `dist` or `debug`, by cargo's directory names; `release` where the directory is none of cargo's.
    pub(crate) fn profile(&self) -> &'static str {
        let known = PROFILES.into_iter().find(|name| self.dir.ends_with(name));
        known.unwrap_or("release")
    }

    /// True where the directory is that of cargo's debug builds.
    pub(crate) fn is_debug(&self) -> bool {
        self.dir.ends_with("debug")
    }

    fn belongs_to_cargo(&self) -> bool {
        PROFILES.iter().any(|name| self.dir.ends_with(name))
    }

    /// Names of this workspace's programs among the targets' binaries, and the sampler.
    fn own(&self, targets: &[&Target]) -> Vec<String> {
        let mut all: Vec<String> = targets
            .iter()
            .filter_map(|target| target.native.as_ref())
            .filter(|native| is_own(native))
            .map(|native| native.binary.clone())
            .chain([SAMPLER.to_owned()])
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// Builds programs of the workspace. `--workspace` gives the dependencies the same features whichever of the
    /// programs are built, so that nothing is compiled twice.
    async fn cargo_build(
        &self,
        root: &Path,
        state: &State,
        programs: &[String],
    ) -> Result<BTreeMap<String, PathBuf>> {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args([
            "build",
            "--locked",
            "--workspace",
            "--message-format=json-render-diagnostics",
        ]);
        if !self.is_debug() {
            command.args(["--profile", self.profile()]);
        }
        for program in programs {
            command.args(["--bin", program]);
        }
        // Without cargo, binaries that were built elsewhere are as good; `require` looks for them.
        let messages = built(command.current_dir(root), &state.log("cargo-build")).await?;
        Ok(executables(&messages.unwrap_or_default()))
    }

    fn require(&self, root: &Path, targets: &[&Target]) -> Result<()> {
        let mut needed: Vec<PathBuf> = targets
            .iter()
            .filter(|target| !target.is_external())
            .filter_map(|target| target.native.as_ref())
            // What a toolchain of its own builds may be missing: the others are measured all the same.
            .filter(|native| native.build.is_empty())
            .map(|native| self.path(root, native))
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

/// A name alone is a program of this workspace; everything else is a path.
fn is_own(native: &Native) -> bool {
    Path::new(&native.binary).components().count() == 1
}

/// Builds a program of another stack by its own command, and says how long that took. Where the toolchain is missing it says
/// so, and the target is left out.
async fn contender(root: &Path, state: &State, native: &Native, progress: &Progress) -> Result<()> {
    let [program, arguments @ ..] = &native.build[..] else {
        return Ok(());
    };
    let name = Path::new(&native.binary)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let began = Instant::now();
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root);
    let log = state.log(&format!("build-{name}"));
    if built(&mut command, &log).await?.is_some() {
        let seconds = began.elapsed().as_secs_f64();
        progress.say(&format!("{name}: built by {program} in {seconds:.0} s"));
    } else {
        progress.say(&format!("{name} is left out: '{program}' is not installed"));
    }
    Ok(())
}

/// The executables that a build names, by the names of their programs.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let lines = messages.lines();
    let messages = lines.filter_map(|line| serde_json::from_str::<Message>(line).ok());
    messages
        .filter_map(|message| Some((message.target?.name, message.executable?)))
        .collect()
}

/// Runs a build to its end, its standard error in a log; answers its standard output, none where its program is not
/// installed.
async fn built(command: &mut Command, log: &Path) -> Result<Option<String>> {
    if let Some(directory) = log.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let out = File::create(log)?;
    command.stdin(Stdio::null()).stderr(out).kill_on_drop(true);
    let program = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let finished = tokio::time::timeout(BUILD_LIMIT, command.output());
    let output = match finished
        .await
        .context("the build took more than 90 minutes")?
    {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => bail!("cannot start {program}: {error}"),
    };
    ensure!(
        output.status.success(),
        "the build by {program} failed ({}); its log {} says:\n{}",
        output.status,
        log.display(),
        tail(log, 10)
    );
    Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_that_of_the_directory() {
        for (dir, profile, of_cargo) in [
            ("/w/target/release", "release", true),
            ("/w/target/dist", "dist", true),
            ("/w/target/debug", "debug", true),
            ("/opt/weir", "release", false),
        ] {
            let binaries = Binaries {
                dir: dir.into(),
                built: BTreeMap::new(),
            };
            assert_eq!(binaries.profile(), profile, "{dir}");
            assert_eq!(binaries.belongs_to_cargo(), of_cargo, "{dir}");
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
