//! The report as data: one serde tree that the page, its Markdown twin and every exporter are written from.
//!
//! Field names are those of the JSON in the page (`<script id="weir-data">`) and of `weir report --format json`.
//! Times are UTC, ISO 8601. Rates are successful requests a second, latencies milliseconds, memory MiB.

mod across;
mod figures;
mod heads;
mod overview;

pub use lab_gate::verdict_file::Kind as VerdictKind;
pub use metrics_db::Latency;
use serde::Serialize;

pub use across::{Across, AcrossRow};
pub use figures::{
    CheckInfo, Comparison, CostRow, CpuPerRequest, Interval, Metric, NoiseFloor, Outcome, PhaseRow,
    RunInfo, Series, Standing, ThroughputRow, TrialRate, WireRow,
};
pub use heads::{Drawing, HeadRow, Places, RankedTarget, Ranking};
pub use overview::{
    GeneratorRow, Group, GroupRow, Grouping, PlaceRatio, ProtocolPair, ScalePoint, ScaleRow,
};

/// Version of the shape below; raised when a field changes its meaning or goes.
pub const FORMAT: &str = "weir-report/2";

/// Everything that a report says.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: &'static str,
    /// Heading of the page.
    pub title: String,
    /// One line under the heading: date, mode, trials, payloads, machine.
    pub subtitle: String,
    /// The sessions that the runs are from, in the order asked for.
    pub sessions: Vec<SessionInfo>,
    /// smoke, full, saturation or compare.
    pub mode: String,
    /// False for a smoke run: five requests are no measurement, so figures of rate and latency percentiles are left out.
    pub measures: bool,
    /// PHASE_SCALE of the runs shown.
    pub phase_scale: f64,
    /// Pause of a VU between two requests in milliseconds; `None` where the environment does not say.
    pub think_time_ms: Option<f64>,
    /// Ratios within `1 / (1 + margin) ..= 1 + margin` count as equal.
    pub margin: f64,
    /// Arrivals a second of an open model; `None` in a closed one.
    pub intended_rate: Option<f64>,
    /// What `rate` means in this mode, in words: it heads the throughput figure.
    pub rate_is: String,
    /// What the figures count, in words.
    pub words: Words,
    /// What was measured. Nothing is compared across scenarios.
    pub scenarios: Vec<ScenarioInfo>,
    /// In the order first run; colours follow it.
    pub targets: Vec<Target>,
    /// Smallest first. With several scenarios each name is one's own, e.g. `ingest 4k`, `balance`.
    pub payloads: Vec<String>,
    /// The phases of the mode.
    pub phases: Vec<PhaseInfo>,
    /// What was found.
    pub verdict: Verdict,
    /// The answers at a glance: one row a question; empty where nothing is judged. Of scenarios of at most two targets.
    pub head: Vec<HeadRow>,
    /// The same for scenarios of more targets: a ranked table a payload.
    pub ranking: Vec<Ranking>,
    /// The targets of each ranking by protocol, language and framework, with places inside a group.
    pub groupings: Vec<Grouping>,
    /// One stack under two protocols, in scenarios of more than two targets.
    pub protocol_pairs: Vec<ProtocolPair>,
    /// Whether the place in a round matters; empty where all rounds ran in one order.
    pub places: Vec<PlaceRatio>,
    /// Rate, p99 and CPU by number of VUs, of all sessions of `full` and `saturation` that were given.
    pub scaling: Vec<ScalePoint>,
    /// The same summed up for each target.
    pub scaling_rows: Vec<ScaleRow>,
    /// Each of several generators that made the load together; empty where one made it.
    pub generators: Vec<GeneratorRow>,
    /// Why it may be believed.
    pub badges: Vec<Badge>,
    /// One row a payload and target.
    pub throughput: Vec<ThroughputRow>,
    /// Pairs of targets, per payload; empty with fewer than two targets.
    pub comparisons: Vec<Comparison>,
    /// One row a payload, phase and target: medians over the trials that count.
    pub phase_rows: Vec<PhaseRow>,
    /// One row a payload and target.
    pub cost: Vec<CostRow>,
    /// What an answer or an event takes on the wire, for the scenarios whose payload is fixed.
    pub wire: Vec<WireRow>,
    /// Every run, also those left out, in the order run.
    pub runs: Vec<RunInfo>,
    /// CPU and memory over time, thinned to fit the page.
    pub series: Vec<Series>,
    /// What the fingerprint is made of, flattened.
    pub settings: Vec<Setting>,
    /// More than one entry: the sessions ran in different environments.
    pub fingerprints: Vec<Fingerprint>,
    /// Sessions of different environments, each against its own reference; empty unless it was asked for.
    pub across: Vec<Across>,
    /// What this report does not show, one paragraph each.
    pub limits: Vec<String>,
}

/// A session: one invocation of the lab.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "named as the columns of test_sessions")]
pub struct SessionInfo {
    pub id: String,
    pub command: String,
    pub seed: i64,
    pub runtime: String,
    pub git_commit: Option<String>,
    pub fingerprint: String,
    pub started_at: String,
    pub completed_at: Option<String>,
}

/// What the figures count, in the words of the scenario; of several, in words that fit all.
#[derive(Clone, Debug, Serialize)]
pub struct Words {
    /// What the rows of a table are grouped by: `payload`, or `scenario` where there are several.
    pub group: &'static str,
    /// What a rate counts: a sentence without its end.
    pub rate: String,
    /// What a cost is that of, e.g. `an event`.
    pub one: String,
    /// What the generator counted, e.g. `acknowledged`.
    pub counted: String,
    /// What the audit compares that with, e.g. `stored`.
    pub found: String,
    /// What a latency is that of.
    pub latency: String,
}

/// A scenario of targets.toml.
#[derive(Clone, Debug, Serialize)]
pub struct ScenarioInfo {
    /// ingest, balance, stream or log.
    pub name: String,
    /// The unit of its rates, e.g. `event`.
    pub unit: &'static str,
    /// Its payloads, as [`Report::payloads`] names them.
    pub payloads: Vec<String>,
    /// Indexes of its targets.
    pub targets: Vec<usize>,
}

/// A target and what is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// As in targets.toml.
    pub name: String,
    /// ingest, balance, stream or log.
    pub scenario: String,
    /// rest, grpc, sse.
    pub protocol: String,
    /// Implementation language.
    pub language: Option<String>,
    /// HTTP or gRPC framework.
    pub framework: Option<String>,
    /// What made the load: k6 or benchmark.
    pub driver: String,
    /// Its database driver.
    pub database_driver: Option<String>,
    /// Its database connections.
    pub pool_size: Option<i64>,
    /// What ran: SHA-256 of the binary, or id of the image; of several sessions each once.
    pub builds: Vec<String>,
    /// Commits of the lab's checkout, `+dirty` appended where files differed; of several sessions each once.
    pub commits: Vec<String>,
    /// Memory that it may use, MiB: its container's limit, or that of the machine.
    pub memory_allowed_mb: Option<f64>,
    /// Place in the page's palette.
    pub color: usize,
}

/// A phase of the mode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseInfo {
    /// From 1.
    pub number: i32,
    /// e.g. baseline.
    pub name: String,
    /// VUs or connections.
    pub vus: i32,
    /// Seconds after the start of the first phase.
    pub start_seconds: f64,
    /// Seconds.
    pub duration_seconds: f64,
}

/// Good, doubtful or bad: decides mark and colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Warn,
    /// Wrong.
    Bad,
}

/// The first card.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// What kind of sentence it is.
    pub kind: VerdictKind,
    /// Bad: the sentence is in the colour for bad.
    pub level: Level,
    /// The sentence, cut where a target is named.
    pub sentence: Vec<Span>,
    /// Further sentences, in smaller type.
    pub notes: Vec<String>,
}

impl Verdict {
    /// The sentence as plain text.
    pub fn text(&self) -> String {
        self.sentence
            .iter()
            .map(|span| span.text.as_str())
            .collect()
    }
}

/// A piece of the verdict's sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Span {
    /// Its words.
    pub text: String,
    /// Index into [`Report::targets`] where the piece is a target's name.
    pub target: Option<usize>,
}

/// One check with its figure.
#[derive(Clone, Debug, Serialize)]
pub struct Badge {
    /// audit, errors, generator, dropped, contract, settings, left_out, or the id of another check.
    pub id: String,
    /// Mark and colour.
    pub level: Level,
    /// The check's outcome with its figure.
    pub text: String,
    /// Id of the section that the figure comes from.
    pub section: &'static str,
}

/// One line of the environment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Dotted path.
    pub key: String,
    /// Value per fingerprint, in the order of [`Report::fingerprints`].
    pub values: Vec<String>,
    /// True where they differ.
    pub differs: bool,
}

/// An environment that sessions share.
#[derive(Clone, Debug, Serialize)]
pub struct Fingerprint {
    /// SHA-256, hex; empty where the session did not record one.
    pub value: String,
    /// Session ids.
    pub sessions: Vec<String>,
}
