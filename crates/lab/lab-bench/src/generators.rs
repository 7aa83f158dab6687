//! Several generators that make one load together, each on a machine of its own.
//!
//! - this file: what is run there, and all of them from the start of a measurement to its end
//! - [`clock`]: how far a generator's clock is from this machine's
//!
//! A generator is a process of `benchmark` behind a prefix command (`ssh`, `kubectl exec`, `ip netns exec`). It writes its result
//! to standard output, and it stops once its standard input has ended: a connection that breaks and a weir that is killed leave
//! nothing running elsewhere.

pub mod clock;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lab_host::child::{Spawned, tail};
use lab_host::child_environment;
use lab_model::generators::Generator;
use tokio::process::{ChildStdin, Command};

use crate::k6::TOKEN;

/// What a prefix command finds its way by, beyond what every child is given.
const PASSED: [&str; 2] = ["SSH_AUTH_SOCK", "KUBECONFIG"];

/// How long a short command may take there, its connection included.
const ASK_LIMIT: Duration = Duration::from_secs(20);

/// How long a generator may take to end once its input has.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// `program` with `arguments`, where `generator` is.
fn command(generator: &Generator, program: &Path, arguments: &[String]) -> Command {
    let there = generator.benchmark.as_deref().map(Path::new);
    let mut words = generator
        .prefix
        .iter()
        .map(PathBuf::from)
        .collect::<Vec<_>>();
    words.push(there.unwrap_or(program).to_owned());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(arguments);
    // Its home is the caller's: that is where the prefix command has its keys.
    child_environment::clean(command.as_std_mut());
    for name in PASSED {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.kill_on_drop(true);
    command
}

/// The version of `benchmark` that a generator runs.
///
/// # Errors
/// The command cannot be run, takes too long, or fails; with what it said.
pub async fn version(generator: &Generator, program: &Path) -> Result<String> {
    let mut asked = command(generator, program, &["--version".into()]);
    asked.stdin(std::process::Stdio::null());
    let output = tokio::time::timeout(ASK_LIMIT, asked.output())
        .await
        .with_context(|| {
            format!(
                "generator {}: no answer within {} s",
                generator.name,
                ASK_LIMIT.as_secs()
            )
        })?
        .with_context(|| format!("generator {}: {asked:?} cannot be run", generator.name))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        bail!(
            "generator {}: {:?} failed ({}): {}",
            generator.name,
            asked.as_std(),
            output.status,
            said(&output.stderr)
        );
    }
    Ok(said(&output.stdout))
}

/// What one of them is to do.
#[derive(Clone, Debug)]
pub struct Part {
    /// Who does it.
    pub generator: Generator,
    /// Arguments of `benchmark`, but for those that this file adds.
    pub arguments: Vec<String>,
    /// Variables of its environment; a prefix command has to pass them on.
    pub env: Vec<(String, String)>,
    /// Where its result goes, a path on this machine.
    pub result: PathBuf,
    /// Where what it says of itself goes.
    pub log: PathBuf,
}

/// One that was started.
#[derive(Debug)]
struct Member {
    name: String,
    process: Spawned,
    /// Held until the process has ended: it stops when this does.
    input: ChildStdin,
}

/// All of them. Dropping it stops them.
#[derive(Debug)]
pub struct Group {
    members: Vec<Member>,
}

impl Group {
    /// Starts all parts. `token` goes through the environment, never into a command line.
    ///
    /// # Errors
    /// One cannot be started; the others are stopped.
    pub fn start(parts: Vec<Part>, program: &Path, token: Option<&str>) -> Result<Self> {
        let mut members = Vec::new();
        for part in parts {
            let mut arguments = part.arguments;
            arguments.extend(["--json=-".into(), "--stop-on-eof".into()]);
            let mut command = command(&part.generator, program, &arguments);
            command
                .envs(part.env)
                .envs(token.map(|token| (TOKEN, token)));
            let out = File::create(&part.result)
                .with_context(|| format!("cannot write {}", part.result.display()))?;
            let name = format!("generator {}", part.generator.name);
            let (process, input) = Spawned::start_with_input(&name, command, out, &part.log)?;
            members.push(Member {
                name,
                process,
                input,
            });
        }
        Ok(Self { members })
    }

    /// Waits until all have ended well.
    ///
    /// # Errors
    /// One of them ended in a way that leaves no result: its name and what it said. The others go on until this value is
    /// stopped or dropped.
    pub async fn wait(&mut self) -> Result<()> {
        let mut ends: FuturesUnordered<_> =
            self.members.iter_mut().map(Member::ended_well).collect();
        while let Some(ended) = ends.next().await {
            ended?;
        }
        Ok(())
    }

    /// Stops those that still run: their input ends, and who does not hear of it is killed.
    ///
    /// # Errors
    /// A process cannot be waited for.
    pub async fn stop(self) -> Result<()> {
        let split = self.members.into_iter();
        let (mut processes, inputs): (Vec<_>, Vec<_>) =
            split.map(|member| (member.process, member.input)).unzip();
        drop(inputs);
        for process in &mut processes {
            // One that takes longer is stopped below.
            tokio::time::timeout(STOP_GRACE, process.wait()).await.ok();
        }
        for process in processes {
            process.stop(STOP_GRACE).await?;
        }
        Ok(())
    }
}

impl Member {
    async fn ended_well(&mut self) -> Result<()> {
        let status = self.process.wait().await?;
        if leaves_a_result(status) {
            return Ok(());
        }
        bail!(
            "{} failed ({status}); its log {} says:\n{}",
            self.name,
            self.process.log().display(),
            tail(self.process.log(), 5)
        )
    }
}

/// Status 1 says that nothing succeeded: the result shows that.
#[must_use]
pub fn leaves_a_result(status: ExitStatus) -> bool {
    status.success() || status.code() == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(folder: &Path, name: &str, script: &str) -> Part {
        Part {
            generator: Generator {
                name: name.into(),
                prefix: vec!["sh".into(), "-c".into(), script.into()],
                benchmark: Some("ignored".into()),
                target_host: None,
                threads: None,
                share: 1,
            },
            arguments: Vec::new(),
            env: Vec::new(),
            result: folder.join(format!("{name}.json")),
            log: folder.join(format!("{name}.log")),
        }
    }

    #[tokio::test]
    async fn the_first_that_dies_ends_the_wait_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let parts = vec![
            part(folder.path(), "steady", "exec sleep 300"),
            part(
                folder.path(),
                "frail",
                "echo no route to host >&2; exit 255",
            ),
        ];
        let mut group = Group::start(parts, Path::new("benchmark"), None).unwrap();
        let waited = tokio::time::timeout(Duration::from_secs(20), group.wait());
        let error = waited.await.unwrap().unwrap_err().to_string();
        assert!(
            error.contains("generator frail failed") && error.contains("no route to host"),
            "{error}"
        );
        tokio::time::timeout(Duration::from_secs(20), group.stop())
            .await
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn a_generator_whose_starter_is_gone_hears_of_it() {
        let folder = tempfile::tempdir().unwrap();
        // It ends with its input, and has a result then.
        let script = "while read -r line; do :; done; echo result";
        let mut group = Group::start(
            vec![part(folder.path(), "far", script)],
            Path::new("benchmark"),
            None,
        )
        .unwrap();
        let still = tokio::time::timeout(Duration::from_millis(200), group.wait()).await;
        assert!(still.is_err(), "it ended with its input open");
        group.stop().await.unwrap();
        let result = std::fs::read_to_string(folder.path().join("far.json")).unwrap();
        assert_eq!(result, "result\n");
    }

    #[tokio::test]
    async fn a_command_that_does_not_exist_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut asked = part(folder.path(), "typo", "").generator;
        asked.prefix = vec!["sssh".into(), "load-1".into()];
        let error = version(&asked, Path::new("benchmark")).await.unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("generator typo") && error.contains("sssh"),
            "{error}"
        );
    }
}
