//! `weir feed`: live transactions, for whoever watches or measures the stream.

use std::num::{NonZeroU32, NonZeroUsize};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use database_link::live::LiveWriter;
use hdrhistogram::Histogram;
use lab_model::seeded::LiveTransaction;
use lab_verdict::random;
use runtime::config::{DatabaseUrl, duration};
use runtime::shutdown;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::output;

/// Insert live transactions at a steady rate, each in a database transaction of its own
///
/// The rate is that of the schedule, whatever a commit takes: what is late is made up for. Runs until --duration is over
/// or Ctrl-C.
#[derive(Args, Debug)]
pub struct FeedArgs {
    /// Transactions a second
    #[arg(long, default_value = "100", value_name = "N")]
    rate: NonZeroU32,

    /// How long, for example 60s; without it until Ctrl-C
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    duration: Option<Duration>,

    /// Connections that insert; one commits some hundred to a thousand transactions a second
    #[arg(long, default_value = "8", value_name = "N")]
    connections: NonZeroUsize,

    /// The application database
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgresql://postgres:password@localhost:5432/car_entities",
        value_name = "URL"
    )]
    database_url: DatabaseUrl,
}

/// What one run did.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fed {
    transactions: u64,
    seconds: f64,
    per_second: f64,
    /// From the scheduled time to the answer to the commit, milliseconds.
    p50_ms: f64,
    p99_ms: f64,
}

/// Feeds, and says what was inserted.
pub async fn run(args: FeedArgs, json: bool) -> Result<ExitCode> {
    let stop = shutdown::on_signals()?;
    let mut writers = Vec::with_capacity(args.connections.get());
    for _ in 0..args.connections.get() {
        let url = &args.database_url;
        writers.push(LiveWriter::connect(url.config(), url, "weir feed").await?);
    }
    let fed = feed(writers, args.rate, args.duration, stop).await?;
    if json {
        output::json(&fed)?;
    } else {
        output::line(&format!(
            "{} transactions in {:.1} s, {:.1}/s; scheduled to committed: p50 {:.1} ms, p99 {:.1} ms",
            fed.transactions, fed.seconds, fed.per_second, fed.p50_ms, fed.p99_ms
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The moments at which transactions are due, handed out to whichever connection is free.
#[derive(Debug)]
struct Schedule {
    begun: Instant,
    rate: f64,
    /// The first number that is not due any more.
    end: u64,
    next: AtomicU64,
    /// Committed so far.
    inserted: AtomicU64,
}

impl Schedule {
    /// The number of the next transaction, from 0, and when it is due.
    fn take(&self) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = Duration::from_secs_f64(number as f64 / self.rate);
        (number < self.end).then(|| (number, self.begun + due))
    }
}

async fn feed(
    writers: Vec<LiveWriter>,
    rate: NonZeroU32,
    duration: Option<Duration>,
    stop: CancellationToken,
) -> Result<Fed> {
    let rate = f64::from(rate.get());
    let schedule = Arc::new(Schedule {
        begun: Instant::now(),
        rate,
        end: duration.map_or(u64::MAX, |all| (all.as_secs_f64() * rate).round() as u64),
        next: AtomicU64::new(0),
        inserted: AtomicU64::new(0),
    });
    let mut writing = JoinSet::new();
    for writer in writers {
        writing.spawn(write(writer, Arc::clone(&schedule), stop.clone()));
    }
    let mut latencies = Histogram::<u64>::new(3)?;
    let mut shown = Instant::now();
    let mut failure = None;
    while !writing.is_empty() {
        let tick = shown + Duration::from_secs(1);
        tokio::select! {
            Some(ended) = writing.join_next() => match ended? {
                Ok(its) => latencies.add(its)?,
                // One that cannot go on ends them all.
                Err(error) => {
                    stop.cancel();
                    failure = failure.or(Some(error));
                }
            },
            () = tokio::time::sleep_until(tick) => {
                shown = tick;
                let elapsed = schedule.begun.elapsed().as_secs_f64();
                let count = schedule.inserted.load(Ordering::Relaxed);
                output::error_line(&format!("{elapsed:4.0} s  {count} inserted, {:.1}/s", count as f64 / elapsed));
            }
        }
    }
    if let Some(error) = failure {
        let count = schedule.inserted.load(Ordering::Relaxed);
        return Err(error.context(format!("stopped after {count} transactions")));
    }
    let seconds = schedule.begun.elapsed().as_secs_f64();
    let transactions = schedule.inserted.load(Ordering::Relaxed);
    let milliseconds = |quantile| latencies.value_at_quantile(quantile) as f64 / 1000.0;
    Ok(Fed {
        transactions,
        seconds,
        per_second: transactions as f64 / seconds,
        p50_ms: milliseconds(0.5),
        p99_ms: milliseconds(0.99),
    })
}

/// Inserts what falls to this connection until the schedule or the user ends it; gives the latencies in microseconds.
async fn write(
    writer: LiveWriter,
    schedule: Arc<Schedule>,
    stop: CancellationToken,
) -> Result<Histogram<u64>> {
    let mut latencies = Histogram::new(3)?;
    while let Some((number, due)) = schedule.take() {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = tokio::time::sleep_until(due) => {}
        }
        let id = uuid::Uuid::now_v7();
        let drawn = random::mix(id.as_u64_pair().1 ^ number);
        let transaction = LiveTransaction::new(number, drawn);
        writer.insert(&id.to_string(), &transaction).await?;
        schedule.inserted.fetch_add(1, Ordering::Relaxed);
        latencies.record(u64::try_from(due.elapsed().as_micros())?)?;
    }
    Ok(latencies)
}
