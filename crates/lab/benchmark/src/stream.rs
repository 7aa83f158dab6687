//! Scenario `stream`: subscribers over server-sent events and gRPC, with one way of measuring for both.
//!
//! - [`plan`]: what is asked for
//! - `event`, `chunks`, `sse`: what comes over the wire, read by bytes
//! - `order`, `commits`, `receiver`, [`tally`]: what is noted of an event
//! - `client`: one subscriber
//! - [`feed`]: live transactions and when they were committed
//! - [`start`], [`measure`]: threads, and the run from its beginning to its end
//! - [`outcome`], [`verdict`], [`summary`], [`result`]: what came of it

mod chunks;
mod client;
mod commits;
mod event;
pub mod feed;
mod order;
pub mod outcome;
pub mod plan;
mod receiver;
pub mod result;
mod share;
mod sse;
pub mod summary;
pub mod tally;
pub mod verdict;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::load::Edge;
use crate::progress::{Progress, Standing};
use crate::stop::Stop;
use client::{ClientOutcome, Stage};
use commits::Commits;
use feed::Fed;
use outcome::StreamOutcome;
use plan::StreamPlan;
use share::Share;
use tally::{StreamLane, StreamTally};

/// How long subscribers wait for the last live transactions after the feed has ended. What has not come then is
/// missing.
const DRAIN: Duration = Duration::from_secs(5);

/// A run while it is on.
pub struct Subscriptions {
    plan: StreamPlan,
    clock: Arc<Clock>,
    started_at: OffsetDateTime,
    lanes: Vec<Arc<StreamLane>>,
    threads: Vec<JoinHandle<Vec<ClientOutcome>>>,
    feed: Option<JoinHandle<Fed>>,
    stage: watch::Sender<Stage>,
}

/// Opens every connection and starts the clock. Of a live run every subscriber has its stream before the first
/// transaction is inserted; a replay asks for its streams when the clock starts.
///
/// # Errors
/// When the plan contradicts itself, or target or database cannot be reached.
pub fn start(plan: StreamPlan) -> anyhow::Result<Subscriptions> {
    plan.check()?;
    let commits = plan.live.as_ref().map(|live| {
        let room = feed::room(live, plan.warmup + plan.duration);
        Arc::new(Commits::new(&plan.run_id, room))
    });
    let (ready, is_ready) = mpsc::channel();
    let (stage, watched) = watch::channel(Stage::Running);
    let shared = Arc::new(plan.clone());
    let mut lanes = Vec::new();
    let mut threads = Vec::new();
    let mut go = Vec::new();
    for number in 0..plan.threads {
        let lane = Arc::new(StreamLane::default());
        let (clock, wait) = mpsc::channel();
        let share = Share {
            plan: Arc::clone(&shared),
            number,
            lane: Arc::clone(&lane),
            commits: commits.clone(),
            stage: watched.clone(),
        };
        let ready = ready.clone();
        let thread = std::thread::Builder::new().name(format!("subscribers-{number}"));
        threads.push(thread.spawn(move || share.run(&ready, &wait))?);
        lanes.push(lane);
        go.push(clock);
    }
    let feed = match (&plan.live, commits) {
        (Some(live), Some(commits)) => {
            let (live, ready) = (live.clone(), ready.clone());
            let (clock, wait) = mpsc::channel();
            let thread = std::thread::Builder::new().name("feed".into());
            let feed = thread.spawn(move || share::feed(&live, commits, &ready, &wait))?;
            go.push(clock);
            Some(feed)
        }
        _ => None,
    };
    drop(ready);
    for _ in 0..go.len() {
        is_ready
            .recv()
            .context("a thread ended before it was ready")?
            .with_context(|| format!("cannot stream from {}", plan.endpoint.authority))?;
    }
    let clock = Arc::new(Clock::start(plan.warmup, plan.duration));
    for thread in go {
        let told = thread.send(Arc::clone(&clock));
        told.ok().context("a thread ended before it began")?;
    }
    Ok(Subscriptions {
        plan,
        clock,
        started_at: OffsetDateTime::now_utc(),
        lanes,
        threads,
        feed,
        stage,
    })
}

impl Subscriptions {
    /// The run's time table; `stop` on it ends the run.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    fn tally(&self) -> StreamTally {
        let mut sum = StreamTally::default();
        for lane in &self.lanes {
            sum.merge(&lane.tally());
        }
        sum
    }

    fn edge(&self) -> Edge {
        Edge {
            at: Instant::now(),
            cpu: crate::cpu::of_this_process(),
            wire: self.lanes.iter().map(|lane| lane.wire.read()).sum(),
        }
    }

    fn standing(&self) -> Standing {
        let tally = self.tally();
        Standing {
            done: tally.delivered,
            errors: tally.errors.values().sum(),
            latencies: match self.plan.live {
                Some(_) => tally.from_commit_sent,
                None => tally.from_emitted,
            },
        }
    }

    /// Every stream has reached its limit or was given up.
    fn finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }
}

/// Stands by a run until it is over, or until it is told to stop; then waits for what is on its way.
///
/// # Errors
/// When a thread panicked, or when it is told to stop twice.
pub async fn measure(
    run: Subscriptions,
    progress: &mut Progress,
    stop: &mut Stop,
) -> anyhow::Result<StreamOutcome> {
    /// How often it is looked whether all streams have ended.
    const LOOK: Duration = Duration::from_millis(10);
    let clock = Arc::clone(&run.clock);
    let mut from = run.edge();
    let (mut window_open, mut interrupted) = (false, false);
    let mut ticks = tokio::time::interval(Progress::EVERY);
    ticks.tick().await; // the first comes at once
    let mut looks = tokio::time::interval(LOOK);
    while Instant::now() < clock.end() && !run.finished() {
        tokio::select! {
            () = tokio::time::sleep_until(clock.measured_from().into()), if !window_open => {
                from = run.edge();
                window_open = true;
            }
            () = tokio::time::sleep_until(clock.end().into()) => {}
            _ = ticks.tick() => progress.show_standing(&clock, || run.standing()),
            _ = looks.tick() => {}
            () = stop.asked() => {
                clock.stop();
                interrupted = true;
            }
        }
    }
    let to = run.edge();
    progress.done();
    let from = if window_open { from } else { to };
    tokio::select! {
        outcome = finish(run, interrupted, from, to) => outcome,
        () = stop.asked(), if interrupted => {
            anyhow::bail!("interrupted twice: what was on its way is unknown")
        }
    }
}

async fn finish(
    run: Subscriptions,
    interrupted: bool,
    from: Edge,
    to: Edge,
) -> anyhow::Result<StreamOutcome> {
    let finished = run.finished();
    let fed = match run.feed {
        // Its end is that of the clock.
        Some(feed) if finished => {
            run.clock.stop();
            Some(join(feed).await?)
        }
        Some(feed) => Some(join(feed).await?),
        None => None,
    };
    let mut clients = Vec::new();
    if let Some(fed) = &fed {
        run.stage.send_replace(Stage::Draining(fed.committed));
        let deadline = Instant::now() + DRAIN;
        while Instant::now() < deadline && !run.threads.iter().all(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    run.stage.send_replace(Stage::Over);
    for thread in run.threads {
        clients.extend(join(thread).await?);
    }
    let mut tally = StreamTally::default();
    for lane in &run.lanes {
        tally.merge(&lane.tally());
    }
    let opened: u64 = run
        .lanes
        .iter()
        .map(|lane| lane.wire.read().connections)
        .sum();
    let window_end = match tally.last_event {
        // All streams ended by themselves: what came after the last event is not part of the measurement.
        Some(last) if finished => last,
        _ => run.clock.end(),
    };
    Ok(StreamOutcome::new(outcome::Parts {
        measured_at: run.started_at + run.plan.warmup,
        started_at: run.started_at,
        seconds: window_end
            .saturating_duration_since(run.clock.measured_from())
            .as_secs_f64(),
        interrupted,
        connections_opened: opened,
        plan: run.plan,
        tally,
        clients,
        fed,
        from,
        to,
    }))
}

async fn join<T: Send + 'static>(thread: JoinHandle<T>) -> anyhow::Result<T> {
    let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
    joined.map_err(|_| anyhow::anyhow!("a thread panicked"))
}
