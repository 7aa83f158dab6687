//! The handle that the faces call.
//!
//! - this file: one event
//! - `in_bulk`: the events of one request; `alone`: an event without group commit

mod alone;
mod in_bulk;

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use domain::{EntityUpdate, Event};
use runtime::config::DatabaseConfig;
use runtime::metrics::Metrics;
#[cfg(feature = "kafka")]
use runtime::postgres::Cause;
use runtime::postgres::{Database, DatabaseError};
use runtime::threads;
use runtime::wakeups::Forwarded;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bulk;
use crate::caller::{Answer, Caller, Waiting};
use crate::config::{IngestConfig, WriteMode};
use crate::error::{IngestError, Outcome};
use crate::lone::Lone;
use crate::metrics::IngestMetrics;
#[cfg(feature = "kafka")]
use crate::on_kafka::OnKafka;
use crate::parked::Parked;
use crate::queue::{self, Queues};
use crate::store;
use crate::trouble::Trouble;
use crate::wait::Wait;
use crate::writer::Writer;

/// Connections of a thread whose requests write events of their own.
const LONE_CONNECTIONS: usize = 2;

/// Takes valid events and answers each after its commit. Clones share everything.
#[derive(Clone, Debug)]
pub struct Ingest {
    shared: Arc<Shared>,
    /// Whether requests may write events of their own; otherwise all wait for a writer.
    has_own_threads: bool,
}

#[derive(Debug)]
struct Shared {
    config: IngestConfig,
    database: Database,
    metrics: IngestMetrics,
    /// Absent in the write modes without group commit.
    queues: Option<Queues>,
    #[cfg(feature = "kafka")]
    kafka: Option<OnKafka>,
    trouble: Arc<Trouble>,
    refuse: CancellationToken,
    hasher: foldhash::fast::FixedState,
    next_lane: AtomicUsize,
}

/// The writers of one process; whoever started them stops them.
#[derive(Debug)]
pub struct Writers {
    tasks: JoinSet<()>,
    refuse: CancellationToken,
}

/// Connects to the database, as [`Database::connect`] does; where Kafka takes the events nobody waits for it.
///
/// # Errors
/// As there.
pub async fn connect(
    config: &IngestConfig,
    database: &DatabaseConfig,
    stop: &CancellationToken,
) -> anyhow::Result<Database> {
    if config.writes_to_the_database() {
        Database::connect(database, stop).await
    } else {
        Database::open(database)
    }
}

impl Ingest {
    /// Sends what still waits for Kafka. Call it when the faces are done.
    pub async fn close(&self) {
        #[cfg(feature = "kafka")]
        if let Some(kafka) = &self.shared.kafka {
            kafka.close().await;
        }
    }

    /// Applies the schema and starts the writers on the current tokio runtime. `refuse` is cancelled when what still
    /// waits is to be refused, also what is being written.
    ///
    /// # Errors
    /// The schema cannot be applied.
    pub async fn start(
        config: &IngestConfig,
        database: Database,
        registry: &Metrics,
        refuse: CancellationToken,
    ) -> anyhow::Result<(Self, Writers)> {
        let config = config.clone();
        let metrics = IngestMetrics::register(registry, config.persisted_count_log_every)?;
        let database = database.for_writes();
        if config.writes_to_the_database() {
            database.register(registry)?;
            database.migrate(store::schema()).await?;
        }
        let trouble = Arc::new(Trouble::new(database.acquire_timeout()));
        let mut tasks = JoinSet::new();
        #[cfg(feature = "kafka")]
        let kafka = OnKafka::open(&config, &database, &metrics, &refuse, &mut tasks).await?;
        let queues = (config.write_mode == WriteMode::Group).then(|| {
            let (queues, shards) = queue::queues(
                config.writers.into(),
                config.queue_capacity as usize,
                &metrics,
            );
            for shard in shards {
                let writer = Writer {
                    database: database.clone(),
                    metrics: metrics.clone(),
                    max_batch_events: config.max_batch_events as usize,
                    refuse: refuse.clone(),
                    trouble: Arc::clone(&trouble),
                    shard,
                    parked: Parked::default(),
                    try_parked_at: Instant::now(),
                };
                tasks.spawn(writer.run());
            }
            queues
        });
        let shared = Shared {
            config,
            database,
            metrics,
            queues,
            #[cfg(feature = "kafka")]
            kafka,
            trouble,
            refuse: refuse.clone(),
            hasher: foldhash::fast::FixedState::default(),
            next_lane: AtomicUsize::new(0),
        };
        Ok((
            Self {
                shared: Arc::new(shared),
                has_own_threads: false,
            },
            Writers { tasks, refuse },
        ))
    }

    /// This handle for requests that never move to another thread (actix-web, [`runtime::threads::Workers`]): each thread has
    /// connections of its own for events that come while nobody writes. They come off the pool's size; where too few would be
    /// left to the writers and to health, there are none.
    #[must_use]
    pub fn on_own_threads(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            has_own_threads: self.shared.queues.is_some(),
        }
    }

    /// What requests of this thread write their own events with.
    fn lone(&self) -> Option<Arc<Lone>> {
        if !self.has_own_threads {
            return None;
        }
        let shared = &self.shared;
        threads::of_this_thread(shared, || {
            let keep = usize::from(shared.config.writers) + 1;
            Some(Lone {
                database: shared.database.lend(LONE_CONNECTIONS, keep)?,
                metrics: shared.metrics.clone(),
                trouble: Arc::clone(&shared.trouble),
                refuse: shared.refuse.clone(),
                is_opening: AtomicBool::new(false),
            })
        })
    }

    /// The settings in force.
    pub fn config(&self) -> &IngestConfig {
        &self.shared.config
    }

    #[cfg(feature = "kafka")]
    pub(crate) fn kafka(&self) -> Option<&OnKafka> {
        self.shared.kafka.as_ref()
    }

    pub(crate) fn queues(&self) -> Option<&Queues> {
        self.shared.queues.as_ref()
    }

    /// Numbers the lanes, from 0.
    pub(crate) fn next_lane(&self) -> usize {
        self.shared.next_lane.fetch_add(1, Ordering::Relaxed)
    }

    /// The counters.
    pub fn metrics(&self) -> &IngestMetrics {
        &self.shared.metrics
    }

    /// Stores one event and returns after its commit. Where Kafka takes the events, `wait` says what is waited for.
    ///
    /// # Errors
    /// [`IngestError`]; after `Database`, `Timeout` and `ShuttingDown` the event may or may not have been
    /// stored.
    pub async fn submit(&self, event: Event, wait: Wait) -> Outcome {
        if let Err(away) = self.admit() {
            return self.counted(Err(away));
        }
        let deadline = self.deadline();
        let outcome = match &self.shared.queues {
            None => self.write_alone(&event, wait, deadline).await,
            Some(queues) => self.submit_to(queues, event, deadline).await,
        };
        self.counted(outcome)
    }

    async fn submit_to(&self, queues: &Queues, event: Event, deadline: Instant) -> Outcome {
        let writer = self.writer_of(&event, queues.writers());
        if let Some(lone) = self.lone().filter(|lone| lone.is_ready())
            && let Some(lead) = queues.lead(writer, deadline)
        {
            return lone.write(lead, event, deadline).await;
        }
        let (sender, receiver) = oneshot::channel();
        let caller = Caller::new(Answer::One(sender), deadline);
        queues.push(writer, Waiting { event, caller });
        // The writer watches the deadline; an answer always comes.
        let outcome = Forwarded(receiver).await;
        outcome.unwrap_or(Err(IngestError::Internal))
    }

    /// Whether the database answers now, and takes writes.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ping(&self) -> Result<(), IngestError> {
        #[cfg(feature = "kafka")]
        if let Some(kafka) = &self.shared.kafka {
            return kafka
                .answers()
                .await
                .then_some(())
                .ok_or(IngestError::Kafka);
        }
        let probed = self.probe().await;
        probed.map_err(|error| IngestError::Database(error.cause()))
    }

    /// [`Self::ping`] with what the database said.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn probe(&self) -> Result<(), DatabaseError> {
        #[cfg(feature = "kafka")]
        if let Some(kafka) = &self.shared.kafka {
            let answers = kafka.answers().await.then_some(());
            return answers.ok_or(DatabaseError::NoWrites(Cause::Unreachable));
        }
        self.shared.database.ping().await?;
        match self.shared.trouble.hidden_from_probes() {
            Some(cause) => Err(DatabaseError::NoWrites(cause)),
            None => Ok(()),
        }
    }

    /// Refuses at once while the database is away. What was taken before is held back for a while, see [`Trouble`]. Where
    /// Kafka takes the events, the database may be away.
    pub(crate) fn admit(&self) -> Result<(), IngestError> {
        if !self.shared.config.writes_to_the_database() {
            return Ok(());
        }
        let asked = self.shared.database.check();
        asked.map_err(|away| IngestError::Database(away.cause()))
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.shared.config.request_timeout
    }

    /// The writer that owns the event's (first) key.
    fn writer_of(&self, event: &Event, writers: usize) -> usize {
        let hash = event.entities().first();
        bulk::writer_of(hash.map_or(0, |entity| self.hash_of(entity)), writers)
    }

    fn hash_of(&self, entity: &EntityUpdate) -> u64 {
        let key = (entity.entity_type(), entity.entity_id());
        self.shared.hasher.hash_one(key)
    }

    /// Counts a refusal.
    fn counted(&self, outcome: Outcome) -> Outcome {
        if let Err(error) = &outcome {
            self.shared.metrics.refused(error);
        }
        outcome
    }
}

impl Writers {
    /// Ends the writers; what still waits is refused. Call it when the faces are done.
    pub async fn finish(mut self) {
        self.refuse.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a writer ended abnormally");
            }
        }
    }
}
