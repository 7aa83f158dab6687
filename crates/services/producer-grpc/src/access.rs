//! What the calls of this face need.

use protect::Verb;
use protect::access::{Call, Demand};

/// Health is open; storing events needs `ingest:write`. A stream of events is counted as they come.
pub(crate) fn demand(call: Call<'_>) -> Demand {
    let Call::Grpc { path } = call else {
        return Demand::OTHER;
    };
    match path {
        "/com.example.grpc.EventService/HealthCheck" => Demand::HEALTH,
        "/com.example.grpc.EventService/ProcessEvent" => Demand::right(Verb::IngestWrite),
        "/com.example.grpc.EventService/ProcessEvents" => {
            Demand::right(Verb::IngestWrite).uncounted().streaming()
        }
        _ => Demand::OTHER,
    }
}
