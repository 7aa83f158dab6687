//! The human-readable summary: totals, rate, latency, a small histogram, errors, and what the generator cost.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hdrhistogram::Histogram;

use crate::load::Window;
use crate::outcome::LoadOutcome;
use crate::progress::thousands;
use crate::protocol::Protocol;
use crate::protocol::grpc::WINDOWS;
use crate::requests::outcome::Outcome;
use crate::tally::EventTally;
use crate::work::Work;

/// Rows of the histogram.
const ROWS: usize = 10;
/// Width of its longest bar, characters.
const BAR: usize = 40;

/// The whole summary, with a line feed at its end.
pub fn render(outcome: &Outcome) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    sections(&mut text, outcome).ok();
    text
}

/// A row per level of a load that was made at several.
pub fn levels(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    level_rows(&mut text, outcomes).ok();
    text
}

fn level_rows(text: &mut String, outcomes: &[Outcome]) -> std::fmt::Result {
    if let Some(first) = outcomes.first() {
        let plan = &first.plan;
        writeln!(
            text,
            "{} {} {}  {} s each after {} s of warm-up  run {}\n",
            plan.work.scenario(),
            plan.protocol.as_str(),
            plan.route.endpoint.url(),
            plan.timing.duration.as_secs_f64(),
            plan.timing.warmup.as_secs_f64(),
            plan.work.run_id()
        )?;
    }
    writeln!(
        text,
        "  in flight  connections    requests/s     p50 ms     p90 ms     p99 ms   errors  generator CPU"
    )?;
    for outcome in outcomes {
        let ms = |quantile| match outcome.latency_ms(quantile) {
            Some(ms) => format!("{ms:>11.2}"),
            None => format!("{:>11}", "-"),
        };
        writeln!(
            text,
            "  {:>9}  {:>11}  {:>12}{}{}{}{:>9}  {:>11.0} %{}",
            outcome.plan.concurrency,
            outcome.plan.route.connections,
            thousands(outcome.rate().round() as u64),
            ms(0.5),
            ms(0.9),
            ms(0.99),
            thousands(outcome.tally.whole.errors()),
            outcome.cpu_share() * 100.0,
            if outcome.generator_limited() {
                "  the limit"
            } else {
                ""
            }
        )?;
    }
    let mut all = BTreeMap::new();
    for (kind, count) in outcomes.iter().flat_map(|it| &it.tally.errors_whole) {
        *all.entry(kind.clone()).or_default() += count;
    }
    errors(text, &all, &all)
}

fn sections(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let plan = &outcome.plan;
    writeln!(
        text,
        "{} {} {}  {}{} in flight over {} connections  {}  run {}",
        plan.work.scenario(),
        plan.protocol.as_str(),
        plan.route.endpoint.url(),
        plan.rate.map_or(String::new(), |rate| format!(
            "{rate}/s on schedule, at most "
        )),
        plan.concurrency,
        plan.route.connections,
        match plan.work.accounts() {
            Some(accounts) => format!("{} accounts", thousands(accounts)),
            None => format!("payload {}", plan.work.payload()),
        },
        plan.work.run_id()
    )?;
    if plan.protocol == Protocol::Grpc {
        writeln!(
            text,
            "HTTP/2 receive windows: {} KiB a call, {} KiB a connection",
            WINDOWS.stream >> 10,
            WINDOWS.connection >> 10
        )?;
    }
    interrupted(text, &outcome.window)?;
    totals(text, outcome)?;
    if !outcome.latencies().is_empty() {
        latency(text, outcome)?;
        writeln!(text, "\nHistogram")?;
        bars(text, outcome.latencies())?;
    }
    errors(text, &outcome.tally.errors, &outcome.tally.errors_whole)?;
    if let Some(events) = &outcome.tally.events {
        event_outcomes(text, events)?;
    }
    generator(text, outcome)
}

fn totals(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let (plan, measured) = (&outcome.plan, &outcome.tally.measured);
    let requests = outcome.requests();
    let each = |bytes: u64| bytes.checked_div(requests).unwrap_or(0);
    writeln!(text, "\nSummary")?;
    writeln!(text, "  Measured:   {:.2} s", outcome.window.seconds)?;
    writeln!(
        text,
        "  Rate:       {}/s",
        thousands(outcome.rate().round() as u64)
    )?;
    writeln!(
        text,
        "  Requests:   {} ({} successful, {} not)",
        thousands(requests),
        thousands(measured.acknowledged),
        thousands(measured.errors())
    )?;
    if let Some(intended) = outcome.intended {
        writeln!(
            text,
            "  Intended:   {} ({} never sent, {} sent late)",
            thousands(intended),
            thousands(outcome.missed()),
            thousands(outcome.tally.late)
        )?;
    }
    writeln!(
        text,
        "  Bytes:      {} sent, {} received a request",
        thousands(each(outcome.window.bytes_sent())),
        thousands(each(outcome.window.bytes_received()))
    )?;
    let whole = outcome.events();
    if matches!(plan.work, Work::Balance(_)) {
        return Ok(());
    }
    if let Some(batch) = plan.work.batch() {
        writeln!(
            text,
            "  Events/s:   {} acknowledged, {} events a request",
            thousands(outcome.event_rate().round() as u64),
            thousands(batch)
        )?;
    }
    writeln!(
        text,
        "  Events:     {} sent, {} acknowledged, {} in doubt (whole run, for the audit)",
        thousands(whole.sent()),
        thousands(whole.acknowledged),
        thousands(whole.in_doubt())
    )
}

fn latency(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    if outcome.intended.is_none() {
        writeln!(text, "\nLatency of successful requests")?;
        return distributions(text, &[("", &outcome.tally.histogram)]);
    }
    writeln!(
        text,
        "\nLatency of successful requests, from the time when each should have been sent and from when it was"
    )?;
    let both = [
        ("intended", &outcome.tally.from_intended),
        ("sent", &outcome.tally.histogram),
    ];
    distributions(text, &both)
}

/// What is known of single events where a request has several.
fn event_outcomes(text: &mut String, events: &EventTally) -> std::fmt::Result {
    if !events.histogram.is_empty() {
        let what = "From the sending of a request to the outcome of each event";
        writeln!(text, "\n{what}")?;
        distributions(text, &[("", &events.histogram)])?;
    }
    if !events.errors.is_empty() {
        writeln!(text, "\nEvents that failed, by reason (measured window)")?;
    }
    for (reason, count) in &events.errors {
        writeln!(text, "  {reason}: {}", thousands(*count))?;
    }
    Ok(())
}

/// Distributions of microseconds beside each other, each with its name above unless there is one alone.
pub fn distributions(text: &mut String, all: &[(&str, &Histogram<u64>)]) -> std::fmt::Result {
    if all.len() > 1 {
        let names = all.iter().map(|(name, _)| format!("{name:>12}"));
        writeln!(text, "        {}", names.collect::<String>())?;
    }
    let mut row = |name: &str, value: fn(&Histogram<u64>) -> f64| {
        let values = all.iter().map(|(_, histogram)| match histogram.is_empty() {
            true => format!("{:>12}", "-"),
            false => format!("{:>9.2} ms", value(histogram) / 1000.0),
        });
        writeln!(text, "  {name:<6}{}", values.collect::<String>())
    };
    row("mean", |it| it.mean())?;
    row("min", |it| it.min() as f64)?;
    row("p50", |it| it.value_at_quantile(0.5) as f64)?;
    row("p90", |it| it.value_at_quantile(0.9) as f64)?;
    row("p95", |it| it.value_at_quantile(0.95) as f64)?;
    row("p99", |it| it.value_at_quantile(0.99) as f64)?;
    row("p99.9", |it| it.value_at_quantile(0.999) as f64)?;
    row("max", |it| it.max() as f64)
}

/// Equal steps from the shortest latency to the 99.9th percentile; the last row holds the rest.
pub fn bars(text: &mut String, histogram: &Histogram<u64>) -> std::fmt::Result {
    let low = histogram.min();
    let high = histogram.value_at_quantile(0.999).max(low + 1);
    let step = (high - low).div_ceil(ROWS as u64 - 1).max(1);
    let mut rows: Vec<(u64, u64)> = (0..ROWS as u64).map(|row| (low + row * step, 0)).collect();
    for value in histogram.iter_recorded() {
        let row = value.value_iterated_to().saturating_sub(low) / step;
        rows[(row as usize).min(ROWS - 1)].1 += value.count_at_value();
    }
    let most = rows
        .iter()
        .map(|&(_, count)| count)
        .max()
        .unwrap_or(0)
        .max(1);
    for (from, count) in rows {
        let length = (count * BAR as u64).div_ceil(most) as usize;
        let from = from as f64 / 1000.0;
        writeln!(
            text,
            "  {from:>9.2} ms {:>12} |{}",
            thousands(count),
            "#".repeat(length)
        )?;
    }
    Ok(())
}

/// Kinds of error, in the measured window and over the whole run.
pub fn errors(
    text: &mut String,
    measured: &BTreeMap<String, u64>,
    whole: &BTreeMap<String, u64>,
) -> std::fmt::Result {
    if whole.is_empty() {
        return Ok(());
    }
    writeln!(text, "\nErrors (measured window / whole run)")?;
    for (kind, count) in whole {
        let in_window = measured.get(kind).copied().unwrap_or(0);
        writeln!(
            text,
            "  {kind}: {} / {}",
            thousands(in_window),
            thousands(*count)
        )?;
    }
    Ok(())
}

fn generator(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let plan = &outcome.plan;
    writeln!(
        text,
        "\nGenerator: {:.2} CPU-seconds, {:.0} % of {} thread{}, {:.1} us a request",
        outcome.window.cpu_seconds(),
        outcome.cpu_share() * 100.0,
        plan.timing.threads,
        if plan.timing.threads == 1 { "" } else { "s" },
        outcome.cpu_micros_each()
    )?;
    if outcome.wire.replaced > 0 {
        writeln!(
            text,
            "{} connections were closed by the target while they were idle, and replaced before anything was lost.",
            thousands(outcome.wire.replaced)
        )?;
    }
    let expected = plan.route.connections as u64 + outcome.wire.replaced;
    if outcome.wire.connections > expected {
        writeln!(
            text,
            "Warning: {} connections were opened where {expected} were expected; some broke.",
            outcome.wire.connections
        )?;
    }
    limit(text, outcome)
}

/// Says that the run ended before its time, if it did.
pub fn interrupted(text: &mut String, window: &Window) -> std::fmt::Result {
    if window.interrupted {
        writeln!(
            text,
            "\nInterrupted: what follows is the part that was measured."
        )?;
    }
    Ok(())
}

/// Warns where the generator may have been the limit.
pub fn limit(text: &mut String, outcome: &impl LoadOutcome) -> std::fmt::Result {
    if outcome.generator_limited() {
        writeln!(
            text,
            "Warning: the generator used nearly all of its threads' time, so the rate may be its own limit, \
             not the target's. Try more --threads."
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_hold_every_value_once() {
        let mut histogram = Histogram::new_with_bounds(1, 120_000_000, 3).unwrap();
        for value in [1_000, 1_500, 2_000, 2_000, 9_000, 60_000] {
            histogram.record(value).unwrap();
        }
        let mut text = String::new();
        bars(&mut text, &histogram).unwrap();
        let counted: u64 = text
            .lines()
            .map(|line| {
                line.split("ms")
                    .nth(1)
                    .unwrap()
                    .split('|')
                    .next()
                    .unwrap()
                    .trim()
            })
            .map(|count| count.parse::<u64>().unwrap())
            .sum();
        assert_eq!(counted, 6, "{text}");
        assert_eq!(text.lines().count(), ROWS);
    }
}
