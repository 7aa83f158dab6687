//! Steps of subscribers: an event that came is what a request is elsewhere.

use anyhow::{Result, ensure};
use lab_contract::audit::{Claims, Counts, StreamClaims};
use metrics_db::{Check, CheckStatus, Latency, Performance, Phase};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::figures::{Percentiles, of_run, share};
use crate::generated::Generated;

/// The schema of such a result.
pub(super) const SCHEMA: &str = "weir.benchmark-stream-levels/1";

/// One step, as far as the lab reads it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Step {
    clients: i32,
    rate_asked: Option<f64>,
    feed_rate: Option<f64>,
    limit: Option<i64>,
    measured_seconds: f64,
    #[serde(with = "time::serde::rfc3339")]
    measured_at: OffsetDateTime,
    interrupted: bool,
    events: Events,
    latency_ms: Latencies,
    bytes_received: i64,
    generator: Cpu,
    criteria: Vec<Criterion>,
    histogram_v2: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    measured: i64,
    per_second: f64,
    received: i64,
    missed: i64,
    repeated: i64,
    out_of_order: i64,
    breaks: i64,
    committed: Option<i64>,
}

/// Durations, each as the metrics database keeps it too.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Latencies {
    commit_to_receipt: Option<Percentiles>,
    answer_to_receipt: Option<Percentiles>,
    emitted_to_receipt: Option<Percentiles>,
    connect: Option<Percentiles>,
    open: Option<Percentiles>,
    first_event: Option<Percentiles>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cpu {
    cpu_seconds: f64,
}

#[derive(Clone, Debug, Deserialize)]
struct Criterion {
    what: String,
    bound: String,
    measured: String,
    met: bool,
}

/// What steps with these names have left.
pub(super) fn generated(steps: &[Step], names: &[String]) -> Result<Generated> {
    ensure!(
        steps.iter().all(|step| !step.interrupted),
        "the load was interrupted"
    );
    let phases: Vec<Phase> = steps
        .iter()
        .zip(names)
        .zip(1..)
        .map(|((step, name), number)| step.phase(number, name))
        .collect();
    let sum = |of: fn(&Step) -> i64| steps.iter().map(of).sum::<i64>();
    let seconds: f64 = steps.iter().map(|step| step.measured_seconds).sum();
    let (successful, failed) = (sum(|s| s.events.measured), sum(|s| s.events.missed));
    let (latency, histogram) = of_run(steps.iter().map(|step| step.histogram_v2.as_str()))?;
    let intended: Option<f64> = steps.iter().map(Step::intended).sum();
    Ok(Generated {
        performance: Performance {
            total_requests: successful + failed,
            successful_requests: successful,
            failed_requests: failed,
            dropped_iterations: 0,
            intended_per_sec: intended.map(|events| share(events, seconds)),
            throughput_per_sec: share(successful as f64, seconds),
            error_rate: share(failed as f64, (successful + failed) as f64),
            latency,
            bytes_sent: None,
            bytes_received: Some(sum(|s| s.bytes_received)),
            histogram,
        },
        phases,
        claims: claims(steps),
        begun_late_p99: None,
        crossed: Vec::new(),
        measured_seconds: seconds,
        events_per_request: 1.0,
        one_in_flight: false,
        stats: Some(json!({
            "steps": steps.iter().map(Step::stats).collect::<Vec<_>>(),
        })),
        criteria: criteria(steps, names),
        generators: Vec::new(),
    })
}

/// The audit compares events: those that the streams had, at least and at most, with those that the service sent.
fn claims(steps: &[Step]) -> Claims {
    let sum = |of: fn(&Step) -> i64| steps.iter().map(of).sum::<i64>();
    Claims {
        counts: Counts {
            sent: sum(Step::most),
            acknowledged: sum(Step::whole),
            failed: sum(|s| s.events.missed),
        },
        streams: Some(StreamClaims {
            per_stream: 1,
            received: sum(|s| s.events.received),
            missed: sum(|s| s.events.missed),
            repeated: sum(|s| s.events.repeated),
            out_of_order: sum(|s| s.events.out_of_order),
        }),
    }
}

/// How each step's events came, and what it had to keep.
fn criteria(steps: &[Step], names: &[String]) -> Vec<Check> {
    let mut all: Vec<Check> = Vec::new();
    let several = steps.len() > 1;
    for (step, name) in steps.iter().zip(names) {
        all.extend(step.delivery());
        for criterion in &step.criteria {
            let status = match criterion.met {
                true => CheckStatus::Ok,
                false => CheckStatus::Warn,
            };
            let mut check = Check::new(&format!("criterion_{}", all.len() + 1), status)
                .with("what", criterion.what.as_str())
                .with("bound", criterion.bound.as_str())
                .with("measured", criterion.measured.as_str());
            if several {
                check = check.with("phase", name.as_str());
            }
            all.push(check);
        }
    }
    all
}

impl Step {
    /// Events that one subscriber has: as many as were committed, or asked for; none: nobody knows.
    fn per_stream(&self) -> Option<i64> {
        self.events.committed.or(self.limit)
    }

    /// Events of all subscribers, had nothing been lost.
    fn whole(&self) -> i64 {
        let clients = i64::from(self.clients);
        self.per_stream()
            .map_or(self.events.received, |each| each * clients)
    }

    /// Events that the service may have sent: a stream that broke may have been sent some twice.
    fn most(&self) -> i64 {
        self.whole() + self.events.breaks * self.per_stream().unwrap_or(self.events.received)
    }

    /// Events that should have come; none where no rate says.
    fn intended(&self) -> Option<f64> {
        let rate = match (self.feed_rate, self.rate_asked) {
            (Some(feed), Some(asked)) => feed.min(asked),
            (Some(rate), None) | (None, Some(rate)) => rate,
            (None, None) => return None,
        };
        Some(rate * f64::from(self.clients) * self.measured_seconds)
    }

    /// The delivery that counts: from the commit where it is known.
    fn delays(&self) -> Option<(&'static str, Percentiles)> {
        let its = self.latency_ms;
        let commit = its.commit_to_receipt.map(|delays| ("commit", delays));
        commit.or(its.emitted_to_receipt.map(|delays| ("sending", delays)))
    }

    fn delivery(&self) -> Option<Check> {
        let (from, delays) = self.delays()?;
        let p99 = |durations: Option<Percentiles>| durations.map(|durations| durations.p99);
        let check = Check::ok("delivery")
            .with("from", from)
            .with("p50_ms", delays.p50)
            .with("p99_ms", delays.p99)
            .with("missed", self.events.missed)
            .with("repeated", self.events.repeated)
            .with("out_of_order", self.events.out_of_order)
            .with("breaks", self.events.breaks)
            .with("emitted_p99_ms", p99(self.latency_ms.emitted_to_receipt))
            .with("first_event_p99_ms", p99(self.latency_ms.first_event));
        Some(check)
    }

    fn phase(&self, number: i32, name: &str) -> Phase {
        let (successful, failed) = (self.events.measured, self.events.missed);
        Phase {
            phase_number: number,
            phase_name: name.to_owned(),
            target_vus: self.clients,
            started_at: Some(self.measured_at),
            duration_seconds: self.measured_seconds,
            total_requests: successful + failed,
            successful_requests: successful,
            failed_requests: failed,
            throughput_per_sec: self.events.per_second,
            error_rate: share(failed as f64, (successful + failed) as f64),
            latency: self
                .delays()
                .map_or_else(Latency::default, |(_, delays)| delays.into()),
            bytes_received: Some(self.bytes_received),
            generator_cpu_seconds: Some(self.generator.cpu_seconds),
            ..Phase::default()
        }
    }

    /// What the metrics database keeps of it, in the words that a run of `benchmark --store` has.
    fn stats(&self) -> Value {
        let mut stats = json!(self.latency_ms);
        let events = self.events;
        stats["clients"] = self.clients.into();
        stats["events"] = events.received.into();
        stats["missed"] = events.missed.into();
        stats["repeated"] = events.repeated.into();
        stats["outOfOrder"] = events.out_of_order.into();
        stats["breaks"] = events.breaks.into();
        stats["committed"] = events.committed.into();
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(clients: i32, events: Value) -> Step {
        let delays = json!({"avg": 1.0, "min": 0.5, "max": 9.0, "p50": 0.9, "p90": 2.0, "p95": 3.0, "p99": 4.0, "p999": 8.0});
        let mut all = json!({"measured": 90, "perSecond": 90.0, "received": 100, "missed": 0, "repeated": 0,
            "outOfOrder": 0, "breaks": 0, "committed": 50});
        for (key, value) in events.as_object().unwrap() {
            all[key] = value.clone();
        }
        serde_json::from_value(json!({
            "clients": clients, "rateAsked": null, "feedRate": 50.0, "limit": null, "measuredSeconds": 1.0,
            "measuredAt": "2026-11-30T12:00:00Z", "interrupted": false, "events": all,
            "latencyMs": {"commitToReceipt": delays, "answerToReceipt": delays, "emittedToReceipt": delays,
                "connect": delays, "open": delays, "firstEvent": delays, "commit": delays},
            "bytesReceived": 1000, "generator": {"cpuSeconds": 0.1},
            "criteria": [{"what": "events missed", "bound": "0", "measured": "0", "met": true}],
            "histogramV2": "",
        }))
        .unwrap()
    }

    #[test]
    fn every_event_of_every_subscriber_is_claimed() {
        let whole = claims(&[step(2, json!({})), step(4, json!({"received": 200}))]);
        assert_eq!((whole.counts.sent, whole.counts.acknowledged), (300, 300));
        let streams = whole.streams.unwrap();
        assert_eq!((streams.per_stream, streams.received), (1, 300));
        // A stream that broke may have been sent what it had again.
        let broken = claims(&[step(2, json!({"breaks": 1}))]);
        assert_eq!((broken.counts.sent, broken.counts.acknowledged), (150, 100));
        let lost = claims(&[step(2, json!({"received": 99, "missed": 1}))]);
        assert_eq!(lost.streams.unwrap().missed, 1);
        assert_eq!(lost.counts.acknowledged, 100);
    }

    #[test]
    fn a_step_says_how_its_events_came_and_what_it_kept() {
        let steps = [step(2, json!({})), step(4, json!({}))];
        let names = ["a".to_owned(), "b".to_owned()];
        let checks = criteria(&steps, &names);
        let ids: Vec<&str> = checks.iter().map(|check| check.id.as_str()).collect();
        assert_eq!(ids, ["delivery", "criterion_2", "delivery", "criterion_4"]);
        assert_eq!(checks[0].context["p99_ms"], 4.0);
        assert_eq!(checks[3].context["phase"], "b");
        assert_eq!(steps[1].intended(), Some(200.0));
        let phase = steps[0].phase(1, "a");
        assert_eq!(
            (phase.target_vus, phase.total_requests, phase.latency.p99),
            (2, 90, Some(4.0))
        );
    }
}
