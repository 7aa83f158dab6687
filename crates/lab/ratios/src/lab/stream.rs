//! Subscribers: many live ones, idle ones, or one that replays.

use std::sync::Arc;
use std::time::Duration;

use super::cpu::{cpu_of, usage_in_window};
use super::memory::{anonymous_kib, most_in_window};
use super::parts::{Lab, TIMEOUT};
use crate::service::Program;
use crate::store;
use crate::streams::{IDLE_FEED_RATE, StreamCost, StreamKind, StreamMeasurement};
use load_engine::load::Load;
use load_engine::measure::measure;
use load_engine::output::say;
use load_engine::plan::{Route, Timing};
use load_engine::progress::{Progress, ProgressMode, thousands};
use load_engine::protocol::{Endpoint, Protocol};
use load_stream::plan::{LivePlan, SEEDED_SINCE, StreamPlan};

/// Streams that a connection over gRPC carries at most; MAX_STREAMS of a service is 1,024.
const MOST_STREAMS: usize = 1000;

/// The longest that a replay may take.
const REPLAY_LIMIT: Duration = Duration::from_secs(300);

impl Lab<'_> {
    /// Subscribers, live or of a replay.
    pub(crate) async fn stream(
        &self,
        kind: StreamKind,
        round: u32,
    ) -> anyhow::Result<StreamMeasurement> {
        let service = self
            .setup
            .service(Program::Stream, kind.protocol(), &self.database_url)
            .await?;
        store::checkpoint(&self.client).await?;
        let plan = self.stream_plan(kind, round, service.endpoint.clone())?;
        let live = plan.live.is_some();
        let stop = self.setup.stop().clone();
        let memory_before_kib = anonymous_kib(service.pid())?;
        let run = tokio::task::spawn_blocking(move || load_stream::start(plan, &stop)).await??;
        let pids = [service.pid(), self.postgres.pid()];
        let before = cpu_of(pids)?;
        let clock = Arc::clone(run.clock());
        let mut progress = Progress::new(ProgressMode::None);
        let measured = measure(run, &mut progress, self.setup.stop());
        let (outcome, cpu, memory_kib) = if live {
            let usage = usage_in_window(Arc::clone(&clock), pids);
            let memory = most_in_window(clock, service.pid());
            let (outcome, usage, memory) = tokio::join!(measured, usage, memory);
            (outcome?, usage?, memory?)
        } else {
            // A replay ends when all has come, and its window with it.
            let outcome = measured.await?;
            let after = cpu_of(pids)?;
            let cpu = [after[0] - before[0], after[1] - before[1]];
            (outcome, cpu, anonymous_kib(service.pid())?)
        };
        let cost = StreamCost {
            service_seconds: cpu[0],
            postgres_seconds: cpu[1],
            memory_before_kib,
            memory_kib,
        };
        let measurement = StreamMeasurement::new(kind, round, &outcome, &cost);
        say(&format!(
            "round {round} of {}: {}: {} events/s, {} faults{}",
            self.setup.args().pairs,
            kind.label(),
            thousands(measurement.events_per_second.round() as u64),
            measurement.faults(),
            match measurement.commit_p99_ms {
                Some(p99) => format!(", commit to receipt p99 {p99:.1} ms"),
                None => String::new(),
            }
        ));
        if let Some(fault) = &measurement.fault {
            say(&format!("  warning: {fault}"));
        }
        Ok(measurement)
    }

    fn stream_plan(
        &self,
        kind: StreamKind,
        round: u32,
        endpoint: Endpoint,
    ) -> anyhow::Result<StreamPlan> {
        let args = self.setup.args();
        let protocol = kind.protocol();
        let path = match protocol {
            Protocol::Rest => "/api/v1/transactions/stream",
            Protocol::Grpc => "/benchmark.TransactionService/StreamTransactions",
        };
        let (clients, feed_rate) = match kind {
            StreamKind::Live(_) => (args.subscribers, Some(args.feed_rate.into())),
            StreamKind::Crowd(_) => (args.crowd, Some(args.feed_rate.into())),
            StreamKind::Idle(_) => (args.idle_subscribers, Some(IDLE_FEED_RATE)),
            StreamKind::Replay(_) => (1, None),
        };
        let (clients, live) = (clients as usize, feed_rate.is_some());
        let connections = match protocol {
            Protocol::Rest => clients,
            Protocol::Grpc => {
                clients.min(args.grpc_connections.max(clients.div_ceil(MOST_STREAMS)))
            }
        };
        let threads = (args.stream_threads as usize).min(connections);
        let database_url = self.database_url.parse();
        let database_url = database_url.map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(StreamPlan {
            protocol,
            route: Route {
                endpoint,
                connections,
                timeout: TIMEOUT,
            },
            timing: match live {
                true => args.timing(threads),
                false => Timing {
                    threads,
                    warmup: Duration::ZERO,
                    duration: REPLAY_LIMIT,
                },
            },
            path: path.into(),
            // Transactions carry it, and stay.
            run_id: format!("ratios-{}-{round}", kind.name()),
            clients,
            measured_from: None,
            since: (!live).then(|| SEEDED_SINCE.into()),
            rate: None,
            limit: (!live).then_some(args.replay_events.into()),
            slow: None,
            live: feed_rate.map(|rate| LivePlan {
                database_url,
                rate,
                connections: args.feed_connections as usize,
            }),
        })
    }
}
