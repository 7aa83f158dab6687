//! What it all ran on.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::statfs::{FsType, statfs};
use serde::Serialize;

/// The machine and the build.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    pub(crate) commit: Option<String>,
    /// `release` or `debug`.
    pub(crate) build: &'static str,
    /// PostgreSQL's version and the settings that decide what a commit costs.
    pub(crate) postgres: Vec<(String, String)>,
    /// Of the machine's CPU time since [`Machine::read`], what the hypervisor gave to others, in percent.
    pub(crate) stolen_percent: Option<f64>,
    #[serde(skip)]
    begun: Option<CpuTime>,
}

impl Machine {
    pub(crate) fn read(root: &Path) -> Self {
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
            stolen_percent: None,
            begun: CpuTime::now(),
        }
    }

    /// The same, with what was stolen until now.
    pub(crate) fn until_now(&self) -> Self {
        let begun_and_now = self.begun.zip(CpuTime::now());
        Self {
            stolen_percent: begun_and_now.and_then(|(begun, now)| now.stolen_percent_since(begun)),
            ..self.clone()
        }
    }
}

/// CPU time of the machine since it was started, in ticks of all cores.
#[derive(Clone, Copy, Debug)]
struct CpuTime {
    stolen: u64,
    all: u64,
}

impl CpuTime {
    /// `None` where the kernel does not say.
    fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// `cpu user nice system idle iowait irq softirq steal guest guest_nice`; guest time is in user and nice already.
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks = line.split_whitespace().take(8).map(str::parse);
        let ticks: Vec<u64> = ticks.collect::<Result<_, _>>().ok()?;
        Some(Self {
            stolen: *ticks.get(7)?,
            all: ticks.iter().sum(),
        })
    }

    fn stolen_percent_since(self, begun: Self) -> Option<f64> {
        let all = self.all.checked_sub(begun.all).filter(|all| *all > 0)?;
        let stolen = self.stolen.checked_sub(begun.stolen)?;
        Some(stolen as f64 * 100.0 / all as f64)
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
pub(crate) fn in_memory(folder: &Path) -> bool {
    const RAMFS: FsType = FsType(0x8584_58f6);
    statfs(folder)
        .is_ok_and(|stat| [nix::sys::statfs::TMPFS_MAGIC, RAMFS].contains(&stat.filesystem_type()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hypervisor_took_is_a_share_of_all() {
        let at = |text| CpuTime::parse(text).expect("times");
        let begun = at("cpu  100 0 50 800 10 0 5 35 7 0\ncpu0 1 2 3\n");
        let now = at("cpu  150 0 70 900 10 0 5 65 9 0\n");
        let percent = now.stolen_percent_since(begun).expect("a share");
        assert!((percent - 15.0).abs() < 1e-9, "{percent}");
        assert_eq!(now.stolen_percent_since(now), None);
        for none in ["", "cpu 1 2 3\n", "cpu0 1 2 3 4 5 6 7 8\n", "cpu  a b\n"] {
            assert!(CpuTime::parse(none).is_none(), "{none}");
        }
    }
}
