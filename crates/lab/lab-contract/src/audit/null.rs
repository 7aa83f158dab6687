//! The audit of a target that does nothing: it has answered as many requests as the generator says, and each event of a
//! stream once.

use anyhow::{Context, Result};
use lab_model::scenario::Scenario;
use serde_json::json;

use super::claims::{Claims, StreamClaims};
use super::subject::{Audited, Baseline, Fault, Subject};

/// What a null target counts: requests answered with success, of streams events sent.
const ANSWERED: &str = "null_answered_total";

pub(super) async fn audit(
    subject: Subject<'_>,
    baseline: &Baseline,
    claims: &Claims,
) -> Result<Audited> {
    let (before, at) = baseline
        .0
        .as_ref()
        .zip(subject.counters)
        .context("a null target needs [target.counters], with which its audit compares")?;
    let answered = at.read().await?.since(before, ANSWERED)?;
    Ok(judge(subject.target.scenario, claims, answered))
}

fn judge(scenario: Scenario, claims: &Claims, answered: i64) -> Audited {
    let counts = claims.counts;
    let (done, in_doubt) = match &claims.streams {
        None => (counts.acknowledged, counts.in_doubt()),
        Some(streams) => {
            let doubt = counts.sent * streams.per_stream - streams.received;
            (streams.received, doubt.max(0))
        }
    };
    let unequal = answered < done || answered > done + in_doubt;
    let fault = claims.streams.as_ref().and_then(out_of_sequence);
    let fault = fault.or_else(|| unequal.then(|| Fault::new("unequal")));
    let stats = claims
        .streams
        .as_ref()
        .map(|streams| json!({"events_per_request": streams.per_stream}));
    Audited::of(scenario, (done, in_doubt, Some(answered)), fault, stats).with("null", true)
}

fn out_of_sequence(streams: &StreamClaims) -> Option<Fault> {
    let (missed, repeated, out_of_order) = (streams.missed, streams.repeated, streams.out_of_order);
    (missed + repeated + out_of_order > 0).then(|| {
        Fault::new("not_in_sequence")
            .with("missed", missed)
            .with("repeated", repeated)
            .with("out_of_order", out_of_order)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Counts;

    fn claims(repeated: i64) -> Claims {
        Claims {
            counts: Counts {
                sent: 5,
                acknowledged: 5,
                failed: 0,
            },
            streams: Some(StreamClaims {
                per_stream: 10,
                received: 50,
                missed: 0,
                repeated,
                out_of_order: 0,
            }),
        }
    }

    #[test]
    fn answers_are_compared_and_a_repeated_event_is_noticed() {
        let judged = |claims: &Claims, answered| judge(Scenario::Stream, claims, answered);
        assert!(judged(&claims(0), 50).passed);
        assert_eq!(judged(&claims(0), 49).facts["fault"], "unequal");
        let repeated = judged(&claims(1), 50);
        assert_eq!(repeated.facts["fault"], "not_in_sequence");
        assert_eq!(
            (&repeated.facts["repeated"], repeated.passed),
            (&1.into(), false)
        );
        let unary = Claims {
            streams: None,
            ..claims(0)
        };
        assert!(judged(&unary, 5).passed && !judged(&unary, 6).passed);
    }
}
