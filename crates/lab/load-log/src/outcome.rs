//! What came of a run against the event log: in numbers, for the eye, as JSON.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

pub use crate::deliveries::ledger::Delivered;
use crate::plan::{LogPlan, LogScenario, Via};
use load_engine::criteria::Criterion;
use load_engine::load::Window;
use load_engine::outcome::LoadOutcome;
use load_engine::progress::thousands;
use load_engine::result::{Asked, Latency, ResultHead, encode_histogram};
use load_engine::summary::{bars, distributions, errors, interrupted, limit};
use load_engine::tally::Tally;

/// The result of a run, complete or interrupted.
#[derive(Debug)]
pub struct LogOutcome {
    /// What was asked for.
    pub plan: LogPlan,
    /// When it was measured, and at what cost.
    pub window: Window,
    /// Everything that was counted.
    pub tally: Tally,
    /// Of appends: what the chain holds.
    pub audit: Option<Audit>,
    /// Of a load that delivers: what was written and received.
    pub delivered: Option<Delivered>,
    /// Over the whole run.
    pub connections_opened: u64,
}

/// What was appended, against what the chain holds after it was checked hash by hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// Answered with success.
    pub acknowledged: u64,
    /// Sent and not answered with success.
    pub in_doubt: u64,
    /// Entries of the chain.
    pub found: u64,
    /// Whether all that was acknowledged is there, once.
    pub passed: bool,
}

impl Audit {
    pub(super) fn judge(tally: &Tally, found: u64) -> Self {
        let (acknowledged, in_doubt) = (tally.whole.acknowledged, tally.whole.in_doubt());
        Self {
            acknowledged,
            in_doubt,
            found,
            passed: (acknowledged..=acknowledged + in_doubt).contains(&found),
        }
    }
}

impl LoadOutcome for LogOutcome {
    fn window(&self) -> &Window {
        &self.window
    }

    fn threads(&self) -> usize {
        self.plan.timing.threads
    }

    /// Entries or records.
    fn succeeded(&self) -> u64 {
        self.tally.measured.acknowledged * self.plan.per_request()
    }

    /// Of a request, whatever entries it stands for.
    fn latencies(&self) -> &Histogram<u64> {
        &self.tally.histogram
    }

    fn in_process(&self) -> bool {
        matches!(self.plan.via, Via::Direct(_))
    }
}

impl LogOutcome {
    /// The criteria: whatever was asked for was done, and what was acknowledged is there.
    pub fn criteria(&self) -> Vec<Criterion> {
        let faults = self.tally.whole.errors();
        let mut criteria = vec![Criterion::new(
            "errors",
            "0",
            thousands(faults),
            faults == 0,
        )];
        if let Some(audit) = self.audit {
            criteria.push(Criterion::new(
                "acknowledged entries in the chain",
                "all, once",
                format!(
                    "{} of {}",
                    thousands(audit.found),
                    thousands(audit.acknowledged)
                ),
                audit.passed,
            ));
        }
        if let Some(delivered) = &self.delivered {
            criteria.extend(self.criteria_of(delivered));
        }
        criteria
    }

    /// What a delivery has to reach: whatever was acknowledged is received, and once where no member was cut off.
    fn criteria_of(&self, delivered: &Delivered) -> Vec<Criterion> {
        let mut criteria = vec![Criterion::new(
            "acknowledged and not received",
            "0",
            thousands(delivered.missed),
            delivered.missed == 0 && delivered.received > 0,
        )];
        let killed = self.plan.feed.kill_member;
        if killed {
            let took = match delivered.takeover_ms {
                Some(ms) => format!("{ms:.0} ms"),
                None => format!("{} without a reader", thousands(delivered.orphaned)),
            };
            let met = delivered.takeover_ms.is_some();
            criteria.push(Criterion::new(
                "partitions of the cut member",
                "all taken over",
                took,
                met,
            ));
        } else {
            criteria.push(Criterion::new(
                "received again",
                "0",
                thousands(delivered.repeated),
                delivered.repeated == 0,
            ));
        }
        criteria
    }

    /// The summary, with a line feed at its end.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        self.sections(&mut text).ok();
        text
    }

    fn sections(&self, text: &mut String) -> std::fmt::Result {
        let plan = &self.plan;
        let target = match &plan.via {
            Via::Direct(direct) => format!("in-process, {:?}", direct.durability),
            Via::Grpc(route) => format!(
                "grpc {} over {} connections",
                route.endpoint.url(),
                route.connections
            ),
        };
        let (clients, each) = (plan.concurrency, thousands(plan.per_request()));
        let load = match plan.scenario {
            LogScenario::Consume => format!("{clients} members  {} records/s", plan.feed.rate),
            LogScenario::Follow => format!("{clients} followers  {} entries/s", plan.feed.rate),
            _ => format!("{clients} in flight  {each} entries a request"),
        };
        writeln!(
            text,
            "{} {target}  {load}  run {}",
            plan.scenario.name(),
            plan.run_id
        )?;
        interrupted(text, &self.window)?;
        writeln!(text, "\nSummary")?;
        writeln!(text, "  Measured:   {:.2} s", self.window.seconds)?;
        writeln!(
            text,
            "  Rate:       {} entries/s",
            thousands(self.rate().round() as u64)
        )?;
        writeln!(
            text,
            "  Requests:   {} successful, {} not",
            thousands(self.tally.measured.acknowledged),
            thousands(self.tally.measured.errors())
        )?;
        if let Some(delivered) = &self.delivered {
            writeln!(
                text,
                "  Deliveries: {} written, {} received, {} missed, {} received again",
                thousands(delivered.written),
                thousands(delivered.received),
                thousands(delivered.missed),
                thousands(delivered.repeated)
            )?;
        }
        if !self.tally.histogram.is_empty() {
            if self.delivered.is_some() {
                writeln!(
                    text,
                    "\nLatency until receipt, from the time when each record should have been sent and from when it was"
                )?;
                let (sent, due) = (&self.tally.histogram, &self.tally.from_intended);
                distributions(text, &[("intended", due), ("sent", sent)])?;
            } else {
                writeln!(text, "\nLatency of successful requests")?;
                distributions(text, &[("", &self.tally.histogram)])?;
            }
            writeln!(text, "\nHistogram")?;
            bars(text, &self.tally.histogram)?;
        }
        if !self.tally.errors_whole.is_empty() {
            errors(text, &self.tally.errors, &self.tally.errors_whole)?;
        }
        writeln!(
            text,
            "\nThis process: {:.2} CPU-seconds, {:.2} us an entry{}",
            self.window.cpu_seconds(),
            self.cpu_micros_each(),
            match plan.via {
                Via::Direct(_) => ", the log's own work among them",
                Via::Grpc(_) => "",
            }
        )?;
        limit(text, self)
    }
}

/// Name and version of the shape below.
const SCHEMA: &str = "weir.benchmark-log/1";

/// The result as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogResult {
    #[serde(flatten)]
    head: ResultHead,
    durability: Option<String>,
    concurrency: usize,
    entries_per_request: u64,
    entries_per_second: f64,
    requests: u64,
    failed: u64,
    latency_ms: Option<Latency>,
    /// Of a load that delivers: from the moment when the writing was due.
    latency_from_due_ms: Option<Latency>,
    delivered: Option<Delivered>,
    errors: std::collections::BTreeMap<String, u64>,
    audit: Option<Audit>,
    cpu_micros_per_entry: f64,
    generator_limited: bool,
    passed: bool,
    criteria: Vec<Criterion>,
    histogram_v2: String,
}

impl LogResult {
    /// The result of `outcome`.
    ///
    /// # Errors
    /// When the histogram cannot be encoded.
    pub fn new(outcome: &LogOutcome, target: Option<String>) -> anyhow::Result<Self> {
        let plan = &outcome.plan;
        let criteria = outcome.criteria();
        let (url, durability) = match &plan.via {
            Via::Direct(direct) => (
                None,
                Some(format!("{:?}", direct.durability).to_lowercase()),
            ),
            Via::Grpc(route) => (Some(route.endpoint.url()), None),
        };
        let asked = Asked {
            scenario: plan.scenario.name(),
            protocol: plan.via_name(),
            target,
            url,
            run_id: plan.run_id.clone(),
        };
        Ok(Self {
            head: ResultHead::new(SCHEMA, asked, plan.timing, &outcome.window),
            durability,
            concurrency: plan.concurrency,
            entries_per_request: plan.per_request(),
            entries_per_second: outcome.rate(),
            requests: outcome.tally.measured.acknowledged,
            failed: outcome.tally.measured.errors(),
            latency_ms: Latency::of(&outcome.tally.histogram),
            latency_from_due_ms: Latency::of(&outcome.tally.from_intended),
            delivered: outcome.delivered,
            errors: outcome.tally.errors_whole.clone(),
            audit: outcome.audit,
            cpu_micros_per_entry: outcome.cpu_micros_each(),
            generator_limited: outcome.generator_limited(),
            passed: load_engine::criteria::passed(&criteria),
            criteria,
            histogram_v2: encode_histogram(&outcome.tally.histogram)?,
        })
    }
}
