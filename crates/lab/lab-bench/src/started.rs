//! What a runtime hands out: a started target, and a moment of the database's log.

use lab_contract::audit::CountersAt;
use lab_model::endpoint::Endpoint;
use metrics_db::Probe;
use time::OffsetDateTime;

/// A started target.
#[derive(Clone, Debug)]
pub struct Started {
    /// Where weir reaches it.
    pub from_here: Endpoint,
    /// Where the generator reaches it.
    pub from_generator: Endpoint,
    /// How it is sampled; none where it is not on this machine.
    pub probe: Option<Probe>,
    /// Where it counts its work, from here.
    pub counters: Option<CountersAt>,
}

/// A moment of the application database's log.
#[derive(Clone, Debug)]
pub struct LogMark {
    /// The time.
    pub at: OffsetDateTime,
    /// Length of the log file, bytes; 0 where the engine keeps the log.
    pub length: u64,
}
