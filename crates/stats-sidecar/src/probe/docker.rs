//! A container through the Docker API: engines of any age, cgroup version 1 and 2.

use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerMemoryStats, ContainerStatsResponse};
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::{StreamExt, pin_mut};
use tokio::sync::OnceCell;

use super::{Counters, MIB, ProbeError};

/// An engine that answers no sooner is as good as none.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client of the local engine, connected at its first use.
#[derive(Debug, Default)]
pub struct Engine {
    client: OnceCell<Docker>,
}

impl Engine {
    /// The figures of a container at this moment.
    ///
    /// Asked for as one-shot, which engines from API 1.41 on answer within milliseconds; older ones do not know
    /// the option and take one to two seconds.
    ///
    /// # Errors
    /// No engine, no such container, or one without figures.
    pub async fn stats(&self, container: &str) -> Result<ContainerStatsResponse, ProbeError> {
        let client = self.client.get_or_try_init(connect).await?;
        let options = StatsOptionsBuilder::default()
            .stream(false)
            .one_shot(true)
            .build();
        let answers = client.stats(container, Some(options));
        pin_mut!(answers);
        match answers.next().await {
            Some(stats) => Ok(stats?),
            None => Err(ProbeError::NoFigures(container.into())),
        }
    }
}

async fn connect() -> Result<Docker, bollard::errors::Error> {
    Docker::connect_with_defaults()?
        .with_timeout(TIMEOUT)
        .negotiate_version()
        .await
}

/// The probe of one container.
#[derive(Debug)]
pub struct Container {
    name: String,
    last: Option<Counters>,
}

impl Container {
    /// A probe of the container of this name or id.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            last: None,
        }
    }

    /// Reads the counters; those of the last reading once the container has ended or is gone.
    ///
    /// # Errors
    /// It was never read and cannot be now, or the engine does not answer.
    pub async fn read(
        &mut self,
        engine: &Engine,
        machine_mb: Option<f64>,
    ) -> Result<Counters, ProbeError> {
        let read = engine.stats(&self.name).await;
        match (read.map(|stats| counters(&stats, machine_mb)), self.last) {
            (Ok(Some(counters)), _) => {
                self.last = Some(counters);
                Ok(counters)
            }
            // A stopped container has figures without a CPU counter.
            (Ok(None), Some(last)) => Ok(last.after_the_end()),
            (Ok(None), None) => Err(ProbeError::NoFigures(self.name.clone())),
            (Err(error), Some(last)) if is_gone(&error) => Ok(last.after_the_end()),
            (Err(error), _) => Err(error),
        }
    }
}

fn is_gone(error: &ProbeError) -> bool {
    matches!(
        error,
        ProbeError::Docker(bollard::errors::Error::DockerResponseServerError {
            status_code: 404 | 409,
            ..
        }) | ProbeError::NoFigures(_)
    )
}

/// None where the container does not run: its CPU counter is then absent or zero.
fn counters(stats: &ContainerStatsResponse, machine_mb: Option<f64>) -> Option<Counters> {
    let cpu = stats.cpu_stats.as_ref()?;
    let nanoseconds = cpu
        .cpu_usage
        .as_ref()?
        .total_usage
        .filter(|&total| total > 0)?;
    let throttled = cpu
        .throttling_data
        .as_ref()
        .and_then(|data| data.throttled_time);
    let memory = stats.memory_stats.as_ref();
    let limit = memory
        .and_then(|memory| memory.limit)
        .map(|bytes| bytes as f64 / MIB);
    let network = |of: fn(&bollard::models::ContainerNetworkStats) -> Option<u64>| {
        stats
            .networks
            .as_ref()
            .map(|all| all.values().filter_map(of).sum())
    };
    Some(Counters {
        cpu_seconds: nanoseconds as f64 / 1e9,
        memory_used_mb: memory.and_then(anonymous).map(|bytes| bytes as f64 / MIB),
        // Without a limit the engine gives the machine's memory, cgroup version 1 a number near 2^63.
        memory_limit_mb: limit.filter(|&limit| match machine_mb {
            Some(machine) => limit < machine * 0.999,
            None => limit < 1e9,
        }),
        steal_seconds: None,
        throttled_seconds: throttled.map(|nanoseconds| nanoseconds as f64 / 1e9),
        network_rx_bytes: network(|interface| interface.rx_bytes),
        network_tx_bytes: network(|interface| interface.tx_bytes),
    })
}

/// Anonymous memory: `anon` in cgroup version 2; `total_rss` (with child groups) or `rss` in version 1. Page
/// cache and shared memory, PostgreSQL's buffers among it, are in none of them.
fn anonymous(memory: &ContainerMemoryStats) -> Option<u64> {
    let figures = memory.stats.as_ref()?;
    ["anon", "total_rss", "rss"]
        .iter()
        .find_map(|name| figures.get(*name).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(json: &str) -> ContainerStatsResponse {
        serde_json::from_str(json).expect("valid")
    }

    #[test]
    fn both_cgroup_versions() {
        let v1 = r#"{"cpu_stats":{"cpu_usage":{"total_usage":2500000000},
             "throttling_data":{"periods":9,"throttled_periods":3,"throttled_time":1500000000}},
            "memory_stats":{"usage":99999999,"limit":9223372036854771712,
             "stats":{"cache":5,"rss":1048576,"total_rss":3145728,"total_cache":7}},
            "networks":{"eth0":{"rx_bytes":10,"tx_bytes":1},"eth1":{"rx_bytes":20,"tx_bytes":2}}}"#;
        let v2 = r#"{"cpu_stats":{"cpu_usage":{"total_usage":2500000000},
             "throttling_data":{"periods":9,"throttled_periods":3,"throttled_time":1500000000}},
            "memory_stats":{"usage":99999999,"limit":1073741824,"stats":{"anon":3145728,"file":7}}}"#;
        let one = counters(&stats(v1), Some(8192.0)).expect("running");
        assert_eq!((one.cpu_seconds, one.throttled_seconds), (2.5, Some(1.5)));
        assert_eq!((one.memory_used_mb, one.memory_limit_mb), (Some(3.0), None));
        assert_eq!(
            (one.network_rx_bytes, one.network_tx_bytes),
            (Some(30), Some(3))
        );
        let two = counters(&stats(v2), Some(8192.0)).expect("running");
        assert_eq!(
            (two.memory_used_mb, two.memory_limit_mb),
            (Some(3.0), Some(1024.0))
        );
        assert_eq!((two.cpu_seconds, two.network_rx_bytes), (2.5, None));
    }

    #[test]
    fn a_stopped_container_has_no_counters() {
        let stopped = r#"{"cpu_stats":{"cpu_usage":{"total_usage":0}},"memory_stats":{}}"#;
        assert_eq!(counters(&stats(stopped), None), None);
        assert_eq!(counters(&stats("{}"), None), None);
    }
}
