//! The result for the eye: totals, rate, latency, a small histogram, errors, and what the generator cost.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use crate::load::Outcome;
use crate::progress::thousands;

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

fn sections(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let plan = &outcome.plan;
    writeln!(
        text,
        "{} http://{}  {} in flight over {} connections  payload {}  run {}",
        plan.protocol.name(),
        plan.endpoint.authority,
        plan.concurrency,
        plan.connections,
        plan.events.payload.name(),
        plan.events.run_id
    )?;
    if outcome.interrupted {
        writeln!(
            text,
            "\nInterrupted: what follows is the part that was measured."
        )?;
    }
    totals(text, outcome)?;
    if !outcome.tally.histogram.is_empty() {
        latency(text, outcome)?;
        writeln!(text, "\nHistogram")?;
        bars(text, &outcome.tally.histogram)?;
    }
    errors(text, outcome)?;
    generator(text, outcome)
}

fn totals(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let measured = &outcome.tally.measured;
    let requests = outcome.requests();
    let each = |bytes: u64| bytes.checked_div(requests).unwrap_or(0);
    writeln!(text, "\nSummary")?;
    writeln!(text, "  Measured:   {:.2} s", outcome.seconds)?;
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
    writeln!(
        text,
        "  Bytes:      {} sent, {} received a request",
        thousands(each(outcome.bytes_sent())),
        thousands(each(outcome.bytes_received()))
    )?;
    let whole = &outcome.tally.whole;
    writeln!(
        text,
        "  Events:     {} sent, {} acknowledged, {} in doubt (whole run, for the audit)",
        thousands(whole.sent()),
        thousands(whole.acknowledged),
        thousands(whole.in_doubt())
    )
}

fn latency(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let histogram = &outcome.tally.histogram;
    let ms = |micros: f64| micros / 1000.0;
    writeln!(text, "\nLatency of successful requests")?;
    writeln!(
        text,
        "  mean {:.2} ms  min {:.2} ms  max {:.2} ms",
        ms(histogram.mean()),
        ms(histogram.min() as f64),
        ms(histogram.max() as f64)
    )?;
    for (name, quantile) in [
        ("p50", 0.5),
        ("p90", 0.9),
        ("p95", 0.95),
        ("p99", 0.99),
        ("p99.9", 0.999),
    ] {
        writeln!(
            text,
            "  {name:<6} {:>9.2} ms",
            ms(histogram.value_at_quantile(quantile) as f64)
        )?;
    }
    Ok(())
}

/// Equal steps from the shortest latency to the 99.9th percentile; the last row holds the rest.
fn bars(text: &mut String, histogram: &Histogram<u64>) -> std::fmt::Result {
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

fn errors(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let (measured, whole) = (&outcome.tally.errors, &outcome.tally.errors_whole);
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
        outcome.cpu_seconds(),
        outcome.cpu_share() * 100.0,
        plan.threads,
        if plan.threads == 1 { "" } else { "s" },
        outcome.cpu_micros_per_request()
    )?;
    if outcome.connections_opened > plan.connections as u64 {
        writeln!(
            text,
            "Warning: {} connections were opened where {} were planned; some broke.",
            outcome.connections_opened, plan.connections
        )?;
    }
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
