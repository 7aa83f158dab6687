//! PostgreSQL's programs and data directories: within reach of their account, of one version, complete.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::spec::{PASSWORD, Spec, USER};
use crate::open_to_all;
use crate::postgres::Programs;
use crate::server;
use crate::state::State;

/// PostgreSQL's programs in `pg_bin`; a copy in the state directory where its account could not reach them.
pub(super) async fn programs(state: &State, pg_bin: &Path) -> Result<Programs> {
    let folder = reachable(state, pg_bin).await?;
    Ok(Programs::at(&folder, state.account)?)
}

async fn reachable(state: &State, pg_bin: &Path) -> Result<PathBuf> {
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
pub(super) fn check_version(programs: &Programs, data: &Path, spec: &Spec<'_>) -> Result<()> {
    let Ok(made_by) = fs::read_to_string(data.join("PG_VERSION")) else {
        return Ok(());
    };
    let made_by = made_by.trim();
    if made_by == programs.major.to_string() {
        return Ok(());
    }
    ensure!(
        spec.disposable,
        "{} was made by PostgreSQL {made_by}, and the tools are '{}': set WEIR_PG_BIN to a PostgreSQL \
         {made_by}, or move the directory away to begin a new history",
        data.display(),
        programs.version
    );
    fs::remove_dir_all(data)?;
    Ok(())
}

/// Makes the data directory under another name first: what is there under its own name is complete.
pub(super) async fn init(
    state: &State,
    programs: &Programs,
    data: &Path,
    name: &str,
) -> Result<()> {
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
    let from_file = format!("--pwfile={}", password.display());
    let options = ["--auth=scram-sha-256", &from_file];
    let made = server::make(programs, &fresh, USER, &options, &log).await;
    fs::remove_file(&password)?;
    made?;
    fs::rename(&fresh, data)?;
    Ok(())
}
