//! One load at one rate.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;

use super::cpu::cpu_of;
use super::effort::Effort;
use super::parts::{Lab, TIMEOUT};
use super::scrape::{counter, metrics_page};
use crate::rates::{Answered, Asked, Rate, RateKind, RateMeasurement};
use crate::service::{Program, Service, WriteMode};
use crate::store;
use load_engine::accounts::{AccountPlan, SEEDED};
use load_engine::clock::Clock;
use load_engine::load::Load;
use load_engine::measure::measure;
use load_engine::outcome::LoadOutcome;
use load_engine::output::say;
use load_engine::plan::Route;
use load_engine::progress::{Progress, ProgressMode, thousands};
use load_engine::protocol::Protocol;
use load_engine::requests::outcome::Outcome;
use load_engine::requests::plan::{Pacing, Plan};
use load_engine::requests::start;
use load_engine::work::Work;

/// What is known at an end of the measured window.
struct Known {
    service: Effort,
    postgres_cpu_seconds: f64,
    page: String,
}

impl Lab<'_> {
    /// One load at one rate.
    pub(crate) async fn rate(
        &self,
        kind: RateKind,
        rate: Rate,
        round: u32,
    ) -> anyhow::Result<RateMeasurement> {
        let measured = self.rate_of(kind, rate, round).await;
        let measurement = measured.with_context(|| format!("{} at {rate}/s", kind.label()))?;
        say(&format!(
            "round {round} of {}: {} at {rate}/s: {}/s, {:.1} us of CPU each, {:.2} switches",
            self.setup.args().pairs,
            kind.label(),
            thousands(measurement.reached.round() as u64),
            measurement.service_cpu_us,
            measurement.switches,
        ));
        if let Some(fault) = &measurement.fault {
            say(&format!("  warning: {fault}"));
        }
        Ok(measurement)
    }

    async fn rate_of(
        &self,
        kind: RateKind,
        rate: Rate,
        round: u32,
    ) -> anyhow::Result<RateMeasurement> {
        let (program, work) = self.asked(kind);
        let service = self
            .setup
            .service(program, kind.protocol, &self.database_url)
            .await?;
        match kind.asked {
            Asked::Event => store::reset(&self.client).await?,
            Asked::Balance => store::checkpoint(&self.client).await?,
        }
        let plan = self.rate_plan(kind, rate, &service, work);
        let stop = self.setup.stop().clone();
        let load = tokio::task::spawn_blocking(move || start(plan, &stop)).await??;
        let ends = self.in_window(Arc::clone(load.clock()), &service);
        let mut progress = Progress::new(ProgressMode::None);
        let measured = measure(load, &mut progress, self.setup.stop());
        let (outcome, ends) = tokio::join!(measured, ends);
        let (mut outcome, [before, after]) = (outcome?, ends?);
        let lost = match outcome
            .ledger
            .take()
            .filter(|_| kind.answered != Answered::Empty)
        {
            Some(ledger) => Some(store::audit(&self.client, RUN_ID, ledger).await?),
            None => None,
        };
        let lost = lost.map(|audit| audit.lost + audit.unexplained);
        Ok(measurement(
            kind,
            rate,
            round,
            &outcome,
            (&before, &after),
            lost,
        ))
    }

    fn asked(&self, kind: RateKind) -> (Program, Work) {
        match kind.asked {
            Asked::Event => {
                let mode = match kind.answered {
                    Answered::Group | Answered::Empty => WriteMode::Group,
                    Answered::Single => WriteMode::Single,
                    Answered::ReadThenWrite => WriteMode::ReadThenWrite,
                };
                let work = Work::Ingest(self.setup.args().events(RUN_ID, None));
                (Program::Producer(kind.protocol, mode), work)
            }
            Asked::Balance => {
                let shared = kind.answered != Answered::Single;
                let work = Work::Balance(AccountPlan {
                    run_id: RUN_ID.into(),
                    seed: 1,
                    accounts: SEEDED,
                });
                (Program::Balance { shared }, work)
            }
        }
    }

    fn rate_plan(&self, kind: RateKind, rate: Rate, service: &Service, work: Work) -> Plan {
        let args = self.setup.args();
        let concurrency = match kind.asked {
            Asked::Event => args.concurrency,
            Asked::Balance => args.balance_concurrency as usize,
        };
        let connections = match (kind.protocol, kind.asked) {
            (Protocol::Rest, _) => concurrency,
            (Protocol::Grpc, Asked::Event) => concurrency.min(args.grpc_connections),
            (Protocol::Grpc, Asked::Balance) => {
                concurrency.min(args.balance_grpc_connections as usize)
            }
        };
        let path = match (kind.answered, kind.asked, kind.protocol) {
            (Answered::Empty, Asked::Event, Protocol::Rest) => "/api/v1/nothing",
            (Answered::Empty, Asked::Balance, Protocol::Rest) => "/api/v1/nothing/{id}",
            (Answered::Empty, Asked::Event, Protocol::Grpc) => {
                "/com.example.grpc.EventService/Nothing"
            }
            (Answered::Empty, Asked::Balance, Protocol::Grpc) => {
                "/benchmark.BalanceService/Nothing"
            }
            (_, _, protocol) => Work::default_path(work.scenario(), protocol),
        };
        Plan {
            protocol: kind.protocol,
            route: Route {
                endpoint: service.endpoint.clone(),
                connections,
                timeout: TIMEOUT,
            },
            timing: args.timing(1),
            path: path.to_owned(),
            concurrency,
            rate: match rate {
                Rate::PerSecond(rate) => Some(rate.into()),
                Rate::Full => None,
            },
            pacing: Pacing::default(),
            work,
        }
    }

    /// What is known at both ends of the measured window.
    async fn in_window(&self, clock: Arc<Clock>, service: &Service) -> anyhow::Result<[Known; 2]> {
        tokio::time::sleep_until(clock.measured_from().into()).await;
        // The page costs the service something, which comes before its effort is read.
        let page = metrics_page(service.http()?).await?;
        let before = self.known(service, page)?;
        while Instant::now() < clock.end() {
            tokio::time::sleep_until(clock.end().into()).await;
        }
        let after = self.known(service, String::new())?;
        let page = metrics_page(service.http()?).await?;
        Ok([before, Known { page, ..after }])
    }

    fn known(&self, service: &Service, page: String) -> anyhow::Result<Known> {
        let [postgres_cpu_seconds] = cpu_of([self.postgres.pid()])?;
        Ok(Known {
            service: Effort::of(service.pid())?,
            postgres_cpu_seconds,
            page,
        })
    }
}

/// Carried by every event.
const RUN_ID: &str = "rates";

fn measurement(
    kind: RateKind,
    rate: Rate,
    round: u32,
    outcome: &Outcome,
    (before, after): (&Known, &Known),
    lost: Option<u64>,
) -> RateMeasurement {
    let counts = outcome.tally.measured;
    // There is no such path: the error is the answer.
    let answered = match kind.answered {
        Answered::Empty => counts.failed,
        _ => counts.acknowledged,
    };
    let each = |seconds: f64| seconds * 1e6 / answered.max(1) as f64;
    let effort = after.service.since(before.service);
    let seconds = outcome.window.seconds;
    RateMeasurement {
        kind,
        rate,
        round,
        requests: answered,
        reached: if seconds > 0.0 {
            answered as f64 / seconds
        } else {
            0.0
        },
        latency_p50_ms: outcome.latency_ms(0.5),
        latency_p99_ms: outcome.latency_ms(0.99),
        service_cpu_us: each(effort.cpu_seconds),
        postgres_cpu_us: each(after.postgres_cpu_seconds - before.postgres_cpu_seconds),
        client_cpu_us: each(outcome.window.cpu_seconds()),
        switches: effort.switches as f64 / answered.max(1) as f64,
        batch: batch(kind, &before.page, &after.page),
        lost,
        fault: fault(kind, outcome, answered, lost),
    }
}

/// Requests that shared a statement, mean.
fn batch(kind: RateKind, before: &str, after: &str) -> Option<f64> {
    let (requests, statements) = match kind.asked {
        Asked::Event => ("ingest_events_total", "ingest_batches_total"),
        Asked::Balance => ("balance_requests_total", "balance_reads_total"),
    };
    let more = |name| counter(after, name) - counter(before, name);
    let statements = more(statements);
    (statements > 0.0).then(|| more(requests) / statements)
}

fn fault(kind: RateKind, outcome: &Outcome, answered: u64, lost: Option<u64>) -> Option<String> {
    let label = kind.label();
    if let Some(lost @ 1..) = lost {
        return Some(format!("{label}: {lost} events lost or unexplained"));
    }
    let other = outcome.requests() - answered;
    if other > 0 {
        return Some(format!("{label}: {other} requests were answered otherwise"));
    }
    if answered == 0 {
        return Some(format!("{label}: not one request was answered"));
    }
    outcome.generator_limited().then(|| {
        format!(
            "{label}: the generator was the limit ({:.0} % busy)",
            outcome.cpu_share() * 100.0
        )
    })
}
