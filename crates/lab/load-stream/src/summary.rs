//! The result of a stream for the eye.

use std::fmt::Write as _;

use crate::outcome::StreamOutcome;
use load_engine::load::per;
use load_engine::outcome::LoadOutcome;
use load_engine::progress::thousands;
use load_engine::protocol::Protocol;
use load_engine::protocol::grpc::STREAM_WINDOWS;
use load_engine::summary::{bars, distributions, errors, interrupted, limit};

/// The whole summary, with a line feed at its end.
pub fn render(outcome: &StreamOutcome) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    sections(&mut text, outcome).ok();
    text
}

fn sections(text: &mut String, outcome: &StreamOutcome) -> std::fmt::Result {
    head(text, outcome)?;
    interrupted(text, &outcome.window)?;
    totals(text, outcome)?;
    latency(text, outcome)?;
    if !outcome.tally.errors.is_empty() {
        errors(text, &outcome.tally.errors, &outcome.tally.errors)?;
    }
    generator(text, outcome)
}

fn head(text: &mut String, outcome: &StreamOutcome) -> std::fmt::Result {
    let plan = &outcome.plan;
    let face = match plan.protocol {
        Protocol::Rest => "sse",
        Protocol::Grpc => "grpc",
    };
    write!(
        text,
        "stream {face} {}  {} clients over {} connections",
        plan.route.endpoint.url(),
        plan.clients,
        plan.route.connections
    )?;
    if let Some(since) = &plan.since {
        write!(text, "  since {since}")?;
    }
    if let Some(rate) = plan.rate {
        write!(text, "  at {rate}/s")?;
    }
    if let Some(live) = &plan.live {
        write!(
            text,
            "  live {}/s over {} connections",
            live.rate, live.connections
        )?;
    }
    writeln!(text, "  run {}", plan.run_id)?;
    if plan.protocol == Protocol::Grpc {
        writeln!(
            text,
            "HTTP/2 receive windows: {} KiB a stream, {} KiB a connection",
            STREAM_WINDOWS.stream >> 10,
            STREAM_WINDOWS.connection >> 10
        )?;
    }
    Ok(())
}

fn totals(text: &mut String, outcome: &StreamOutcome) -> std::fmt::Result {
    let tally = &outcome.tally;
    writeln!(text, "\nSummary")?;
    writeln!(text, "  Measured:     {:.2} s", outcome.window.seconds)?;
    writeln!(
        text,
        "  Rate:         {} events/s",
        thousands(outcome.rate().round() as u64)
    )?;
    writeln!(
        text,
        "  Events:       {} delivered, {} to {} to each client",
        thousands(tally.delivered),
        thousands(outcome.fewest),
        thousands(outcome.most)
    )?;
    writeln!(
        text,
        "  Faults:       {} missed, {} repeated, {} out of order, {} streams broke",
        thousands(outcome.missed),
        thousands(outcome.repeated),
        thousands(outcome.out_of_order),
        thousands(tally.breaks)
    )?;
    writeln!(
        text,
        "  Bytes:        {:.0} received an event",
        per(
            outcome.window.bytes_received() as f64,
            tally.measured as f64
        )
    )?;
    if let Some(fed) = &outcome.fed {
        writeln!(
            text,
            "  Live:         {} of {} due transactions committed, p99 of a commit {:.2} ms",
            thousands(fed.committed),
            thousands(fed.due),
            fed.commit.value_at_quantile(0.99) as f64 / 1000.0
        )?;
    }
    if let (Some(slow), Some(plan)) = (&outcome.slow, &outcome.plan.slow) {
        writeln!(
            text,
            "  Slow clients: {} at {} events/s, {} events received, at the end up to {} events and {:.1} s behind, {} \
             streams broke and were resumed",
            plan.clients,
            plan.events_per_second,
            thousands(slow.received),
            thousands(slow.behind_events),
            slow.behind.as_secs_f64(),
            thousands(slow.breaks)
        )?;
    }
    Ok(())
}

fn latency(text: &mut String, outcome: &StreamOutcome) -> std::fmt::Result {
    let tally = &outcome.tally;
    let mut all = Vec::new();
    if outcome.plan.live.is_some() {
        all.push(("commit", &tally.from_commit_sent));
        all.push(("answer", &tally.from_commit_answered));
    }
    all.push(("emitted", &tally.from_emitted));
    if all.iter().any(|(_, histogram)| !histogram.is_empty()) {
        writeln!(
            text,
            "\nDelivery of an event, to its receipt from: {}",
            match all.len() {
                1 => "the time of sending that it carries (emitted)",
                _ => {
                    "the sending of its commit (commit), the answer to that (answer), the time of sending that \
                     it carries (emitted)"
                }
            }
        )?;
        distributions(text, &all)?;
        writeln!(text, "\nHistogram")?;
        bars(text, outcome.latencies())?;
    }
    writeln!(
        text,
        "\nBeginning of a stream: connection, from the request to the answer's head, and to the first event"
    )?;
    let beginning = [
        ("connection", &tally.connect),
        ("head", &tally.open),
        ("first event", &tally.first_event),
    ];
    distributions(text, &beginning)
}

fn generator(text: &mut String, outcome: &StreamOutcome) -> std::fmt::Result {
    let plan = &outcome.plan;
    writeln!(
        text,
        "\nGenerator: {:.2} CPU-seconds{}, {:.0} % of its threads' time, {:.1} us an event",
        outcome.window.cpu_seconds(),
        if plan.live.is_some() {
            " with the feed"
        } else {
            ""
        },
        outcome.cpu_share() * 100.0,
        outcome.cpu_micros_each()
    )?;
    limit(text, outcome)
}
