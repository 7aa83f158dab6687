//! k6 and PostgreSQL for native runs: named in `.tools/env`, which `scripts/native-tools.sh` writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::process::{output_of, tail};

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
        let file = std::fs::read_to_string(root.join(".tools/env")).unwrap_or_default();
        let named = parse(&file);
        let get = |key: &str| {
            std::env::var(key)
                .ok()
                .filter(|v| !v.is_empty())
                .or_else(|| named.get(key).cloned())
        };
        let k6 = PathBuf::from(get("WEIR_K6")?);
        let pg_bin = PathBuf::from(get("WEIR_PG_BIN")?);
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
        Self::find(root).context("scripts/native-tools.sh left no usable .tools/env")
    }

    /// First line of `k6 version`.
    pub async fn k6_version(&self) -> Option<String> {
        let text = output_of(
            &self.k6.to_string_lossy(),
            &["version"],
            Duration::from_secs(20),
        )
        .await?;
        text.lines().next().map(str::to_owned)
    }
}

/// `KEY=value` lines, values bare or in quotes, `export` allowed.
pub(crate) fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim().trim_start_matches("export ");
            if line.starts_with('#') {
                return None;
            }
            let (key, value) = line.split_once('=')?;
            Some((
                key.trim().to_owned(),
                value.trim().trim_matches(['"', '\'']).to_owned(),
            ))
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
}
