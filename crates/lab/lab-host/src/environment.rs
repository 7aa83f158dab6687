//! The environment of a session: what two sessions must share to be compared, as JSON and as its hash.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::child::output_of;

const LIMIT: Duration = Duration::from_secs(10);

/// The machine: kernel, CPU, memory, governor, the limits of the cgroup that weir runs in.
pub async fn machine() -> Value {
    let uname = nix::sys::utsname::uname().ok();
    let text = |part: Option<&std::ffi::OsStr>| part.map(|s| s.to_string_lossy().into_owned());
    json!({
        "os": text(uname.as_ref().map(|u| u.sysname())),
        "kernel": text(uname.as_ref().map(|u| u.release())),
        "architecture": text(uname.as_ref().map(|u| u.machine())),
        "cpu_model": cpu_model().await,
        "cores": cores(),
        "memory_mb": memory_bytes().map(|b| b / (1024 * 1024)),
        "governor": read_trimmed("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "cgroup_cpu_limit": cgroup_cpu_limit(),
        "cgroup_memory_limit_mb": cgroup_memory_limit().map(|b| b / (1024 * 1024)),
        "rustc": output_of("rustc", &["--version"], LIMIT).await,
    })
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Memory of the machine, bytes.
pub fn memory_bytes() -> Option<u64> {
    if let Ok(text) = fs::read_to_string("/proc/meminfo") {
        let line = text.lines().find(|l| l.starts_with("MemTotal:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        return Some(kib * 1024);
    }
    let output = std::process::Command::new("sysctl")
        .args(["-n", "hw.memsize"])
        .output()
        .ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

async fn cpu_model() -> Option<String> {
    if let Ok(text) = fs::read_to_string("/proc/cpuinfo") {
        let named = text
            .lines()
            .find(|l| l.starts_with("model name") || l.starts_with("Model"))?;
        return named
            .split_once(':')
            .map(|(_, name)| name.trim().to_owned());
    }
    output_of("sysctl", &["-n", "machdep.cpu.brand_string"], LIMIT).await
}

fn read_trimmed(path: &str) -> Option<String> {
    fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|t| !t.is_empty())
}

/// CPUs that the cgroup grants (v2 `cpu.max`, v1 `cpu.cfs_quota_us`), none where it does not limit.
fn cgroup_cpu_limit() -> Option<f64> {
    if let Some(text) = read_trimmed("/sys/fs/cgroup/cpu.max") {
        let (quota, period) = text.split_once(' ')?;
        return Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?);
    }
    let quota: f64 = read_trimmed("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")?
        .parse()
        .ok()?;
    let period: f64 = read_trimmed("/sys/fs/cgroup/cpu/cpu.cfs_period_us")?
        .parse()
        .ok()?;
    (quota > 0.0).then(|| quota / period)
}

fn cgroup_memory_limit() -> Option<u64> {
    let text = read_trimmed("/sys/fs/cgroup/memory.max")
        .or_else(|| read_trimmed("/sys/fs/cgroup/memory/memory.limit_in_bytes"))?;
    // cgroup v1 writes "no limit" as a number near 2^63.
    text.parse::<u64>().ok().filter(|bytes| *bytes < 1 << 60)
}

/// Commit of the checkout, `+dirty` appended where tracked files differ; none outside a git checkout.
pub async fn git_commit(root: &Path) -> Option<String> {
    let root = root.to_string_lossy();
    // A checkout may belong to somebody else (a mounted volume): git refuses that unless told.
    let safe = format!("safe.directory={root}");
    let git = ["-c", &safe, "-C", &root];
    let commit = output_of("git", &[&git[..], &["rev-parse", "HEAD"]].concat(), LIMIT).await?;
    let status = [&git[..], &["status", "--porcelain", "--untracked-files=no"]].concat();
    let dirty = output_of("git", &status, LIMIT)
        .await
        .is_some_and(|text| !text.is_empty());
    Some(if dirty {
        format!("{commit}+dirty")
    } else {
        commit
    })
}

/// SHA-256 of a file, hexadecimal.
pub fn file_sha256(path: &Path) -> Option<String> {
    Some(hex(&Sha256::digest(fs::read(path).ok()?)))
}

/// SHA-256 over the canonical form of `environment`: keys sorted at every level.
pub fn fingerprint(environment: &Value) -> String {
    hex(&Sha256::digest(sorted(environment).to_string()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort();
            let mut out = Map::new();
            for key in keys {
                out.insert(key.clone(), sorted(&map[key]));
            }
            Value::Object(out)
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_ignores_the_order_of_keys_alone() {
        let a: Value = serde_json::from_str(r#"{"a":1,"b":{"c":2,"d":[1,2]}}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"b":{"d":[1,2],"c":2},"a":1}"#).unwrap();
        let c: Value = serde_json::from_str(r#"{"b":{"d":[2,1],"c":2},"a":1}"#).unwrap();
        assert_eq!(fingerprint(&a), fingerprint(&b));
        assert_ne!(fingerprint(&a), fingerprint(&c));
        assert_eq!(fingerprint(&a).len(), 64);
    }

    #[tokio::test]
    async fn this_machine_is_described() {
        let machine = machine().await;
        assert!(machine["cores"].as_u64().unwrap() >= 1);
        assert!(machine["memory_mb"].as_u64().unwrap() > 100);
        assert!(machine["kernel"].is_string());
    }
}
