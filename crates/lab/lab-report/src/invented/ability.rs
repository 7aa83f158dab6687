//! The invented targets.

use serde_json::json;

/// What an invented target can do, with the default payload.
#[derive(Clone, Copy)]
pub(crate) struct Ability {
    pub(crate) name: &'static str,
    pub(crate) protocol: &'static str,
    /// Requests a second at most.
    pub(crate) ceiling: f64,
    /// CPU microseconds a request: service, database, generator.
    pub(crate) cpu_us: [f64; 3],
    /// Bytes a request on top of the payload: sent, received.
    pub(crate) bytes: [f64; 2],
    pub(crate) memory_mb: f64,
}

pub(crate) const REST: Ability = Ability {
    name: "producer-rest",
    protocol: "rest",
    ceiling: 9_400.0,
    cpu_us: [17.0, 27.0, 70.0],
    bytes: [212.0, 148.0],
    memory_mb: 24.0,
};
pub(crate) const GRPC: Ability = Ability {
    name: "producer-grpc",
    protocol: "grpc",
    ceiling: 6_100.0,
    cpu_us: [26.0, 32.0, 130.0],
    bytes: [31.0, 61.0],
    memory_mb: 31.0,
};
pub(crate) const RECONNECT: Ability = Ability {
    name: "producer-grpc-reconnect",
    protocol: "grpc",
    ceiling: 1_900.0,
    cpu_us: [88.0, 33.0, 590.0],
    bytes: [310.0, 240.0],
    memory_mb: 37.0,
};
pub(crate) const SINGLE: Ability = Ability {
    name: "producer-rest-single",
    protocol: "rest",
    ceiling: 4_700.0,
    cpu_us: [47.0, 105.0, 74.0],
    bytes: [212.0, 148.0],
    memory_mb: 22.0,
};
/// As good as [`REST`].
pub(crate) const TWIN: Ability = Ability {
    name: "producer-rest-twin",
    ..REST
};

pub(crate) const BALANCE_REST: Ability = Ability {
    name: "balance-rest",
    ceiling: 14_000.0,
    cpu_us: [13.0, 7.0, 62.0],
    bytes: [-310.0, 205.0],
    ..REST
};
pub(crate) const BALANCE_GRPC: Ability = Ability {
    name: "balance-grpc",
    ceiling: 8_200.0,
    cpu_us: [21.0, 8.0, 118.0],
    bytes: [-330.0, 84.0],
    ..GRPC
};
/// A request is a stream of a hundred events.
pub(crate) const STREAM_SSE: Ability = Ability {
    name: "stream-sse",
    ceiling: 900.0,
    cpu_us: [160.0, 240.0, 900.0],
    bytes: [-250.0, 24_100.0],
    ..REST
};
pub(crate) const STREAM_GRPC: Ability = Ability {
    name: "stream-grpc",
    ceiling: 420.0,
    cpu_us: [190.0, 240.0, 2_100.0],
    bytes: [-260.0, 13_900.0],
    ..GRPC
};

impl Ability {
    /// As its name begins, `ingest` where that is no scenario.
    pub(crate) fn scenario(self) -> &'static str {
        ["balance", "stream"]
            .into_iter()
            .find(|scenario| self.name.starts_with(scenario))
            .unwrap_or("ingest")
    }

    pub(crate) fn stats(self) -> Option<serde_json::Value> {
        let rest = self.protocol == "rest";
        match self.scenario() {
            "balance" => Some(json!({"payload_bytes": if rest { 83.0 } else { 45.0 }})),
            "stream" => {
                let bytes = if rest { 240.5 } else { 118.2 };
                Some(json!({"events_per_request": 100, "payload_bytes": bytes}))
            }
            _ => None,
        }
    }
}
