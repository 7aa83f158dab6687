//! Scenario `stream`: subscribers over server-sent events and gRPC, with one way of measuring for both.
//!
//! - [`plan`]: what is asked for
//! - [`event`], [`chunks`], [`sse`]: what comes over the wire, read by bytes
//! - `order`, `commits`, `behind`, `receiver`, [`tally`]: what is noted of an event
//! - `client`: one subscriber
//! - [`feed`], [`database_url`]: live transactions, where they go and when they were committed
//! - [`start`]: threads, and the beginning of a run; [`Subscriptions`]: the run while it is on
//! - [`outcome`], [`verdict`], [`summary`], [`result`]: what came of it

mod behind;
pub mod chunks;
mod client;
mod commits;
pub mod database_url;
pub mod event;
pub mod feed;
mod order;
pub mod outcome;
pub mod plan;
mod receiver;
pub mod result;
mod share;
pub mod sse;
pub mod summary;
pub mod tally;
pub mod verdict;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::watch;

use client::{ClientOutcome, Stage};
use commits::Commits;
use feed::Fed;
use load_engine::clock::Clock;
use load_engine::load::{Load, Standing, Window};
use load_engine::stop::Stop;
use load_engine::tally::WireCounts;
use outcome::{StreamOutcome, Tallies};
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
    lanes: Vec<Arc<StreamLane>>,
    /// Of subscribers that read slowly, which are in no figure of the others.
    slow_lane: Arc<StreamLane>,
    threads: Vec<JoinHandle<Vec<ClientOutcome>>>,
    feed: Option<JoinHandle<Fed>>,
    stage: watch::Sender<Stage>,
}

/// Opens every connection and starts the clock. Of a live run every subscriber has its stream before the first
/// transaction is inserted; a replay asks for its streams when the clock starts.
///
/// # Errors
/// When the plan contradicts itself, or target or database cannot be reached; [`load_engine::stop::Interrupted`] when the run is
/// asked to stop meanwhile.
pub fn start(mut plan: StreamPlan, stop: &Stop) -> anyhow::Result<Subscriptions> {
    plan.check()?;
    let commits = plan.live.as_ref().map(|live| {
        let room = feed::room(live, plan.longest_warmup() + plan.timing.duration);
        Arc::new(Commits::new(&plan.run_id, room))
    });
    let (ready, is_ready) = mpsc::channel();
    let (stage, watched) = watch::channel(Stage::Running);
    let shared = Arc::new(plan.clone());
    let mut lanes = Vec::new();
    let slow_lane = Arc::new(StreamLane::default());
    let mut threads = Vec::new();
    let mut go = Vec::new();
    for number in 0..plan.timing.threads {
        let lane = Arc::new(StreamLane::default());
        let (clock, wait) = mpsc::channel();
        let share = Share {
            plan: Arc::clone(&shared),
            number,
            lane: Arc::clone(&lane),
            slow_lane: Arc::clone(&slow_lane),
            commits: commits.clone(),
            stage: watched.clone(),
            stop: stop.clone(),
        };
        let ready = ready.clone();
        let thread = std::thread::Builder::new().name(format!("subscribers-{number}"));
        threads.push(thread.spawn(move || share.run(&ready, &wait))?);
        lanes.push(lane);
        go.push(clock);
    }
    let feed = match (&plan.live, commits) {
        (Some(live), Some(commits)) => {
            let (live, ready, stop) = (live.clone(), ready.clone(), stop.clone());
            let (clock, wait) = mpsc::channel();
            let thread = std::thread::Builder::new().name("feed".into());
            let feed = thread.spawn(move || share::feed(&live, commits, &stop, &ready, &wait))?;
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
            .with_context(|| format!("cannot stream from {}", plan.route.endpoint.authority))?;
    }
    if let Some(at) = plan.measured_from {
        plan.timing.warmup = at.checked_duration_since(Instant::now()).context(
            "not every stream was open when the measured window was to begin: begin it later",
        )?;
    }
    let clock = Arc::new(Clock::start(plan.timing.warmup, plan.timing.duration));
    for thread in go {
        let told = thread.send(Arc::clone(&clock));
        told.ok().context("a thread ended before it began")?;
    }
    Ok(Subscriptions {
        plan,
        clock,
        lanes,
        slow_lane,
        threads,
        feed,
        stage,
    })
}

impl Subscriptions {
    fn tally(&self) -> StreamTally {
        let mut sum = StreamTally::default();
        for lane in &self.lanes {
            sum.merge(&lane.tally());
        }
        sum
    }
}

impl Load for Subscriptions {
    type Outcome = StreamOutcome;
    const ENDS_BY_ITSELF: bool = true;

    fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    fn wire(&self) -> WireCounts {
        self.lanes.iter().map(|lane| lane.wire.read()).sum()
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

    async fn finish(mut self, mut window: Window, stop: &Stop) -> anyhow::Result<StreamOutcome> {
        let finished = self.finished();
        if finished {
            // The feed's end is that of the clock.
            self.clock.stop();
        }
        let fed = match self.feed.take() {
            Some(feed) => Some(join(feed).await?),
            None => None,
        };
        if let Some(fed) = &fed {
            self.stage.send_replace(Stage::Draining(fed.committed));
            let drained = async {
                while !self.finished() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::select! {
                () = drained => {}
                () = tokio::time::sleep(DRAIN) => {}
                () = stop.halted().cancelled() => {}
            }
        }
        self.stage.send_replace(Stage::Over);
        let mut clients = Vec::new();
        for thread in std::mem::take(&mut self.threads) {
            clients.extend(join(thread).await?);
        }
        let tally = self.tally();
        let window_end = match tally.last_event {
            // All streams ended by themselves: what came after the last event is not part of the measurement.
            Some(last) if finished => last,
            _ => self.clock.end(),
        };
        window.seconds = window_end
            .saturating_duration_since(self.clock.measured_from())
            .as_secs_f64();
        let connections_opened = self.wire().connections;
        let plan = self.plan.clone();
        Ok(StreamOutcome::new(
            plan,
            window,
            Tallies {
                all: tally,
                slow: self.slow_lane.tally().clone(),
            },
            &clients,
            fed,
            connections_opened,
        ))
    }
}

/// Subscribers that nobody stands by any more end.
impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.clock.stop();
        self.stage.send_replace(Stage::Over);
    }
}

async fn join<T: Send + 'static>(thread: JoinHandle<T>) -> anyhow::Result<T> {
    let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
    joined.map_err(|_| anyhow::anyhow!("a thread panicked"))
}
