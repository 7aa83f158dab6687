//! A container: its counters from the kernel where they can be seen ([`Cgroup`]), else from the Docker API of an
//! engine of any age; its network always from the API.
//!
//! The API is asked with `one-shot`. Engines of the last years then read the counters at once and answer within
//! milliseconds. Older ones answer at the next beat of a collector of their own, up to two seconds later. No
//! sample waits for that: what comes late is handed out with the next sample, under the time at which the engine
//! says that it was read.

use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerMemoryStats, ContainerNetworkStats, ContainerStatsResponse};
use bollard::query_parameters::{InspectContainerOptions, StatsOptionsBuilder};
use futures_util::{StreamExt, pin_mut};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::cgroup::{Cgroup, real_limit};
use super::{Counters, MIB, ProbeError, now};

/// An engine that answers no sooner is as good as none.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a sample waits for an answer at most; an engine that reads at once needs a tenth of it.
const PATIENCE: Duration = Duration::from_millis(250);

/// The engine's clock may be another machine's (a virtual one): a reading is placed by it only where it lies
/// between question and answer, give or take this, seconds.
const CLOCK_DIFFERENCE_S: f64 = 0.25;

/// A client of the local engine, connected at its first use. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    client: std::sync::Arc<OnceCell<Docker>>,
}

/// What the API answered, and when the counters were read (seconds since 1970).
type Answer = Result<(f64, ContainerStatsResponse), ProbeError>;

impl Engine {
    async fn client(&self) -> Result<&Docker, ProbeError> {
        let connect = async {
            Docker::connect_with_defaults()?
                .with_timeout(TIMEOUT)
                .negotiate_version()
                .await
        };
        Ok(self.client.get_or_try_init(|| connect).await?)
    }

    async fn id(&self, container: &str) -> Result<String, ProbeError> {
        let client = self.client().await?;
        let found = client
            .inspect_container(container, None::<InspectContainerOptions>)
            .await?;
        found
            .id
            .ok_or_else(|| ProbeError::NoFigures(container.into()))
    }

    async fn stats(self, container: String) -> Answer {
        let client = self.client().await?;
        let options = StatsOptionsBuilder::default()
            .stream(false)
            .one_shot(true)
            .build();
        let asked = now();
        let answers = client.stats(&container, Some(options));
        pin_mut!(answers);
        let Some(stats) = answers.next().await.transpose()? else {
            return Err(ProbeError::NoFigures(container));
        };
        Ok((read_at(&stats, asked, now()), stats))
    }
}

/// When the engine read the counters: as it says, else the middle between question and answer.
fn read_at(stats: &ContainerStatsResponse, asked: f64, answered: f64) -> f64 {
    let said = stats
        .read
        .map(|read| read.unix_timestamp_nanos() as f64 / 1e9);
    let plausible = (asked - CLOCK_DIFFERENCE_S)..(answered + CLOCK_DIFFERENCE_S);
    said.filter(|said| plausible.contains(said))
        .unwrap_or((asked + answered) / 2.0)
}

/// The probe of one container.
#[derive(Debug)]
pub struct Container {
    name: String,
    /// None until the container was found; then its group, where that can be seen.
    group: Option<Option<Cgroup>>,
    question: Option<Question>,
    last: Option<Counters>,
    /// Bytes received and sent as last answered.
    network: (Option<u64>, Option<u64>),
}

/// A question on its way; dropped, it is no longer asked.
#[derive(Debug)]
struct Question(JoinHandle<Answer>);

impl Drop for Question {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Container {
    /// A probe of the container of this name or id.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            group: None,
            question: None,
            last: None,
            network: (None, None),
        }
    }

    /// The same without a look at the kernel's files, as where they cannot be seen.
    pub fn through_the_api(name: &str) -> Self {
        Self {
            group: Some(None),
            ..Self::new(name)
        }
    }

    /// The readings that are new, each with its time (seconds since 1970), oldest first; those of the last reading once
    /// the container has ended or is gone. None where the engine has yet to answer.
    ///
    /// # Errors
    /// The container was never read and cannot be now, or the engine does not answer.
    pub async fn read(
        &mut self,
        engine: &Engine,
        machine_mb: Option<f64>,
    ) -> Result<Vec<(f64, Counters)>, ProbeError> {
        if self.group.is_none() {
            let id = timeout(PATIENCE, engine.id(&self.name)).await;
            let id = id.map_err(|_| ProbeError::NoFigures(self.name.clone()))??;
            self.group = Some(Cgroup::of_container(&id));
        }
        match self.group.clone().flatten() {
            Some(group) => self.read_group(&group, engine, machine_mb).await,
            None => self.ask(engine, machine_mb).await,
        }
    }

    async fn read_group(
        &mut self,
        group: &Cgroup,
        engine: &Engine,
        machine_mb: Option<f64>,
    ) -> Result<Vec<(f64, Counters)>, ProbeError> {
        let at = now();
        let counters = group.read(machine_mb);
        // The engine's answer matters for the network alone: nothing waits for it.
        if let Some(Ok((_, stats))) = self.answer(engine, Duration::ZERO).await {
            self.network = network(&stats);
        }
        let counters = match (counters, self.last) {
            (Some(counters), _) => self.with_network(counters),
            (None, Some(last)) => last.after_the_end(),
            (None, None) => return Err(ProbeError::NoFigures(self.name.clone())),
        };
        self.last = Some(counters);
        Ok(vec![(at, counters)])
    }

    /// Asks the API; first hands out what was asked before.
    async fn ask(
        &mut self,
        engine: &Engine,
        machine_mb: Option<f64>,
    ) -> Result<Vec<(f64, Counters)>, ProbeError> {
        let mut readings = Vec::new();
        let due_already = self.question.is_some();
        for _ in 0..=u8::from(due_already) {
            let Some(answer) = self.answer(engine, PATIENCE).await else {
                break;
            };
            let reading = match (answer, self.last) {
                (Ok((at, stats)), last) => {
                    self.network = network(&stats);
                    match (counters(&stats, machine_mb), last) {
                        (Some(counters), _) => (at, self.with_network(counters)),
                        // A stopped container has figures without a CPU counter.
                        (None, Some(last)) => (at, last.after_the_end()),
                        (None, None) => return Err(ProbeError::NoFigures(self.name.clone())),
                    }
                }
                (Err(error), Some(last)) if is_gone(&error) => (now(), last.after_the_end()),
                (Err(error), _) => return Err(error),
            };
            self.last = Some(reading.1);
            readings.push(reading);
        }
        Ok(readings)
    }

    /// The answer to the question on its way, or to a new one, if it comes within `patience`.
    async fn answer(&mut self, engine: &Engine, patience: Duration) -> Option<Answer> {
        let question = self
            .question
            .get_or_insert_with(|| Question(tokio::spawn(engine.clone().stats(self.name.clone()))));
        let answer = timeout(patience, &mut question.0).await.ok()?;
        self.question = None;
        Some(answer.unwrap_or_else(|error| Err(ProbeError::unreadable("the Docker API", error))))
    }

    /// Bytes only grow, and an ended container's are no longer told.
    fn with_network(&mut self, counters: Counters) -> Counters {
        let (rx, tx) = self.network;
        let last = self.last.unwrap_or_default();
        Counters {
            network_rx_bytes: rx.or(last.network_rx_bytes),
            network_tx_bytes: tx.or(last.network_tx_bytes),
            ..counters
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
    Some(Counters {
        cpu_seconds: nanoseconds as f64 / 1e9,
        memory_used_mb: memory.and_then(anonymous).map(|bytes| bytes as f64 / MIB),
        memory_limit_mb: limit.and_then(|limit| real_limit(limit, machine_mb)),
        throttled_seconds: throttled.map(|nanoseconds| nanoseconds as f64 / 1e9),
        ..Counters::default()
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

/// Bytes received and sent over all interfaces; none for a container in the host's network.
fn network(stats: &ContainerStatsResponse) -> (Option<u64>, Option<u64>) {
    let total = |of: fn(&ContainerNetworkStats) -> Option<u64>| {
        stats
            .networks
            .as_ref()
            .map(|all| all.values().filter_map(of).sum())
    };
    (
        total(|interface| interface.rx_bytes),
        total(|interface| interface.tx_bytes),
    )
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
        assert_eq!(network(&stats(v1)), (Some(30), Some(3)));
        let two = counters(&stats(v2), Some(8192.0)).expect("running");
        assert_eq!(
            (two.memory_used_mb, two.memory_limit_mb),
            (Some(3.0), Some(1024.0))
        );
        assert_eq!(two.cpu_seconds, 2.5);
        assert_eq!(network(&stats(v2)), (None, None));
    }

    #[test]
    fn a_stopped_container_has_no_counters() {
        let stopped = r#"{"cpu_stats":{"cpu_usage":{"total_usage":0}},"memory_stats":{}}"#;
        assert_eq!(counters(&stats(stopped), None), None);
        assert_eq!(counters(&stats("{}"), None), None);
    }

    #[test]
    fn the_engines_own_time_counts_where_it_is_plausible() {
        let read = stats(r#"{"read":"2026-11-21T10:00:00.75Z"}"#);
        let second = 1_795_255_200.0;
        let after = |at: f64| ((at - second) * 1_000.0).round();
        assert_eq!(after(read_at(&read, second, second + 1.0)), 750.0);
        assert_eq!(
            after(read_at(&read, second + 60.0, second + 61.0)),
            60_500.0
        );
        assert_eq!(after(read_at(&stats("{}"), second, second + 1.0)), 500.0);
    }
}
