//! The words of what a load had to keep, and of the delivery of a stream's events. Each gives figure and detail.

use metrics_db::CheckStatus;

use super::facts::Facts;
use super::requests::Said;

/// What single events of the streams took on their way.
pub(super) fn delivery(facts: &Facts<'_>) -> Option<Said> {
    let (p50, p99) = (facts.number("p50_ms")?, facts.number("p99_ms")?);
    let from = facts.text("from")?;
    let mut detail = format!(
        "From {from} to its receipt an event took {p50:.2} ms (median), 99 % at most {p99:.2} ms"
    );
    if let Some(p99) = facts.number("emitted_p99_ms").filter(|_| from != "sending") {
        detail += &format!(", from its sending by the service {p99:.2} ms");
    }
    if let Some(p99) = facts.number("first_event_p99_ms") {
        detail +=
            &format!("; the first event of a stream came within {p99:.2} ms of its request (99 %)");
    }
    detail += &format!(
        ". {} events missed, {} repeated, {} out of order; {} streams broke.",
        facts.whole("missed")?,
        facts.whole("repeated")?,
        facts.whole("out_of_order")?,
        facts.whole("breaks")?
    );
    Some((format!("p99 {p99:.2} ms from {from}"), detail))
}

/// What the load had to keep.
pub(super) fn criterion(status: CheckStatus, facts: &Facts<'_>) -> Option<Said> {
    let (what, bound, measured) = (
        facts.text("what")?,
        facts.text("bound")?,
        facts.text("measured")?,
    );
    let met = match status {
        CheckStatus::Ok => "met",
        CheckStatus::Warn | CheckStatus::Bad => "missed",
    };
    let of = facts
        .text("phase")
        .map_or_else(String::new, |phase| format!(" in phase {phase}"));
    let detail = format!("Criterion {met}{of}: {what} {measured}; asked for: {bound}.");
    Some((format!("{met}: {measured}"), detail))
}
