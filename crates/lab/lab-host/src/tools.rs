//! k6 and PostgreSQL for native runs: named in `.tools/env`, which `scripts/native-tools.sh` writes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::child::{output_of, tail};
use crate::named;

/// The oldest k6 that runs the scripts, as in `scripts/native-tools.sh`.
const OLDEST_K6: (u32, u32) = (1, 1);
/// Fetching both over a slow line.
const FETCH_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Where the native tools are.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The k6 binary.
    pub k6: PathBuf,
    /// PostgreSQL's directory of programs: `postgres`, `initdb`.
    pub pg_bin: PathBuf,
}

impl Tools {
    /// Reads `.tools/env`; `WEIR_K6` and `WEIR_PG_BIN` of the environment go before it.
    /// None where either is not known or not there.
    pub fn find(root: &Path) -> Option<Self> {
        let k6 = named::path(root, "WEIR_K6")?;
        let pg_bin = named::path(root, "WEIR_PG_BIN")?;
        (k6.is_file() && pg_bin.join("postgres").is_file()).then_some(Self { k6, pg_bin })
    }

    /// The same, running `scripts/native-tools.sh` first where something is missing.
    pub async fn find_or_fetch(root: &Path, log: &Path) -> Result<Self> {
        if let Some(tools) = Self::find(root) {
            return Ok(tools);
        }
        let script = root.join("scripts/native-tools.sh");
        ensure!(
            script.is_file(),
            "k6 and PostgreSQL are not set up: set WEIR_K6 and WEIR_PG_BIN (there is no {})",
            script.display()
        );
        if let Some(directory) = log.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let out = std::fs::File::create(log)?;
        let status = Command::new(&script)
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .kill_on_drop(true)
            .status();
        let status = tokio::time::timeout(FETCH_LIMIT, status)
            .await
            .context("scripts/native-tools.sh took more than 20 minutes")??;
        ensure!(
            status.success(),
            "scripts/native-tools.sh failed ({status}):\n{}\nIts log is {}.",
            tail(log, 8),
            log.display()
        );
        Self::find(root).context(
            "scripts/native-tools.sh left no usable .tools/env: where WEIR_K6 or WEIR_PG_BIN is set, it goes before that file \
             and must name a k6, or a folder with PostgreSQL's programs",
        )
    }

    /// First line of `k6 version`, of a k6 that runs the scripts.
    ///
    /// # Errors
    /// It does not say its version, or is too old.
    pub async fn k6_version(&self) -> Result<String> {
        let (major, minor) = OLDEST_K6;
        let program = self.k6.to_string_lossy();
        let said = output_of(&program, &["version"], Duration::from_secs(20)).await;
        let said = said.unwrap_or_default();
        let said = said.lines().next().unwrap_or_default();
        ensure!(
            version_in(said).is_some_and(|found| found >= OLDEST_K6),
            "{} is no k6 of version {major}.{minor} or later (it says '{said}'): let WEIR_K6 name another one, or unset it and \
             run scripts/native-tools.sh",
            self.k6.display()
        );
        Ok(said.to_owned())
    }
}

/// Major and minor version in `k6 v1.1.0 (go1.24, linux/amd64)`.
fn version_in(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.strip_prefix("k6 v")?.split(['.', '-', ' ']);
    let mut number = || numbers.next()?.parse().ok();
    Some((number()?, number()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_k6_are_compared_as_numbers() {
        for (said, version) in [
            ("k6 v1.1.0 (go1.24.3, linux/amd64)", Some((1, 1))),
            ("k6 v0.57.0", Some((0, 57))),
            ("k6 v10.2.3-rc1 (commit/abc)", Some((10, 2))),
            ("k6: command not found", None),
            ("", None),
        ] {
            assert_eq!(version_in(said), version, "{said}");
        }
    }
}
