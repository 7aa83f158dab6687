//! What it all ran on.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::statfs::{FsType, statfs};
use serde::Serialize;

/// The machine and the build.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) memory_mib: u64,
    pub(super) kernel: String,
    pub(super) commit: Option<String>,
    /// `release` or `debug`.
    pub(super) build: &'static str,
    /// PostgreSQL's version and the settings that decide what a commit costs.
    pub(super) postgres: Vec<(String, String)>,
}

impl Machine {
    pub(super) fn read(root: &Path) -> Self {
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned())
                .unwrap_or_default()
        };
        let memory = field("/proc/meminfo", "MemTotal");
        let kib: u64 = memory
            .split_whitespace()
            .next()
            .and_then(|kib| kib.parse().ok())
            .unwrap_or(0);
        Self {
            cpu: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mib: kib / 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            commit: commit(root),
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
            postgres: Vec::new(),
        }
    }
}

fn commit(root: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(arguments)
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() {
        commit
    } else {
        format!("{commit}+dirty")
    })
}

/// Whether `folder` lies in memory, where a flush costs nothing and a comparison of durable writes says nothing.
pub(super) fn in_memory(folder: &Path) -> bool {
    const RAMFS: FsType = FsType(0x8584_58f6);
    statfs(folder)
        .is_ok_and(|stat| [nix::sys::statfs::TMPFS_MAGIC, RAMFS].contains(&stat.filesystem_type()))
}
