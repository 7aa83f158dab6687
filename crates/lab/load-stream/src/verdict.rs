//! What every stream has to keep: nothing lost, nothing twice, in order, unbroken, at the rate asked for.

use crate::outcome::StreamOutcome;
use load_engine::criteria::Criterion;
use load_engine::progress::thousands;

/// The least share of the events that the rate asked for makes. A server keeps a rate from event to event, so that a
/// busy machine makes it slower.
const RATE_HELD: f64 = 0.9;

/// The criteria with their figures.
pub fn judge(outcome: &StreamOutcome) -> Vec<Criterion> {
    let none = |what: &str, count: u64| Criterion::new(what, "0", thousands(count), count == 0);
    let mut criteria = vec![
        none("events missed", outcome.missed),
        none("events repeated", outcome.repeated),
        none("events out of order", outcome.out_of_order),
        stable(outcome),
        delivered(outcome),
    ];
    if let Some(fed) = &outcome.fed {
        let what = "live transactions";
        let measured = match &fed.error {
            Some(error) => error.clone(),
            None => format!("{} committed", thousands(fed.committed)),
        };
        let met = fed.error.is_none() && fed.committed > 0;
        criteria.push(Criterion::new(what, "all committed", measured, met));
    }
    if let (Some(slow), Some(plan)) = (&outcome.slow, &outcome.plan.slow) {
        let faults = slow.missed + slow.repeated + slow.out_of_order;
        criteria.push(Criterion::new(
            "slow clients",
            "all served, nothing missed, repeated or misplaced",
            format!(
                "{} of {} opened, {} faults",
                slow.opened,
                plan.clients,
                thousands(faults)
            ),
            slow.opened == plan.clients && slow.received > 0 && faults == 0,
        ));
    }
    criteria
}

fn stable(outcome: &StreamOutcome) -> Criterion {
    let tally = &outcome.tally;
    let faults: u64 = tally.errors.values().sum();
    let clients = outcome.plan.clients;
    Criterion::new(
        "connections stable",
        "no break, no error",
        format!(
            "{} of {clients} streams opened, {} broke, {} errors",
            outcome.opened, tally.breaks, faults
        ),
        outcome.opened == clients && tally.breaks == 0 && faults == 0,
    )
}

/// Interrupted runs and streams with a limit have as many events as they have.
fn delivered(outcome: &StreamOutcome) -> Criterion {
    let plan = &outcome.plan;
    let whole = (plan.timing.warmup + plan.timing.duration).as_secs_f64();
    let expected = match (plan.expected_rate(), plan.limit) {
        (Some(rate), None) if !outcome.window.interrupted => rate * whole,
        (_, Some(limit)) => limit as f64,
        _ => 1.0,
    };
    let least = match plan.limit {
        Some(limit) => limit,
        None => ((expected * RATE_HELD) as u64).max(1),
    };
    Criterion::new(
        "events to each client",
        format!("at least {}", thousands(least)),
        thousands(outcome.fewest),
        outcome.fewest >= least,
    )
}
