//! CPU time of a process and all its descendants, from /proc. Children that have ended count too: the kernel
//! adds their time to the parent that waited for them.

use std::collections::BTreeMap;

use nix::unistd::{SysconfVar, sysconf};

struct Process {
    parent: u32,
    /// Clock ticks of the process itself and of its ended children.
    ticks: u64,
}

/// CPU-seconds of `root` and its descendants so far; resolution is a clock tick, mostly 10 ms.
pub(crate) fn cpu_seconds(root: u32) -> anyhow::Result<f64> {
    let mut processes = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        // Gone between the listing and the reading: its parent has its time.
        if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            && let Some(process) = parse(&stat)
        {
            processes.insert(pid, process);
        }
    }
    anyhow::ensure!(processes.contains_key(&root), "process {root} is gone");
    let ticks: u64 = processes
        .iter()
        .filter(|&(&pid, _)| descends(&processes, pid, root))
        .map(|(_, process)| process.ticks)
        .sum();
    let per_second = sysconf(SysconfVar::CLK_TCK)?.unwrap_or(100);
    Ok(ticks as f64 / per_second as f64)
}

fn descends(processes: &BTreeMap<u32, Process>, mut pid: u32, root: u32) -> bool {
    while pid != root {
        match processes.get(&pid) {
            Some(process) if process.parent != 0 => pid = process.parent,
            _ => return false,
        }
    }
    true
}

/// Reads a line of `/proc/<pid>/stat`. The second field is the name in parentheses, which may hold anything.
fn parse(stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    // Counted from the state, field 3: ppid is field 4, utime to cstime are 14 to 17.
    let parent = fields.get(1)?.parse().ok()?;
    let ticks = fields
        .get(11..15)?
        .iter()
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Some(Process { parent, ticks })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn names_with_parentheses_are_understood() {
        let process = parse("12 (a) b) S 7 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1").unwrap();
        assert_eq!(process.parent, 7);
        assert_eq!(process.ticks, 5 + 6 + 7 + 8);
    }

    #[test]
    fn work_of_an_ended_grandchild_is_counted() {
        // A shell whose child burns some CPU and ends, while the shell stays.
        let script =
            "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; echo; exec sleep 60";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut byte = [0];
        std::io::Read::read_exact(&mut shell.stdout.take().unwrap(), &mut byte).unwrap();
        let seconds = cpu_seconds(shell.id()).unwrap();
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert!(seconds > 0.05, "{seconds}");
    }
}
