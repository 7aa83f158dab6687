//! The handle that the faces call.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use domain::{EntityUpdate, Event};
use runtime::config::DatabaseConfig;
use runtime::metrics::Metrics;
use runtime::postgres::{Cause, Database, DatabaseError};
use runtime::threads;
use runtime::wakeups::Forwarded;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::batch;
use crate::bulk::{self, Bulk};
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

/// How long an event that is written alone waits for a row that another transaction has locked, with a connection that
/// others wait for.
const LOCK_WAIT: Duration = Duration::from_millis(100);
/// Pause before it is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

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

    /// Stores the events of one bulk request and returns the outcome of each by its index. Events that name the same entity
    /// are applied in the order given. `wait`: as for [`Ingest::submit`].
    pub async fn submit_bulk(&self, events: Vec<(u64, Event)>, wait: Wait) -> Vec<(u64, Outcome)> {
        let deadline = self.deadline();
        #[cfg(feature = "kafka")]
        if let Some(kafka) = &self.shared.kafka {
            let outcomes = kafka.submit_bulk(&events, wait, deadline).await;
            let outcomes = outcomes.into_iter();
            return outcomes
                .map(|(index, outcome)| (index, self.counted(outcome)))
                .collect();
        }
        let indexes: Vec<u64> = events.iter().map(|(index, _)| *index).collect();
        let outcomes = match &self.shared.queues {
            None => self.write_each(events, wait, deadline).await,
            Some(queues) => self.share_out(queues, events, deadline).await,
        };
        let outcomes = outcomes
            .into_iter()
            .map(|outcome| self.counted(outcome.unwrap_or(Err(IngestError::Timeout))));
        indexes.into_iter().zip(outcomes).collect()
    }

    async fn write_each(
        &self,
        events: Vec<(u64, Event)>,
        wait: Wait,
        deadline: Instant,
    ) -> Vec<Option<Outcome>> {
        let mut outcomes = Vec::with_capacity(events.len());
        for (_, event) in events {
            outcomes.push(Some(match self.admit() {
                Ok(()) => self.write_alone(&event, wait, deadline).await,
                Err(away) => Err(away),
            }));
        }
        outcomes
    }

    /// Lets all writers work on the events, and waits for the last outcome or for the deadline.
    async fn share_out(
        &self,
        queues: &Queues,
        events: Vec<(u64, Event)>,
        deadline: Instant,
    ) -> Vec<Option<Outcome>> {
        if let Err(away) = self.admit() {
            return vec![Some(Err(away)); events.len()];
        }
        let bulk = Arc::new(Bulk::new(events.len()));
        // Also when the request is dropped: its events are not written for nobody then.
        let sender = Leaves(&bulk);
        let in_order = events.iter().map(|(_, event)| event);
        let writers = bulk::spread(in_order, queues.writers(), |entity| self.hash_of(entity));
        let events = (0..).zip(events).zip(writers);
        let events = events.map(|((place, (_, event)), writer)| {
            let answer = Answer::OfBulk(place, Arc::clone(&bulk));
            let caller = Caller::new(answer, deadline);
            (writer, Waiting { event, caller })
        });
        let events = events.collect();
        let written = async {
            queues.push_when_room(events).await;
            bulk.complete().await;
        };
        // Either way what is known is told.
        drop(timeout_at(deadline, written).await);
        sender.leave()
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

    /// Writes one event on a pooled connection of its own, or to Kafka: the write modes without group commit.
    #[cfg_attr(
        not(feature = "kafka"),
        expect(unused_variables, reason = "what PostgreSQL has committed is merged")
    )]
    pub(crate) async fn write_alone(
        &self,
        event: &Event,
        wait: Wait,
        deadline: Instant,
    ) -> Outcome {
        #[cfg(feature = "kafka")]
        if let Some(kafka) = &self.shared.kafka {
            return kafka.submit(event, wait, deadline).await;
        }
        let rows = batch::fold(event.entities().iter());
        let write = async {
            loop {
                let error = match self.write_once(&rows).await {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                };
                // Nothing was written. The connection goes back meanwhile: others must not wait for it.
                if !matches!(error.cause(), Cause::Locked | Cause::Conflict) {
                    return Err(IngestError::report(&error));
                }
                tracing::debug!(error = %error.chain(), "an event is tried again");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        };
        tokio::select! {
            biased;
            written = timeout_at(deadline, write) => written.unwrap_or(Err(IngestError::Timeout)),
            () = self.shared.refuse.cancelled() => Err(IngestError::ShuttingDown),
        }
    }

    async fn write_once(&self, rows: &batch::Rows<'_>) -> Result<(), DatabaseError> {
        let connection = self.shared.database.connection().await?;
        let started = Instant::now();
        let written = match self.shared.config.write_mode {
            WriteMode::ReadThenWrite => store::read_then_write(&connection, rows).await,
            // Kafka never comes here.
            _ => store::upsert(&connection, rows, LOCK_WAIT).await,
        };
        connection.give_back_after(&written);
        if written.is_ok() {
            self.shared.metrics.committed(1, started.elapsed());
            self.shared.trouble.is_over();
        }
        written
    }

    fn counted(&self, outcome: Outcome) -> Outcome {
        if let Err(error) = &outcome {
            self.shared.metrics.refused(error);
        }
        outcome
    }
}

/// The sender of a bulk request, who leaves when this is dropped.
struct Leaves<'a>(&'a Bulk);

impl Leaves<'_> {
    fn leave(self) -> Vec<Option<Outcome>> {
        self.0.leave()
    }
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.leave();
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
