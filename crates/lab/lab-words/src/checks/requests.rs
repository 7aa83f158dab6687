//! The words of checks of the requests, and of what surrounds them: contract, build, mode, files. Each gives figure and detail.

use super::facts::Facts;
use crate::words::share_by_bound;

pub(super) type Said = (String, String);

pub(super) fn contract(facts: &Facts<'_>) -> Option<Said> {
    let cases = facts.whole("cases")?;
    if cases == 0 {
        let detail = "The contract was not checked before this run.";
        return Some(("not checked".into(), detail.into()));
    }
    let passed = facts.whole("passed")?;
    Some((
        format!("{passed} of {cases}"),
        format!("The target passed {passed} of {cases} cases before it was measured."),
    ))
}

pub(super) fn build(facts: &Facts<'_>) -> Option<Said> {
    let profile = facts.text("profile")?;
    Some((
        profile.to_owned(),
        format!("The services are {profile} builds, whose figures mean nothing."),
    ))
}

pub(super) fn smoke() -> Said {
    let detail = "A smoke run shows that the target works; it measures nothing and ranks nothing.";
    ("smoke run".into(), detail.into())
}

pub(super) fn errors(facts: &Facts<'_>) -> Option<Said> {
    let (failed, total) = (facts.whole("failed")?, facts.whole("total")?);
    let figure = format!("{failed} of {total}");
    if facts.whole("succeeded")? == 0 {
        return Some((figure, "No request succeeded.".into()));
    }
    let bound = share_by_bound(facts.bound()?);
    let detail = format!("{failed} of {total} requests failed; the bound is {bound}.");
    Some((figure, detail))
}

pub(super) fn dropped(facts: &Facts<'_>) -> Option<Said> {
    let (dropped, begun) = (facts.whole("dropped")?, facts.whole("due")?);
    let bound = share_by_bound(facts.bound()?);
    Some((
        dropped.to_string(),
        format!("The generator dropped {dropped} of {begun} iterations; the bound is {bound}."),
    ))
}

pub(super) fn rate(facts: &Facts<'_>) -> Option<Said> {
    let (reached, intended) = (
        facts.number("reached_per_sec")?,
        facts.number("intended_per_sec")?,
    );
    let detail = format!(
        "The rate reached was {} of the {intended}/s intended; the bound is {}.",
        share_by_bound(facts.value()?),
        share_by_bound(facts.bound()?)
    );
    Some((format!("{reached:.1} of {intended}/s"), detail))
}

pub(super) fn begun_late(facts: &Facts<'_>) -> Option<Said> {
    let (late_ms, bound_ms) = (facts.value()?, facts.bound()?);
    let mut detail = format!(
        "99 % of the iterations began within {late_ms:.1} ms of the moment at which they were due, and latencies count \
         from the moment of sending; the bound is {bound_ms} ms."
    );
    let dropped = facts.whole("dropped")?;
    if dropped > 0 {
        detail += &format!(
            " The script saw {:.1} ms, of which the {dropped} dropped iterations are {:.1} ms: it cannot count them.",
            facts.number("seen_ms")?,
            facts.number("of_dropped_ms")?
        );
    }
    Some((format!("99 % within {late_ms:.1} ms"), detail))
}

pub(super) fn littles_law(facts: &Facts<'_>) -> Option<Said> {
    let share = share_by_bound(facts.value()?);
    let detail = format!(
        "In phase {} the requests took {share} of the time that the VUs had (rate times mean latency, over VUs); more \
         than all of it would contradict itself.",
        facts.whole("phase")?
    );
    Some((format!("{share} of the VUs' time"), detail))
}

pub(super) fn thresholds(facts: &Facts<'_>) -> Option<Said> {
    let crossed = facts.texts("crossed")?;
    if crossed.is_empty() {
        let detail = "All thresholds of the k6 script held.";
        return Some(("all held".into(), detail.into()));
    }
    Some((
        format!("{} crossed", crossed.len()),
        format!("Crossed: {}.", crossed.join("; ")),
    ))
}

pub(super) fn samples_csv(facts: &Facts<'_>) -> Option<Said> {
    let detail = format!(
        "{} is missing: is the disk of {} full? The log of stats-sidecar says more.",
        facts.text("file")?,
        facts.text("folder")?
    );
    Some(("missing".into(), detail))
}
