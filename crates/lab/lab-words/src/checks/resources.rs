//! The words of checks of CPU, stolen time and samples. Each gives figure and detail.

use super::facts::Facts;
use crate::words::{capitalised, figure, plural, share_by_bound};

type Said = (String, String);

/// Without any sample it is not known who was the limit, so that the run does not count.
pub(super) fn generator(facts: &Facts<'_>) -> Option<Said> {
    if facts.whole("phases") == Some(0) {
        let detail =
            "No resource was sampled, so it is not known whether the generator was the limit.";
        return Some(("not sampled".into(), detail.into()));
    }
    match facts.text("generator") {
        Some(name) => cpu(facts, &format!("generator {name}, the busiest of all,")),
        None => cpu(facts, "the generator"),
    }
}

/// What one of several generators did not send.
pub(super) fn generator_missed(facts: &Facts<'_>) -> Option<Said> {
    let (share, bound) = (
        share_by_bound(facts.value()?),
        share_by_bound(facts.bound()?),
    );
    let (missed, due) = (facts.whole("missed")?, facts.whole("due")?);
    let detail = format!(
        "Of {} generators {} missed most: {missed} of the {due} requests that were due, {share}; the bound is {bound}.",
        facts.whole("generators")?,
        facts.text("generator")?
    );
    Some((format!("{missed} of {due}"), detail))
}

/// How far apart the clocks of several generators were.
pub(super) fn clock_skew(facts: &Facts<'_>) -> Option<Said> {
    let (skew, bound) = (facts.value()?, facts.bound()?);
    let detail = format!(
        "The clock of generator {} was {:.2} ms from weir's, give or take {:.2} ms, the most of all; its start was moved by \
         that. The bound is {bound} ms.",
        facts.text("generator")?,
        facts.number("offset_ms")?,
        facts.number("within_ms")?
    );
    Some((format!("at most {skew:.2} ms"), detail))
}

/// The busiest phase against the bound.
pub(super) fn cpu(facts: &Facts<'_>, what: &str) -> Option<Said> {
    let Some(share) = facts.value() else {
        let detail = format!("The CPU of {what} was not sampled.");
        return Some(("not sampled".into(), detail));
    };
    let (share, bound) = (share_by_bound(share), share_by_bound(facts.bound()?));
    let cpus = cores(facts.number("cpus")?);
    let (phase, over) = (facts.whole("phase")?, facts.whole("over")?);
    let detail = if over == 0 {
        format!(
            "In its busiest phase ({phase}) {what} used {share} of {cpus}; the bound is {bound}."
        )
    } else {
        format!(
            "{} was the limit in {over} of {}: it used up to {share} of {cpus} (phase {phase}), the bound is {bound}.",
            capitalised(what),
            phases(facts)?
        )
    };
    Some((format!("{share} of {cpus}"), detail))
}

/// How close a run came to what its generator reaches with a target that does nothing.
pub(super) fn ceiling(facts: &Facts<'_>) -> Option<Said> {
    let (share, bound) = (
        share_by_bound(facts.value()?),
        share_by_bound(facts.bound()?),
    );
    let reached = figure(facts.number("reached_per_sec")?);
    let ceiling = figure(facts.number("ceiling_per_sec")?);
    let detail = format!(
        "In its busiest phase the generator sent {reached} requests a second, {share} of the {ceiling} that it reaches with a \
         target that does nothing; the bound is {bound}."
    );
    Some((format!("{share} of it"), detail))
}

/// A share of a phase's time that was taken away.
pub(super) fn time(facts: &Facts<'_>, what: &str) -> Option<Said> {
    let Some(share) = facts.value() else {
        return Some(("none".into(), "No such limit applies here.".into()));
    };
    let share = share_by_bound(share);
    let detail = format!(
        "In phase {} {what} {share} of the time; the bound is {}.",
        facts.whole("phase")?,
        share_by_bound(facts.bound()?)
    );
    Some((share, detail))
}

pub(super) fn target_not_sampled() -> Said {
    let detail = "The target was not sampled in every phase, so its cost is not known.";
    ("no".into(), detail.into())
}

pub(super) fn boundaries(facts: &Facts<'_>) -> Option<Said> {
    let inexact = facts.value()?;
    if inexact == 0.0 {
        let detail = "The CPU counters were read within 50 ms of every phase boundary.";
        return Some(("exact".into(), detail.into()));
    }
    let detail = format!(
        "In {inexact} of {} a CPU counter was interpolated at a boundary.",
        phases(facts)?
    );
    Some((format!("{inexact} interpolated"), detail))
}

fn phases(facts: &Facts<'_>) -> Option<String> {
    let number = usize::try_from(facts.whole("phases")?).ok()?;
    Some(plural(number, "phase"))
}

fn cores(cpus: f64) -> String {
    if (cpus - 1.0).abs() < f64::EPSILON {
        "1 core".into()
    } else {
        format!("{cpus} cores")
    }
}
