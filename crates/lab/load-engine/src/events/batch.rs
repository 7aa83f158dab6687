//! Several events in one request, and how each of them ended: over REST by the list of failures in the one answer, over
//! gRPC by an outcome each, which comes when the event is committed or refused.

use std::time::Instant;

use api::event::EventOutcome;
use bytes::BytesMut;
use prost::Message;
use serde::Deserialize;

use crate::tally::{EventEnd, RequestOutcome};

/// A request's events.
#[derive(Debug)]
pub(super) struct Batch {
    size: usize,
    /// Where a body is put together.
    pub(super) body: BytesMut,
    begun: Instant,
    /// What is known of each event; none: no outcome has come.
    known: Vec<Option<EventEnd>>,
    ends: Vec<EventEnd>,
}

impl Batch {
    pub(super) fn new(size: u32) -> Self {
        Self {
            size: size as usize,
            body: BytesMut::new(),
            begun: Instant::now(),
            known: Vec::new(),
            ends: Vec::new(),
        }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Before a request is put together.
    pub(super) fn begin(&mut self) {
        self.body.clear();
        self.begun = Instant::now();
        self.known.clear();
        self.known.resize(self.size, None);
    }

    /// Reads the answer to a bulk request, which speaks of all its events.
    pub(super) fn read_answer(&mut self, answer: &[u8]) -> Result<(), &'static str> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            processed_count: usize,
            #[serde(default)]
            failures: Vec<Failure>,
        }
        #[derive(Deserialize)]
        struct Failure {
            index: usize,
            error: String,
        }
        let answer: Answer = serde_json::from_slice(answer).map_err(|_| "unreadable answer")?;
        let failed = answer.failures.len();
        if answer.processed_count + failed != self.size {
            return Err("answer for another number of events");
        }
        for known in &mut self.known {
            *known = Some(EventEnd {
                fate: RequestOutcome::Acknowledged,
                latency: None,
            });
        }
        for failure in answer.failures {
            let known = self.known.get_mut(failure.index);
            let known = known.ok_or("a failure of an event that was not sent")?;
            *known = Some(EventEnd {
                fate: RequestOutcome::Failed(failure.error),
                latency: None,
            });
        }
        Ok(())
    }

    /// Reads the outcome of one event.
    pub(super) fn read_outcome(&mut self, message: &[u8]) -> Result<(), &'static str> {
        let outcome = EventOutcome::decode(message).map_err(|_| "unreadable answer")?;
        let index = usize::try_from(outcome.index).unwrap_or(usize::MAX);
        let known = self.known.get_mut(index);
        let known = known.ok_or("an outcome of an event that was not sent")?;
        if known.is_some() {
            return Err("two outcomes of one event");
        }
        *known = Some(EventEnd {
            fate: match outcome.success {
                true => RequestOutcome::Acknowledged,
                false => RequestOutcome::Failed(outcome.message),
            },
            latency: Some(self.begun.elapsed()),
        });
        Ok(())
    }

    /// How the request and each event ended. A request succeeded when all its events did.
    pub(super) fn end(&mut self, fate: RequestOutcome) -> (RequestOutcome, &[EventEnd]) {
        self.ends.clear();
        let unknown = match &fate {
            RequestOutcome::Acknowledged => RequestOutcome::Failed("no outcome".into()),
            other => other.clone(),
        };
        for known in &mut self.known {
            self.ends.push(known.take().unwrap_or_else(|| EventEnd {
                fate: unknown.clone(),
                latency: None,
            }));
        }
        let all = self
            .ends
            .iter()
            .all(|end| end.fate == RequestOutcome::Acknowledged);
        let fate = match fate {
            RequestOutcome::Acknowledged if !all => RequestOutcome::Failed("events failed".into()),
            other => other,
        };
        (fate, &self.ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(ends: &[EventEnd]) -> Vec<RequestOutcome> {
        ends.iter().map(|end| end.fate.clone()).collect()
    }

    fn failed(reason: &str) -> RequestOutcome {
        RequestOutcome::Failed(reason.into())
    }

    #[test]
    fn an_answer_speaks_of_every_event() {
        let mut batch = Batch::new(3);
        batch.begin();
        let answer = br#"{"success":false,"message":"","processedCount":2,"failedCount":1,"batchId":"b","processingTimeMs":1,"failures":[{"index":1,"error":"bad"}]}"#;
        assert_eq!(batch.read_answer(answer), Ok(()));
        let (fate, ends) = batch.end(RequestOutcome::Acknowledged);
        assert_eq!(fate, failed("events failed"));
        assert_eq!(
            fates(ends),
            [
                RequestOutcome::Acknowledged,
                failed("bad"),
                RequestOutcome::Acknowledged
            ]
        );
        batch.begin();
        assert!(batch.read_answer(br#"{"processedCount":2}"#).is_err());
        let strange = br#"{"processedCount":2,"failures":[{"index":3,"error":"x"}]}"#;
        assert!(batch.read_answer(strange).is_err());
        let (fate, ends) = batch.end(failed("http 503"));
        assert_eq!(fate, failed("http 503"));
        assert_eq!(ends.len(), 3);
    }

    #[test]
    fn outcomes_that_came_before_a_break_count() {
        let mut batch = Batch::new(3);
        batch.begin();
        let outcome = |index, success| {
            let message = String::from("refused");
            let outcome = EventOutcome {
                index,
                success,
                message,
            };
            outcome.encode_to_vec()
        };
        assert_eq!(batch.read_outcome(&outcome(2, true)), Ok(()));
        assert_eq!(batch.read_outcome(&outcome(0, false)), Ok(()));
        assert!(batch.read_outcome(&outcome(2, true)).is_err());
        assert!(batch.read_outcome(&outcome(3, true)).is_err());
        let lost = RequestOutcome::Unanswered("connection closed".into());
        let (fate, ends) = batch.end(lost.clone());
        assert_eq!(fate, lost);
        assert_eq!(
            fates(ends),
            [failed("refused"), lost, RequestOutcome::Acknowledged]
        );
        assert!(ends[2].latency.is_some());
        batch.begin();
        let (fate, ends) = batch.end(RequestOutcome::Acknowledged);
        assert_eq!(fate, failed("events failed"));
        assert_eq!(fates(ends), vec![failed("no outcome"); 3]);
    }
}
