//! What an event or a read costs at each rate: of each face, in each mode, and beside it an empty answer of the same server
//! to the same load.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::pairs::Spread;
use crate::streams::BoundRow;
use load_engine::protocol::Protocol;

/// The rate at which the bounds hold, requests a second.
const BOUNDED_AT: u32 = 1000;
/// The most that an event may cost the service there, in empty answers.
const EVENT_BOUND: f64 = 1.8;
/// The same for a read.
const READ_BOUND: f64 = 1.6;
/// The most that the median latency may be there, in medians of one statement a request.
const LATENCY_BOUND: f64 = 1.0;

/// What is asked of which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Asked {
    Event,
    Balance,
}

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answered {
    /// With work that is shared: group commit, shared reads.
    Group,
    /// One statement a request.
    Single,
    /// Read, then insert or update.
    ReadThenWrite,
    /// With an error at once: there is no such path.
    Empty,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RateKind {
    pub(crate) asked: Asked,
    pub(crate) protocol: Protocol,
    pub(crate) answered: Answered,
}

/// How many requests a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// On a fixed schedule, whatever the answers do.
    PerSecond(u32),
    /// As many as are answered: each is sent when the one before it was answered.
    Full,
}

impl RateKind {
    /// All of them, in the order of the table.
    pub(crate) fn all() -> Vec<Self> {
        let faces = [Protocol::Rest, Protocol::Grpc];
        let events = faces.map(|protocol| (Asked::Event, protocol));
        let balances = faces.map(|protocol| (Asked::Balance, protocol));
        let kinds = events.into_iter().chain(balances);
        kinds
            .flat_map(|(asked, protocol)| {
                let modes = [
                    Answered::Empty,
                    Answered::Group,
                    Answered::Single,
                    Answered::ReadThenWrite,
                ];
                let modes = modes
                    .into_iter()
                    .filter(move |mode| *mode != Answered::ReadThenWrite || asked == Asked::Event);
                modes.map(move |answered| Self {
                    asked,
                    protocol,
                    answered,
                })
            })
            .collect()
    }

    /// Whether both are answers of one face.
    pub(crate) fn is_beside(self, other: Self) -> bool {
        (self.asked, self.protocol) == (other.asked, other.protocol)
    }

    /// For people.
    pub(crate) fn label(self) -> String {
        let face = match (self.asked, self.protocol) {
            (Asked::Event, Protocol::Rest) => "event over REST",
            (Asked::Event, Protocol::Grpc) => "event over gRPC",
            (Asked::Balance, Protocol::Rest) => "balance over REST",
            (Asked::Balance, Protocol::Grpc) => "balance over gRPC",
        };
        let answered = match (self.answered, self.asked) {
            (Answered::Group, Asked::Event) => "group commit",
            (Answered::Group, Asked::Balance) => "shared reads",
            (Answered::Single, _) => "one statement a request",
            (Answered::ReadThenWrite, _) => "read then write",
            (Answered::Empty, _) => "an empty answer",
        };
        format!("{face}, {answered}")
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerSecond(rate) => write!(f, "{rate}"),
            Self::Full => f.write_str("full"),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "full" {
            return Ok(Self::Full);
        }
        let rate = text
            .parse()
            .ok()
            .filter(|rate| (1..=1_000_000).contains(rate));
        rate.map(Self::PerSecond)
            .ok_or_else(|| "must be 1 to 1000000 requests a second, or 'full'".into())
    }
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What one measurement gave.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RateMeasurement {
    #[serde(flatten)]
    pub(crate) kind: RateKind,
    /// Asked for.
    pub(crate) rate: Rate,
    /// From 1.
    pub(crate) round: u32,
    /// Requests in the window that were answered as expected.
    pub(crate) requests: u64,
    /// The same a second.
    pub(crate) reached: f64,
    /// From the moment at which a request was due; none for empty answers.
    pub(crate) latency_p50_ms: Option<f64>,
    pub(crate) latency_p99_ms: Option<f64>,
    /// CPU in the window, microseconds per request.
    pub(crate) service_cpu_us: f64,
    pub(crate) postgres_cpu_us: f64,
    pub(crate) client_cpu_us: f64,
    /// How often a thread of the service stopped running, per request.
    pub(crate) switches: f64,
    /// Requests that shared a statement, mean; none for empty answers.
    pub(crate) batch: Option<f64>,
    /// Acknowledged events that the table does not hold.
    pub(crate) lost: Option<u64>,
    /// Why it proves nothing, if so.
    pub(crate) fault: Option<String>,
}

/// The bounds of what was measured, each a ratio of two measurements of one round.
pub(crate) fn bounds(measurements: &[RateMeasurement]) -> Vec<BoundRow> {
    let shared = RateKind::all();
    let shared = shared
        .into_iter()
        .filter(|kind| kind.answered == Answered::Group);
    shared
        .flat_map(|kind| {
            let bound = match kind.asked {
                Asked::Event => EVENT_BOUND,
                Asked::Balance => READ_BOUND,
            };
            let cost = row(
                measurements,
                kind,
                Answered::Empty,
                |one| Some(one.service_cpu_us),
                ("service CPU, to that of an empty answer", bound),
            );
            let latency = row(
                measurements,
                kind,
                Answered::Single,
                |one| one.latency_p50_ms,
                ("p50, to that of one statement a request", LATENCY_BOUND),
            );
            cost.into_iter().chain(latency)
        })
        .collect()
}

fn row(
    measurements: &[RateMeasurement],
    kind: RateKind,
    beside: Answered,
    figure: fn(&RateMeasurement) -> Option<f64>,
    (what, bound): (&str, f64),
) -> Option<BoundRow> {
    let at = Rate::PerSecond(BOUNDED_AT);
    let of = |kind: RateKind, round| {
        let mut all = measurements.iter();
        all.find(|one| one.kind == kind && one.rate == at && one.round == round)
    };
    let rounds = measurements
        .iter()
        .filter(|one| one.kind == kind && one.rate == at);
    let ratios = rounds.filter_map(|one| {
        let answered = beside;
        let other = of(RateKind { answered, ..kind }, one.round)?;
        let (mine, theirs) = (figure(one)?, figure(other)?);
        (theirs > 0.0).then(|| mine / theirs)
    });
    let value = Spread::of(ratios)?;
    Some(BoundRow {
        what: format!("{} at {BOUNDED_AT}/s: {what}", kind.label()),
        met: value.median <= bound,
        value,
        unit: "ratio",
        bound: format!("at most {bound:.1} x"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(answered: Answered, round: u32, cpu: f64, p50: f64) -> RateMeasurement {
        RateMeasurement {
            kind: RateKind {
                asked: Asked::Event,
                protocol: Protocol::Rest,
                answered,
            },
            rate: Rate::PerSecond(1000),
            round,
            requests: 1000,
            reached: 1000.0,
            latency_p50_ms: Some(p50),
            latency_p99_ms: None,
            service_cpu_us: cpu,
            postgres_cpu_us: 0.0,
            client_cpu_us: 0.0,
            switches: 1.0,
            batch: None,
            lost: None,
            fault: None,
        }
    }

    #[test]
    fn a_bound_compares_measurements_of_one_round() {
        let mut all = Vec::new();
        for (round, empty) in [(1, 10.0), (2, 20.0), (3, 40.0)] {
            all.push(measured(Answered::Empty, round, empty, 1.0));
            all.push(measured(Answered::Group, round, empty * 1.7, 2.0));
            all.push(measured(Answered::Single, round, 1.0, 1.9));
        }
        let rows = bounds(&all);
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert!(
            (rows[0].value.median - 1.7).abs() < 1e-9 && rows[0].met,
            "{rows:?}"
        );
        assert!(!rows[1].met && rows[1].value.median > 1.05, "{rows:?}");
        // What was not measured has no row.
        assert!(bounds(&all[..1]).is_empty());
    }

    #[test]
    fn rates_are_read_as_they_are_shown() {
        for rate in [Rate::PerSecond(100), Rate::PerSecond(10_000), Rate::Full] {
            assert_eq!(rate.to_string().parse(), Ok(rate));
        }
        for wrong in ["0", "-1", "1.5", "all", "1000001", ""] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_face_has_an_empty_answer_beside_it() {
        let all = RateKind::all();
        assert_eq!(all.len(), 14);
        for kind in &all {
            let answered = Answered::Empty;
            assert!(all.contains(&RateKind { answered, ..*kind }));
        }
    }
}
