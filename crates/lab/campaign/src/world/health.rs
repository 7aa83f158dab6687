//! Whether a service serves, and how much it uses.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::service::Service;
use crate::client::Client;

/// Longest answer of a health check.
const LIMIT: Duration = Duration::from_secs(3);

/// Descriptors beyond those after warm-up that are no leak: connections of clients that come and go.
const MORE_DESCRIPTORS: usize = 64;
/// Memory beyond twice that after warm-up that is no leak, bytes: buffers of the allocator, what the log keeps of each partition.
const MORE_BYTES: u64 = 96 << 20;

/// Whether its health check over HTTP says 200.
pub(crate) async fn is_healthy(service: &Service) -> bool {
    let path = match service.name() {
        "producer-rest" | "producer-rest-2" => "/api/v1/events/health",
        _ => "/health",
    };
    let mut client = Client::new(service.http(), LIMIT);
    let answer = client.get(path).await;
    answer.is_some_and(|(status, _)| status == 200)
}

/// What a process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Open descriptors.
    pub(crate) descriptors: usize,
    /// Anonymous memory, bytes.
    pub(crate) bytes: u64,
}

impl Usage {
    pub(crate) fn of(service: &Service) -> Result<Self> {
        let pid = service.pid().context("it does not run")?;
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        Ok(Self {
            descriptors,
            bytes: kib.context("no RssAnon")? * 1024,
        })
    }

    /// What of it is a leak, compared with `before`.
    pub(crate) fn leak_since(&self, before: &Self) -> Option<String> {
        if self.descriptors > before.descriptors + MORE_DESCRIPTORS {
            return Some(format!(
                "{} descriptors, {} after warm-up",
                self.descriptors, before.descriptors
            ));
        }
        let more = self.memory_since(before)?;
        Some(format!("{more} after warm-up"))
    }

    /// How much memory it uses and used `before`, where it is more than comes and goes.
    pub(crate) fn memory_since(&self, before: &Self) -> Option<String> {
        let grown = self.bytes > before.bytes * 2 + MORE_BYTES;
        grown.then(|| format!("{} MiB, {} MiB", self.bytes >> 20, before.bytes >> 20))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_more_than_what_comes_and_goes() {
        let usage = |descriptors, mib: u64| Usage {
            descriptors,
            bytes: mib << 20,
        };
        let before = usage(30, 10);
        assert_eq!(usage(94, 116).leak_since(&before), None);
        assert!(usage(95, 10).leak_since(&before).is_some());
        assert!(usage(30, 117).leak_since(&before).is_some());
    }
}
