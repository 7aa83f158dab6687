//! PostgreSQL's programs and data directories: within reach of their account, of one version, complete.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;

use super::{PASSWORD, Spec, USER, run_as};
use crate::process::{output_of, tail};
use crate::state::{State, open_to_all};

/// PostgreSQL's programs where its account can reach them; a copy in the state directory otherwise.
pub(super) async fn reachable(state: &State, pg_bin: &Path) -> Result<PathBuf> {
    if state.account.is_none() || open_to_all(pg_bin) {
        return Ok(pg_bin.to_owned());
    }
    let install = pg_bin
        .parent()
        .with_context(|| format!("{} has no parent", pg_bin.display()))?;
    let name = install
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let copy = state.dir.join("tools").join(name);
    let bin = copy.join(pg_bin.file_name().unwrap_or_default());
    if !bin.join("postgres").is_file() {
        let temporary = copy.with_extension("new");
        if temporary.exists() {
            fs::remove_dir_all(&temporary)?;
        }
        fs::create_dir_all(temporary.parent().unwrap_or(&state.dir))?;
        let status = Command::new("cp")
            .arg("-R")
            .arg(install)
            .arg(&temporary)
            .status()
            .await?;
        ensure!(
            status.success(),
            "cannot copy {} to {}",
            install.display(),
            temporary.display()
        );
        fs::rename(&temporary, &copy)?;
    }
    Ok(bin)
}

/// A data directory serves one major version of PostgreSQL only.
pub(super) async fn check_version(pg_bin: &Path, data: &Path, spec: &Spec<'_>) -> Result<()> {
    let Ok(made_by) = fs::read_to_string(data.join("PG_VERSION")) else {
        return Ok(());
    };
    let made_by = made_by.trim();
    let program = pg_bin.join("postgres").to_string_lossy().into_owned();
    let Some(version) = output_of(&program, &["--version"], Duration::from_secs(10)).await else {
        bail!("{program} --version failed");
    };
    let major = version
        .split(|c: char| !c.is_ascii_digit())
        .find(|part| !part.is_empty());
    if major == Some(made_by) {
        return Ok(());
    }
    ensure!(
        spec.disposable,
        "{} was made by PostgreSQL {made_by}, and the tools are '{version}': set WEIR_PG_BIN to a PostgreSQL \
         {made_by}, or move the directory away to begin a new history",
        data.display()
    );
    fs::remove_dir_all(data)?;
    Ok(())
}

/// Makes the data directory under another name first: what is there under its own name is complete.
pub(super) async fn init(state: &State, pg_bin: &Path, data: &Path, name: &str) -> Result<()> {
    let fresh = data.with_extension("new");
    for leftover in [&fresh, &data.to_path_buf()] {
        if leftover.exists() {
            fs::remove_dir_all(leftover)?;
        }
    }
    state.private_dir(&fresh)?;
    let password = state.dir.join(format!("{name}.password"));
    fs::write(&password, PASSWORD)?;
    state.give(&password)?;
    let log = state.log(&format!("{name}-initdb"));
    fs::create_dir_all(log.parent().unwrap_or(&state.dir))?;
    let out = fs::File::create(&log)?;

    let mut command = Command::new(pg_bin.join("initdb"));
    run_as(state, &mut command);
    command
        .arg("-D")
        .arg(&fresh)
        .args([
            "-U",
            USER,
            "-E",
            "UTF8",
            "--locale=C",
            "--auth=scram-sha-256",
        ])
        .arg(format!("--pwfile={}", password.display()))
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .kill_on_drop(true);
    let status = command
        .status()
        .await
        .with_context(|| format!("{}/initdb", pg_bin.display()))?;
    fs::remove_file(&password)?;
    ensure!(
        status.success(),
        "initdb failed ({status}):\n{}",
        tail(&log, 8)
    );
    fs::rename(&fresh, data)?;
    Ok(())
}
