//! The life of one run's sampling: from the first sight of its row until its status changes.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use metrics_db::{Probe, ResourceSample, Role, RunningRun, Sampling};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::probe::docker::{Container, Engine};
use crate::probe::processes::{self, ProcessTree};
use crate::probe::{Counters, ProbeError, host, now};
use crate::schedule::{Due, Schedule};
use crate::writer::Writer;

/// Between samples the generator's counter is read so often: what it uses in its last moments is lost by no more
/// than this.
const TOUCH_EVERY: Duration = Duration::from_millis(100);

/// A reading this much before its boundary is one for an earlier sample, seconds.
const EARLY_S: f64 = 0.05;

/// Counters tick every 10 ms: a percentage over less than this would be noise, seconds.
const SHORTEST_PERCENT_S: f64 = 0.1;

/// A run whose lab died stays `running`; it is sampled no longer than this past its last boundary, seconds.
const ABANDONED_AFTER_S: f64 = 1_800.0;

/// What the sidecar tells a sampler.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Sample this.
    Sample(Sampling),
    /// The run has ended.
    Finish,
}

/// Samples one run.
#[derive(Debug)]
pub struct Sampler {
    run: RunningRun,
    schedule: Schedule,
    readers: Vec<Reader>,
    engine: Engine,
    machine_mb: Option<f64>,
    /// Time and CPU-seconds of the sample before.
    previous: HashMap<Role, (f64, f64)>,
    /// Samples taken while the start of the first phase is not known.
    held: Vec<ResourceSample>,
    warned: HashSet<Role>,
    writer: Writer,
}

#[derive(Debug)]
struct Reader {
    role: Role,
    probe: Probe,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Processes(ProcessTree),
    Container(Container),
}

/// What one role gave: when, and the counters.
type Reading = (Role, f64, Result<Counters, ProbeError>);

impl Sampler {
    /// A sampler of `run`, whose samples go to `writer`.
    pub fn new(run: RunningRun, engine: Engine, writer: Writer) -> Self {
        Self {
            run,
            schedule: Schedule::default(),
            readers: Vec::new(),
            engine,
            machine_mb: None,
            previous: HashMap::new(),
            held: Vec::new(),
            warned: HashSet::new(),
            writer,
        }
    }

    /// Samples until told to finish or until the sender of orders is gone; then takes a last sample and waits
    /// until all of them are stored.
    pub async fn run(mut self, mut orders: watch::Receiver<Order>) {
        loop {
            let order = orders.borrow_and_update().clone();
            match order {
                Order::Sample(sampling) => self.follow(&sampling),
                Order::Finish => break,
            }
            match self.sample_until_changed(&mut orders).await {
                Ending::Changed => {}
                Ending::SenderGone => break,
                Ending::Abandoned => {
                    tracing::warn!(
                        run.id = self.run.id,
                        "still marked running long after its end: no longer sampled"
                    );
                    break;
                }
            }
        }
        let now = now();
        self.sample(Due {
            at: now,
            boundary: None,
        })
        .await;
        let start = self.run.started_at.unix_timestamp_nanos() as f64 / 1e9;
        self.release(self.schedule.measured_from().unwrap_or(start));
        self.writer.finish().await;
    }

    /// Takes over a changed row; readers of unchanged probes go on with what they know.
    fn follow(&mut self, sampling: &Sampling) {
        self.schedule.update(sampling);
        let wanted = [
            (Role::Target, &sampling.target),
            (Role::Database, &sampling.database),
            (Role::Generator, &sampling.generator),
        ];
        let mut before = std::mem::take(&mut self.readers);
        for (role, probe) in wanted {
            let Some(probe) = probe else { continue };
            let same = before
                .iter()
                .position(|old| old.role == role && old.probe == *probe);
            self.readers.push(match same {
                Some(index) => before.swap_remove(index),
                None => {
                    self.previous.remove(&role);
                    self.warned.remove(&role);
                    Reader::new(role, probe.clone())
                }
            });
        }
        if let Some(measured_from) = self.schedule.measured_from() {
            self.release(measured_from);
        }
    }

    async fn sample_until_changed(&mut self, orders: &mut watch::Receiver<Order>) -> Ending {
        loop {
            let now = now();
            if now > self.expected_end() + ABANDONED_AFTER_S {
                return Ending::Abandoned;
            }
            let due = self.schedule.next(now);
            for boundary in self.schedule.take_missed() {
                tracing::warn!(
                    run.id = self.run.id,
                    boundary,
                    "boundary was past before it was known: not sampled"
                );
            }
            if due.at <= now {
                self.sample(due).await;
                continue;
            }
            tokio::select! {
                biased;
                changed = orders.changed() => {
                    return if changed.is_ok() { Ending::Changed } else { Ending::SenderGone };
                }
                () = sleep(Duration::from_secs_f64(due.at - now).min(TOUCH_EVERY)) => self.touch(),
            }
        }
    }

    fn expected_end(&self) -> f64 {
        let started = self.run.started_at.unix_timestamp() as f64;
        self.schedule
            .measured_to()
            .map_or(started, |end| end.max(started))
    }

    /// Keeps the generator's last reading recent.
    fn touch(&mut self) {
        for reader in &mut self.readers {
            if let (Role::Generator, Source::Processes(tree)) = (reader.role, &mut reader.source) {
                tree.touch();
            }
        }
    }

    async fn sample(&mut self, due: Due) {
        let readings = self.read().await;
        self.schedule.taken(due);
        let mut batch = Vec::with_capacity(readings.len());
        for (role, at, reading) in readings {
            match reading {
                Ok(counters) => {
                    self.warned.remove(&role);
                    // An engine may answer with counters that it has read earlier.
                    let boundary = due.boundary.filter(|_| at >= due.at - EARLY_S);
                    batch.push(self.sample_of(role, at, boundary, &counters));
                }
                Err(error) => {
                    if self.warned.insert(role) {
                        tracing::warn!(run.id = self.run.id, %role, %error, "cannot be sampled; trying on");
                    }
                }
            }
        }
        self.held.append(&mut batch);
        if let Some(measured_from) = self.schedule.measured_from() {
            self.release(measured_from);
        }
    }

    /// All counters at nearly one moment: the machine and processes at once, containers concurrently after.
    async fn read(&mut self) -> Vec<Reading> {
        let mut readings = Vec::with_capacity(Role::ALL.len());
        let machine = host::read();
        if let Ok(counters) = &machine {
            self.machine_mb = counters.memory_limit_mb;
        }
        readings.push((Role::Host, now(), machine));

        let mut table = None;
        let mut containers = Vec::new();
        for Reader { role, source, .. } in &mut self.readers {
            match source {
                Source::Processes(tree) => {
                    let at = now();
                    let counters = match table.get_or_insert_with(processes::all) {
                        Ok(table) => tree.read(table),
                        Err(error) => Err(ProbeError::unreadable("the processes", error)),
                    };
                    readings.push((*role, at, counters));
                }
                Source::Container(container) => containers.push((*role, container)),
            }
        }
        let (engine, machine_mb) = (&self.engine, self.machine_mb);
        let containers = containers.into_iter().map(|(role, container)| async move {
            (role, container.read(engine, machine_mb).await)
        });
        for (role, answer) in join_all(containers).await {
            match answer {
                Ok(read) => {
                    readings.extend(
                        read.into_iter()
                            .map(|(at, counters)| (role, at, Ok(counters))),
                    );
                }
                Err(error) => readings.push((role, now(), Err(error))),
            }
        }
        readings
    }

    fn sample_of(
        &mut self,
        role: Role,
        at: f64,
        boundary: Option<usize>,
        counters: &Counters,
    ) -> ResourceSample {
        let before = self.previous.insert(role, (at, counters.cpu_seconds));
        let cpu_percent = before.and_then(|(then, cpu)| {
            let (seconds, used) = (at - then, counters.cpu_seconds - cpu);
            (seconds >= SHORTEST_PERCENT_S && used >= 0.0).then(|| used / seconds * 100.0)
        });
        let limit = counters.memory_limit_mb.or(self.machine_mb);
        let bytes = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
        ResourceSample {
            boundary: boundary.and_then(|k| i32::try_from(k).ok()),
            cpu_seconds: counters.cpu_seconds,
            cpu_percent,
            steal_seconds: counters.steal_seconds,
            throttled_seconds: counters.throttled_seconds,
            memory_used_mb: counters.memory_used_mb,
            memory_limit_mb: counters.memory_limit_mb,
            memory_percent: counters
                .memory_used_mb
                .zip(limit)
                .map(|(used, of)| used / of * 100.0),
            network_rx_bytes: bytes(counters.network_rx_bytes),
            network_tx_bytes: bytes(counters.network_tx_bytes),
            ..ResourceSample::new(role, moment(at), at)
        }
    }

    /// Hands the held samples to the writer with their place on the clock of the first phase.
    fn release(&mut self, measured_from: f64) {
        let mut samples = std::mem::take(&mut self.held);
        for sample in &mut samples {
            let at = sample.sampled_at.unix_timestamp_nanos() as f64 / 1e9;
            // To the microsecond, as the moment itself.
            sample.elapsed_seconds = ((at - measured_from) * 1e6).round() / 1e6;
        }
        self.writer.put(samples);
    }
}

enum Ending {
    Changed,
    SenderGone,
    Abandoned,
}

impl Reader {
    fn new(role: Role, probe: Probe) -> Self {
        let source = match &probe {
            Probe::Process { pid } => Source::Processes(ProcessTree::new(*pid)),
            Probe::Container { name } => Source::Container(Container::new(name)),
        };
        Self {
            role,
            probe,
            source,
        }
    }
}

/// Seconds since 1970 as the database takes them: microseconds.
fn moment(seconds: f64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos((seconds * 1e6).round() as i128 * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
