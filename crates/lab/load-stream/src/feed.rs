//! Live transactions on a fixed schedule, each committed alone, with the times of their commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use database_link::live::LiveWriter;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::commits::Commits;
use crate::plan::LivePlan;
use lab_model::seeded::LiveTransaction;
use lab_verdict::random::SplitMix64;
use load_engine::clock::{Clock, Part};
use load_engine::schedule::Schedule;
use load_engine::stop::Stop;
use load_engine::tally::{histogram, merge, record};

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
    writers: Vec<LiveWriter>,
    rate: f64,
    commits: Arc<Commits>,
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
            let url = &live.database_url;
            writers.push(LiveWriter::connect(url.config(), url, "benchmark feed").await?);
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
            writing.spawn(write(
                writer,
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

/// What is timed is one round trip, INSERT and commit together.
async fn write(
    writer: LiveWriter,
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
        let drawn = SplitMix64::of_stream(1, number).next_u64();
        let transaction = LiveTransaction::new(number, drawn);
        let tx_id = commits.tx_id(number);
        let begun = Instant::now();
        commits.send(number);
        writer.insert(&tx_id, &transaction).await?;
        commits.answer(number);
        committed.fetch_add(1, Ordering::Relaxed);
        if clock.part(begun) == Part::Measured {
            record(&mut latencies, begun.elapsed());
        }
    }
    Ok(latencies)
}
