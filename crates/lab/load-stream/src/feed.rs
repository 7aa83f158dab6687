//! Live transactions on a fixed schedule, each committed alone, with the times of their commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use database_link::Link;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio_postgres::Statement;

use crate::commits::Commits;
use crate::plan::LivePlan;
use lab_model::seeded::LiveTransaction;
use lab_verdict::random::SplitMix64;
use load_engine::clock::{Clock, Part};
use load_engine::schedule::Schedule;
use load_engine::stop::Stop;
use load_engine::tally::{histogram, merge, record};

/// Commits itself: what is timed is one round trip, INSERT and commit together.
const INSERT: &str = "\
/* benchmark::feed */
INSERT INTO transactions (tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp)
VALUES ($1, $2, $3, $4, $5, clock_timestamp())";

/// What a feed did.
#[derive(Clone, Debug)]
pub struct Fed {
    /// Transactions that were due.
    pub due: u64,
    /// Transactions whose commit was answered.
    pub committed: u64,
    /// From the sending of a commit to its answer, of the measured window, microseconds.
    pub commit: Histogram<u64>,
    /// Why it ended before its time.
    pub error: Option<String>,
}

/// Connections that are ready to insert.
pub(super) struct Feed {
    writers: Vec<Writer>,
    rate: f64,
    commits: Arc<Commits>,
}

struct Writer {
    client: Link,
    insert: Statement,
}

/// Room for the times of all transactions that can become due.
pub(super) fn room(live: &LivePlan, whole: Duration) -> usize {
    (live.rate * whole.as_secs_f64()).ceil() as usize + 1
}

impl Feed {
    /// Connects. The connections are driven by tasks of the current runtime.
    pub(super) async fn connect(live: &LivePlan, commits: Arc<Commits>) -> anyhow::Result<Self> {
        let mut writers = Vec::new();
        for _ in 0..live.connections {
            let mut config = live.database_url.config().clone();
            config
                .application_name("benchmark feed")
                .connect_timeout(Duration::from_secs(10));
            let client = Link::connect(&config)
                .await
                .with_context(|| format!("cannot connect to DATABASE_URL {}", live.database_url))?;
            let insert = client.prepare(INSERT).await.context(
                "the table transactions is not as it should be: start stream or run weir seed first",
            )?;
            writers.push(Writer { client, insert });
        }
        Ok(Self {
            writers,
            rate: live.rate,
            commits,
        })
    }

    /// Inserts until the clock says that the load is over.
    pub(super) async fn run(self, clock: Arc<Clock>, stop: &Stop) -> Fed {
        let schedule = Schedule::new(self.rate, &clock);
        let pacer = {
            let (schedule, clock) = (Arc::clone(&schedule), Arc::clone(&clock));
            tokio::task::spawn_blocking(move || schedule.pace(&clock))
        };
        let committed = Arc::new(AtomicU64::new(0));
        let mut writing = JoinSet::new();
        for writer in self.writers {
            writing.spawn(writer.write(
                Arc::clone(&schedule),
                Arc::clone(&self.commits),
                Arc::clone(&clock),
                Arc::clone(&committed),
            ));
        }
        let mut commit = histogram();
        let mut error = None;
        loop {
            let ended = tokio::select! {
                biased;
                ended = writing.join_next() => ended,
                () = stop.halted().cancelled() => {
                    // A database that does not answer is not waited for: what it still commits was not asked for.
                    writing.abort_all();
                    break;
                }
            };
            let Some(ended) = ended else {
                break;
            };
            match ended {
                Ok(Ok(its)) => merge(&mut commit, &its),
                Ok(Err(its)) => {
                    // One that cannot go on ends them all: what the others insert could not be told from a loss.
                    clock.stop();
                    error = error.or(Some(format!("{its:#}")));
                }
                Err(its) => error = error.or(Some(its.to_string())),
            }
        }
        if let Err(its) = pacer.await {
            error = error.or(Some(its.to_string()));
        }
        Fed {
            due: schedule.due_between(clock.begun(), clock.end()),
            committed: committed.load(Ordering::Relaxed),
            commit,
            error,
        }
    }
}

impl Writer {
    async fn write(
        self,
        schedule: Arc<Schedule>,
        commits: Arc<Commits>,
        clock: Arc<Clock>,
        committed: Arc<AtomicU64>,
    ) -> anyhow::Result<Histogram<u64>> {
        let mut latencies = histogram();
        while let Some((number, _)) = schedule.next().await {
            if number >= commits.room() as u64 {
                break;
            }
            let LiveTransaction {
                from,
                to,
                amount,
                kind,
            } = LiveTransaction::new(number, SplitMix64::of_stream(1, number).next_u64());
            let tx_id = commits.tx_id(number);
            let begun = Instant::now();
            commits.send(number);
            self.client
                .execute(&self.insert, &[&tx_id, &from, &to, &amount, &kind])
                .await
                .context("a transaction cannot be inserted")?;
            commits.answer(number);
            committed.fetch_add(1, Ordering::Relaxed);
            if clock.part(begun) == Part::Measured {
                record(&mut latencies, begun.elapsed());
            }
        }
        Ok(latencies)
    }
}
