//! The audit of streams: no event was missed, repeated or out of order, and as many as were received were sent.

use anyhow::{Context, Result};
use lab_model::scenario::Scenario;
use lab_model::targets::Protocol;
use serde_json::json;

use super::claims::Claims;
use super::subject::{Audited, Baseline, Fault, Subject};
use crate::verify::event_bytes;

/// How the report names the faults, in the order of [`Seen::faults`].
const FAULTS: [&str; 3] = ["missed", "repeated", "out_of_order"];

/// What the generator saw.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Streams opened, and read to their end.
    streams: i64,
    complete: i64,
    /// Events that each stream has.
    limit: i64,
    received: i64,
    /// Missed, repeated, out of order.
    faults: [i64; 3],
}

pub(super) async fn audit(
    subject: Subject<'_>,
    baseline: &Baseline,
    claims: &Claims,
) -> Result<Audited> {
    let streams = claims
        .streams
        .context("the generator does not say how many events a stream has")?;
    let seen = Seen {
        streams: claims.counts.sent,
        complete: claims.counts.acknowledged,
        limit: streams.per_stream,
        received: streams.received,
        faults: [streams.missed, streams.repeated, streams.out_of_order],
    };
    let sent = match (&baseline.0, subject.counters) {
        (Some(before), Some(at)) => {
            let face = match subject.target.protocol {
                Protocol::Rest => "sse",
                Protocol::Grpc => "grpc",
            };
            let series = format!("stream_events_sent_total{{face=\"{face}\"}}");
            Some(at.read().await?.since(before, &series)?)
        }
        _ => None,
    };
    let mut audited = judge(seen, sent);
    let bytes = event_bytes(subject.target, subject.at).await?;
    if let Some(stats) = &mut audited.stats {
        stats["payload_bytes"] = bytes.into();
    }
    Ok(audited)
}

fn judge(seen: Seen, sent: Option<i64>) -> Audited {
    // Streams that broke off or were cut off at the end of a phase may have been sent whole.
    let in_doubt = (seen.streams * seen.limit - seen.received).max(0);
    let mut stats = json!({
        "events_per_request": seen.limit, "events_received": seen.received, "events_sent_by_service": sent,
    });
    for (name, count) in FAULTS.iter().zip(seen.faults) {
        stats[*name] = count.into();
    }
    let received = seen.received;
    let fault = if seen.faults != [0; 3] {
        let named = FAULTS.iter().zip(seen.faults);
        Some(
            named.fold(Fault::new("not_in_sequence"), |fault, (name, count)| {
                fault.with(name, count)
            }),
        )
    } else if received < seen.complete * seen.limit {
        Some(Fault::new("incomplete").with("per_stream", seen.limit))
    } else if sent.is_some_and(|sent| sent < received || sent > received + in_doubt) {
        Some(Fault::new("unequal"))
    } else {
        None
    };
    let counts = (received, in_doubt, sent);
    Audited::of(Scenario::Stream, counts, fault, Some(stats)).with("complete", seen.complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Seen = Seen {
        streams: 5,
        complete: 5,
        limit: 100,
        received: 500,
        faults: [0; 3],
    };

    #[test]
    fn every_fault_fails_the_run() {
        let good = judge(WHOLE, Some(500));
        assert!(good.passed, "{good:?}");
        assert_eq!(good.stats.unwrap()["events_per_request"], 100);
        for place in 0..3 {
            let mut seen = WHOLE;
            seen.faults[place] = 1;
            let bad = judge(seen, Some(500));
            assert!(!bad.passed && !bad.counts.unwrap().passed, "{bad:?}");
        }
    }

    #[test]
    fn the_service_sent_what_was_received_within_the_doubt() {
        assert!(!judge(WHOLE, Some(499)).passed);
        assert!(!judge(WHOLE, Some(501)).passed);
        let cut = Seen {
            streams: 6,
            ..WHOLE
        };
        assert!(judge(cut, Some(537)).passed);
        assert!(!judge(cut, Some(601)).passed);
        let unknown = judge(WHOLE, None);
        assert!(unknown.passed && unknown.counts.is_none());
        let lost = Seen {
            received: 499,
            ..WHOLE
        };
        assert!(!judge(lost, None).passed);
    }
}
