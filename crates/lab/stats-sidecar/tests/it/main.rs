//! The sidecar on a real PostgreSQL, with real processes and containers.

#![allow(clippy::print_stdout, reason = "a skipped test says why")]

mod docker;
mod native;
mod process;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics_db::{MetricsDbConfig, NewRun, ResourceSample, Role, Sampling, Store};
use testkit::Database;
use testkit::postgres::shared;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Settings that lead to `database`.
fn config(database: &Database) -> MetricsDbConfig {
    MetricsDbConfig {
        host: "127.0.0.1".into(),
        port: shared().port(),
        name: database.name().into(),
        ..Default::default()
    }
}

/// A sidecar on a database of its own.
struct Lab {
    store: Store,
    stop: CancellationToken,
    sidecar: JoinHandle<()>,
}

impl Lab {
    async fn start(csv_dir: Option<PathBuf>) -> Self {
        let database = Database::fresh().await;
        let store = Store::connect(&config(&database)).await.expect("connect");
        store.migrate().await.expect("migrate");
        let stop = CancellationToken::new();
        let sidecar = tokio::spawn(stats_sidecar::serve(store.clone(), csv_dir, stop.clone()));
        Self {
            store,
            stop,
            sidecar,
        }
    }

    /// A running run of `producer-rest` with this sampling.
    async fn run(&self, label: &str, sampling: &Sampling) -> i64 {
        let run = NewRun {
            api_name: "producer-rest".into(),
            run_label: label.into(),
            ..Default::default()
        };
        let id = self.store.create_run(&run).await.expect("run");
        self.store
            .set_sampling(id, sampling)
            .await
            .expect("sampling");
        id
    }

    async fn stop(self) {
        self.stop.cancel();
        self.sidecar.await.expect("sidecar");
    }

    /// The samples of a run once `done` says that they are enough.
    async fn samples_until(
        &self,
        run: i64,
        done: impl Fn(&[ResourceSample]) -> bool,
    ) -> Vec<ResourceSample> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let samples = self.store.samples(run).await.expect("samples");
            if done(&samples) {
                return samples;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "not within 30 s: {samples:#?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn of(samples: &[ResourceSample], role: Role) -> Vec<&ResourceSample> {
    samples
        .iter()
        .filter(|sample| sample.role == role)
        .collect()
}

/// Microseconds since 1970, `ahead` from now.
fn us_from_now(ahead: Duration) -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from((now + ahead).as_micros()).expect("in range")
}
