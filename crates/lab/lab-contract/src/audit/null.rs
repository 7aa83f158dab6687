//! The audit of a target that does nothing: it has answered as many requests as the generator says, and each event of a
//! stream once.

use anyhow::{Context, Result};
use serde_json::json;

use super::claims::{Claims, StreamClaims};
use super::subject::{Audited, Baseline, Comparison, Subject};

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
    Ok(judge(claims, answered))
}

fn judge(claims: &Claims, answered: i64) -> Audited {
    let counts = claims.counts;
    let (done, in_doubt) = match &claims.streams {
        None => (counts.acknowledged, counts.in_doubt()),
        Some(streams) => {
            let doubt = counts.sent * streams.per_stream - streams.received;
            (streams.received, doubt.max(0))
        }
    };
    let compared = Comparison::of(done, in_doubt, answered);
    let broken = claims.streams.as_ref().and_then(faults).or_else(|| {
        (!compared.passed).then(|| {
            format!(
                "the generator counted {done} answers and {in_doubt} in doubt, and the null target {answered}."
            )
        })
    });
    let good = format!("The generator counted {done} answers, and the null target {answered}.");
    let stats = match &claims.streams {
        Some(streams) => json!({"events_per_request": streams.per_stream}),
        None => json!({}),
    };
    Audited::of(Some(compared), broken, good, stats)
}

fn faults(streams: &StreamClaims) -> Option<String> {
    let (missed, repeated, out_of_order) = (streams.missed, streams.repeated, streams.out_of_order);
    (missed + repeated + out_of_order > 0).then(|| {
        format!(
            "of {} events received, {missed} before them were missed, {repeated} came again and {out_of_order} out of order.",
            streams.received
        )
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
        assert!(judge(&claims(0), 50).passed);
        assert!(!judge(&claims(0), 49).passed);
        let repeated = judge(&claims(1), 50);
        assert!(!repeated.passed && repeated.sentence.contains("1 came again"));
        let unary = Claims {
            streams: None,
            ..claims(0)
        };
        assert!(judge(&unary, 5).passed && !judge(&unary, 6).passed);
    }
}
