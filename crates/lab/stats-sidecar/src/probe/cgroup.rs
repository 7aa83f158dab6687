//! A container's own counters in the kernel's files, version 1 and 2 of cgroups.
//!
//! They are read at the moment of the sample, whatever the engine's age. The sidecar sees them where it runs on
//! the host, or in a container with the host's `/sys/fs/cgroup` mounted read-only at
//! `/host/sys/fs/cgroup`; elsewhere the Docker API answers alone.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Counters, MIB};

/// Where the host's groups may be, in the order of preference.
const ROOTS: [&str; 2] = ["/host/sys/fs/cgroup", "/sys/fs/cgroup"];

/// Number of folders after which the search for a container's group ends.
const FOLDERS: usize = 5_000;

/// The group of one container.
#[derive(Clone, Debug, PartialEq)]
pub enum Cgroup {
    /// Version 1: a folder a controller.
    V1 {
        /// `cpuacct.usage`
        cpuacct: PathBuf,
        /// `cpu.stat`
        cpu: PathBuf,
        /// `memory.stat`, `memory.limit_in_bytes`
        memory: PathBuf,
    },
    /// Version 2: one folder.
    V2(PathBuf),
}

impl Cgroup {
    /// The group of the container with this full id; none where it cannot be seen from here.
    pub fn of_container(id: &str) -> Option<Self> {
        ROOTS
            .iter()
            .find_map(|root| Self::find(Path::new(root), id))
    }

    fn find(root: &Path, id: &str) -> Option<Self> {
        if root.join("cgroup.controllers").exists() {
            return Some(Self::V2(folder_of(root, id)?));
        }
        let controller = |names: [&str; 2]| {
            names
                .iter()
                .map(|name| root.join(name))
                .find(|path| path.is_dir())
        };
        let accounting = controller(["cpuacct", "cpu,cpuacct"])?;
        let cpuacct = folder_of(&accounting, id)?;
        let place = cpuacct.strip_prefix(&accounting).ok()?;
        Some(Self::V1 {
            cpu: controller(["cpu", "cpu,cpuacct"])?.join(place),
            memory: root.join("memory").join(place),
            cpuacct,
        })
    }

    /// Reads the counters; none once the group is gone, which is when its container has ended.
    pub fn read(&self, machine_mb: Option<f64>) -> Option<Counters> {
        match self {
            Self::V1 {
                cpuacct,
                cpu,
                memory,
            } => {
                let nanoseconds: f64 = text(cpuacct, "cpuacct.usage")?.trim().parse().ok()?;
                let limit = text(memory, "memory.limit_in_bytes");
                Some(Counters {
                    cpu_seconds: nanoseconds / 1e9,
                    throttled_seconds: figure(cpu, "cpu.stat", "throttled_time")
                        .map(|nanoseconds| nanoseconds / 1e9),
                    memory_used_mb: figure(memory, "memory.stat", "total_rss")
                        .map(|bytes| bytes / MIB),
                    memory_limit_mb: limit.and_then(|bytes| limit_mb(&bytes, machine_mb)),
                    ..Counters::default()
                })
            }
            Self::V2(folder) => Some(Counters {
                cpu_seconds: figure(folder, "cpu.stat", "usage_usec")? / 1e6,
                throttled_seconds: figure(folder, "cpu.stat", "throttled_usec")
                    .map(|microseconds| microseconds / 1e6),
                memory_used_mb: figure(folder, "memory.stat", "anon").map(|bytes| bytes / MIB),
                memory_limit_mb: text(folder, "memory.max")
                    .and_then(|bytes| limit_mb(&bytes, machine_mb)),
                ..Counters::default()
            }),
        }
    }
}

fn text(folder: &Path, file: &str) -> Option<String> {
    fs::read_to_string(folder.join(file)).ok()
}

/// The number on the line `name number`.
fn figure(folder: &Path, file: &str, name: &str) -> Option<f64> {
    let text = text(folder, file)?;
    text.lines().find_map(|line| {
        line.strip_prefix(name)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    })
}

/// No limit is `max` in version 2 and a number near 2^63 in version 1; one beyond the machine's memory is none.
fn limit_mb(bytes: &str, machine_mb: Option<f64>) -> Option<f64> {
    real_limit(bytes.trim().parse::<f64>().ok()? / MIB, machine_mb)
}

/// A limit that the machine's own memory does not set first.
pub(super) fn real_limit(limit_mb: f64, machine_mb: Option<f64>) -> Option<f64> {
    (limit_mb < machine_mb.map_or(1e9, |machine| machine * 0.999)).then_some(limit_mb)
}

/// The folder named for the container: `docker/ID`, `system.slice/docker-ID.scope` or deeper, breadth first.
fn folder_of(root: &Path, id: &str) -> Option<PathBuf> {
    let mut folders = VecDeque::from([root.to_path_buf()]);
    for _ in 0..FOLDERS {
        let entries = fs::read_dir(folders.pop_front()?)
            .into_iter()
            .flatten()
            .flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            if entry.file_name().to_string_lossy().contains(id) {
                return Some(entry.path());
            }
            folders.push_back(entry.path());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0ac9ff7efc3ae9e0bf61eb025a33c35240dc4031461a058210c78937880c41ac";

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (path, content) in files {
            let path = root.join(path.replace("ID", ID));
            fs::create_dir_all(path.parent().expect("folder")).expect("folder");
            fs::write(path, content).expect("file");
        }
    }

    #[test]
    fn version_1() {
        let root = tempfile::tempdir().expect("folder");
        write(
            root.path(),
            &[
                ("cpu,cpuacct/docker/other/cpuacct.usage", "1\n"),
                ("cpu,cpuacct/docker/ID/cpuacct.usage", "2500000000\n"),
                (
                    "cpu,cpuacct/docker/ID/cpu.stat",
                    "nr_periods 9\nthrottled_time 1500000000\n",
                ),
                (
                    "memory/docker/ID/memory.stat",
                    "rss 1\ntotal_rss_huge 7\ntotal_rss 3145728\n",
                ),
                (
                    "memory/docker/ID/memory.limit_in_bytes",
                    "9223372036854771712\n",
                ),
            ],
        );
        let group = Cgroup::find(root.path(), ID).expect("found");
        let counters = group.read(None).expect("readable");
        assert_eq!(
            (counters.cpu_seconds, counters.throttled_seconds),
            (2.5, Some(1.5))
        );
        assert_eq!(
            (counters.memory_used_mb, counters.memory_limit_mb),
            (Some(3.0), None)
        );
        assert_eq!(Cgroup::find(root.path(), "elsewhere"), None);
        fs::remove_dir_all(root.path().join("cpu,cpuacct/docker")).expect("removed");
        assert_eq!(group.read(None), None);
    }

    #[test]
    fn version_2() {
        let root = tempfile::tempdir().expect("folder");
        let folder = "system.slice/docker-ID.scope";
        write(
            root.path(),
            &[
                ("cgroup.controllers", "cpu memory\n"),
                (
                    &format!("{folder}/cpu.stat"),
                    "usage_usec 2500000\nthrottled_usec 1500000\n",
                ),
                (&format!("{folder}/memory.stat"), "anon 3145728\nfile 99\n"),
                (&format!("{folder}/memory.max"), "1073741824\n"),
            ],
        );
        let group = Cgroup::find(root.path(), ID).expect("found");
        let counters = group.read(Some(8_192.0)).expect("readable");
        assert_eq!(
            (counters.cpu_seconds, counters.throttled_seconds),
            (2.5, Some(1.5))
        );
        assert_eq!(
            (counters.memory_used_mb, counters.memory_limit_mb),
            (Some(3.0), Some(1024.0))
        );
        assert_eq!(
            group.read(Some(512.0)).expect("readable").memory_limit_mb,
            None
        );
        write(root.path(), &[(&format!("{folder}/memory.max"), "max\n")]);
        assert_eq!(group.read(None).expect("readable").memory_limit_mb, None);
    }
}
