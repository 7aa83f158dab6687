//! The binaries of a native run: built anew where sources have changed, and found where cargo says that it put them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab_host::child::tail;
use lab_host::state::State;
use lab_model::scenario::Scenario;
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
    /// The targets are a user's own: nothing of this workspace is measured, and weir's own build does not matter.
    own: bool,
}

/// The program that samples, and what comes before its own arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sampler {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<&'static str>,
}

/// The lab's own generator.
const BENCHMARK: &str = "benchmark";

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
        with_benchmark: bool,
        progress: &Progress,
    ) -> Result<Self> {
        let own = !root.join("Cargo.toml").is_file() && !targets.is_empty();
        let own = own && targets.iter().all(|t| t.scenario == Scenario::Own);
        let programs = if with_benchmark {
            &[SAMPLER, BENCHMARK][..]
        } else {
            &[SAMPLER]
        };
        if let Some(dir) = std::env::var_os("WEIR_BIN_DIR").filter(|dir| !dir.is_empty() && !own) {
            let dir = std::path::absolute(dir)?;
            let binaries = Self {
                dir,
                built: BTreeMap::new(),
                own,
            };
            binaries.require(root, targets, programs)?;
            return Ok(binaries);
        }
        let weir = std::env::current_exe().context("weir does not know where it is")?;
        let mut binaries = Self {
            dir: weir.parent().unwrap_or(Path::new("/")).to_path_buf(),
            built: BTreeMap::new(),
            own,
        };
        if binaries.belongs_to_cargo() && !own {
            let all = binaries.own(targets, programs);
            binaries.built = binaries.cargo_build(root, state, &all).await?;
        }
        for native in targets.iter().filter_map(|target| target.native.as_ref()) {
            if !native.build.is_empty() {
                contender(root, state, native, progress).await?;
            }
        }
        binaries.require(root, targets, programs)?;
        Ok(binaries)
    }

    /// The sampler: a binary beside weir, or weir itself where it is alone.
    pub(crate) fn sampler(&self) -> Sampler {
        let beside = self.named(SAMPLER);
        match std::env::current_exe() {
            Ok(weir) if self.own && !beside.is_file() => Sampler {
                program: weir,
                args: vec![SAMPLER],
            },
            _ => Sampler {
                program: beside,
                args: Vec::new(),
            },
        }
    }

    /// The generator's binary.
    pub(crate) fn benchmark(&self) -> PathBuf {
        self.named(BENCHMARK)
    }

    /// Path of a target's binary.
    pub(crate) fn path(&self, root: &Path, native: &Native) -> PathBuf {
        match &native.dir {
            // A name alone is looked for on the PATH.
            Some(_) if is_name(native) => PathBuf::from(&native.binary),
            Some(dir) => dir.join(&native.binary),
            None if is_name(native) => self.named(&native.binary),
            None => root.join(&native.binary),
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

    /// True where the directory is that of cargo's debug builds, and services of this workspace are measured.
    pub(crate) fn is_debug(&self) -> bool {
        !self.own && self.dir.ends_with("debug")
    }

    fn belongs_to_cargo(&self) -> bool {
        PROFILES.iter().any(|name| self.dir.ends_with(name))
    }

    /// Names of this workspace's programs among the targets' binaries, and these programs.
    fn own(&self, targets: &[&Target], programs: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = targets
            .iter()
            .filter_map(|target| target.native.as_ref())
            .filter(|native| is_name(native) && native.dir.is_none())
            .map(|native| native.binary.clone())
            .chain(programs.iter().map(|name| (*name).to_owned()))
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

    fn require(&self, root: &Path, targets: &[&Target], programs: &[&str]) -> Result<()> {
        let mut needed: Vec<PathBuf> = targets
            .iter()
            .filter(|target| !target.is_external())
            .filter_map(|target| target.native.as_ref())
            // What a toolchain of its own builds may be missing: the others are measured all the same.
            .filter(|native| native.build.is_empty() && native.dir.is_none())
            .map(|native| self.path(root, native))
            .collect();
        let beside = programs.iter().filter(|name| **name != SAMPLER);
        needed.extend(beside.map(|name| self.named(name)));
        needed.push(self.sampler().program);
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

/// A name alone, no path: a program of this workspace, or in a user's own file one of the PATH.
fn is_name(native: &Native) -> bool {
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
    command
        .args(arguments)
        .current_dir(native.dir.as_deref().unwrap_or(root));
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
                own: false,
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
            own: false,
        };
        assert_eq!(
            binaries.named("balance"),
            Path::new("/elsewhere/x86_64/release/balance")
        );
        assert_eq!(
            binaries.sampler().program,
            Path::new("/beside/release/stats-sidecar")
        );
    }
}
