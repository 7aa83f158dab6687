//! Polls the metrics database for running runs and keeps one sampler a run.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use metrics_db::{RunningRun, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::metrics_csv;
use crate::probe::docker::Engine;
use crate::sampler::{Order, Sampler};
use crate::writer::Writer;

/// How late a run's start or end is noticed at most.
const POLL_EVERY: Duration = Duration::from_millis(200);

/// For the last samples and the CSV when the process stops.
const GRACE: Duration = Duration::from_secs(10);

/// Samples all running runs until `stop`; then takes their last samples and stores what is left.
pub async fn serve(store: Store, csv_dir: Option<PathBuf>, stop: CancellationToken) {
    let mut sidecar = Sidecar {
        store,
        csv_dir: csv_dir.map(Arc::from),
        engine: Engine::default(),
        orders: HashMap::new(),
        samplers: JoinSet::new(),
        unreadable: HashSet::new(),
    };
    let mut ticks = interval(POLL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reachable = true;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        match sidecar.store.running_runs().await {
            Ok(runs) => {
                if !reachable {
                    tracing::info!("metrics database is back");
                }
                reachable = true;
                sidecar.follow(runs);
            }
            Err(error) => {
                if reachable {
                    tracing::warn!(%error, "metrics database cannot be asked; sampling goes on");
                }
                reachable = false;
            }
        }
        while let Some(ended) = sidecar.samplers.try_join_next() {
            report(ended);
        }
    }
    sidecar.finish().await;
}

struct Sidecar {
    store: Store,
    csv_dir: Option<Arc<Path>>,
    engine: Engine,
    /// By run; a run stays here until it is no longer running, even where its sampler has given up.
    orders: HashMap<i64, watch::Sender<Order>>,
    samplers: JoinSet<()>,
    /// Runs whose `sampling` was reported as unreadable.
    unreadable: HashSet<i64>,
}

impl Sidecar {
    /// Starts samplers of new runs, tells the others what changed, ends those whose run is over.
    fn follow(&mut self, runs: Vec<RunningRun>) {
        let running: HashSet<i64> = runs.iter().map(|run| run.id).collect();
        self.orders.retain(|id, orders| {
            let goes_on = running.contains(id);
            if !goes_on {
                orders.send_replace(Order::Finish);
            }
            goes_on
        });
        for run in runs {
            match &run.sampling {
                Ok(None) => {}
                Ok(Some(sampling)) => {
                    let order = Order::Sample(sampling.clone());
                    match self.orders.get(&run.id) {
                        Some(orders) => {
                            orders.send_if_modified(|current| {
                                let changed = *current != order;
                                *current = order;
                                changed
                            });
                        }
                        None => self.start(run, order),
                    }
                }
                Err(error) => {
                    if self.unreadable.insert(run.id) {
                        tracing::warn!(run.id = run.id, %error, "test_runs.sampling cannot be read");
                    }
                }
            }
        }
    }

    fn start(&mut self, run: RunningRun, order: Order) {
        tracing::info!(
            run.id = run.id,
            api = run.api_name,
            mode = run.test_mode,
            "sampling a run"
        );
        let (orders, receiver) = watch::channel(order);
        self.orders.insert(run.id, orders);
        let store = self.store.clone();
        let csv_dir = self.csv_dir.clone();
        let writer = Writer::start(store.clone(), run.id);
        let sampler = Sampler::new(run.clone(), self.engine.clone(), writer);
        self.samplers.spawn(async move {
            sampler.run(receiver).await;
            if let Some(directory) = csv_dir {
                write_csv(&store, &directory, &run).await;
            }
            tracing::info!(run.id = run.id, "sampling ended");
        });
    }

    async fn finish(mut self) {
        // Without their senders the samplers come to their end.
        self.orders.clear();
        let all_ended = async {
            while let Some(ended) = self.samplers.join_next().await {
                report(ended);
            }
        };
        if timeout(GRACE, all_ended).await.is_err() {
            tracing::error!("stopped before all samples were stored");
        }
    }
}

async fn write_csv(store: &Store, directory: &Path, run: &RunningRun) {
    let written = match store.samples(run.id).await {
        Ok(samples) => metrics_csv::write(directory, run, &samples),
        Err(error) => Err(error.into()),
    };
    match written {
        Ok(path) => tracing::info!(run.id = run.id, path = %path.display(), "CSV written"),
        Err(error) => tracing::warn!(
            run.id = run.id,
            error = format!("{error:#}"),
            "CSV not written"
        ),
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a sampler broke");
    }
}
