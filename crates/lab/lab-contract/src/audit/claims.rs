//! What a generator says that it did, whichever generator it was.

/// Requests of a run or of a phase, as the generator counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests begun.
    pub sent: i64,
    /// Answered with success.
    pub acknowledged: i64,
    /// Answered with an error.
    pub failed: i64,
}

impl Counts {
    /// Sent and not acknowledged: an error, a time-out, or cut off by the end of the run.
    #[must_use]
    pub fn in_doubt(&self) -> i64 {
        self.sent - self.acknowledged
    }

    /// Share of the finished requests that failed, 0 to 1.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        let finished = self.acknowledged + self.failed;
        if finished == 0 {
            0.0
        } else {
            self.failed as f64 / finished as f64
        }
    }
}

/// What is audited after a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Requests: events, balances, streams, records.
    pub counts: Counts,
    /// What came over the streams; none in other scenarios.
    pub streams: Option<StreamClaims>,
}

/// Events that came over the streams of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamClaims {
    /// Events that each stream has.
    pub per_stream: i64,
    /// Events received.
    pub received: i64,
    /// Events that were missed before a later one.
    pub missed: i64,
    /// Events that came again.
    pub repeated: i64,
    /// Events that came before an earlier one.
    pub out_of_order: i64,
}
