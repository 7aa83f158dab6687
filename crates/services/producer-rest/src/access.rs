//! What the requests of this face need.

use protect::Verb;
use protect::access::{Call, Demand};

/// Health is open; storing events needs `ingest:write`. A bulk request's handler counts its events.
pub(crate) fn demand(call: Call<'_>) -> Demand {
    let Call::Rest { path, .. } = call else {
        return Demand::OTHER;
    };
    match path {
        "/api/v1/events/health" => Demand::HEALTH,
        "/api/v1/events" => Demand::right(Verb::IngestWrite),
        "/api/v1/events/bulk" => Demand::right(Verb::IngestWrite).uncounted(),
        _ => Demand::OTHER,
    }
}
