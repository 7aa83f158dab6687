//! The file `verdict.json`: all that a report's first sentence says, and the rounds behind it.
//!
//! `docs/reference/verdict.schema.json` is its JSON Schema.

use lab_verdict::{Look, Outcome};
use serde::{Deserialize, Serialize};

/// Version of the form; raised when a field changes its meaning or goes.
pub const FORMAT: &str = "weir-verdict/1";

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictFile {
    /// [`FORMAT`].
    pub format: String,
    /// Where the figures are from.
    pub source: Source,
    /// What kind of sentence the verdict is.
    pub kind: Kind,
    /// The sentence; several scenarios or figures have a line each.
    pub sentence: String,
    /// Further sentences.
    pub notes: Vec<String>,
    /// How it was judged.
    pub settings: Settings,
    /// Who took part.
    pub targets: Vec<Target>,
    /// The pairs that were compared.
    pub comparisons: Vec<Comparison>,
    /// Why it may be believed: the badges of the report.
    pub checks: Vec<Check>,
}

/// Where the figures are from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The program that wrote the file, with its version.
    pub tool: String,
    /// Sessions of the lab; none for figures from a CSV file.
    pub sessions: Vec<Session>,
    /// smoke, full, saturation or compare; none for figures from a CSV file.
    pub mode: Option<String>,
    /// PHASE_SCALE of the runs.
    pub phase_scale: Option<f64>,
    /// Arrivals a second of an open model.
    pub intended_rate: Option<f64>,
}

/// A session of the lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as the columns of test_sessions")]
pub struct Session {
    pub id: String,
    pub command: String,
    pub git_commit: Option<String>,
    /// SHA-256 of settings and machine; empty where none was recorded.
    pub fingerprint: String,
    /// UTC, ISO 8601.
    pub started_at: String,
}

/// What kind of sentence the verdict is: the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An audit failed: nothing else counts.
    AuditFailed,
    /// A target does not work, or nothing was measured.
    Failed,
    /// A smoke run: nothing was measured.
    Smoke,
    /// Figures were seen, and not judged: too few rounds, or one target only.
    Seen,
    /// The generator was the limit.
    GeneratorLimited,
    /// Another check forbids a verdict.
    NoVerdict,
    /// A difference is certain.
    Difference,
    /// Certainly within the margin.
    Equal,
    /// Not decided.
    Open,
}

/// How it was judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Probability that a family of comparisons in which all targets are equal names a difference (0 to 1).
    pub alpha: f64,
    /// Ratios certainly within `1 / (1 + margin) ..= 1 + margin` are equal.
    pub margin: f64,
    /// The target with which the others were compared; none: all pairs.
    pub reference: Option<String>,
    /// The figure that decides; none: all of them.
    pub primary: Option<String>,
    /// The session was judged while it grew; this was which look of how many.
    pub look: Option<LookAt>,
}

/// Which look, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookAt {
    /// From 1.
    pub number: usize,
    /// Looks of the plan.
    pub of: usize,
}

impl LookAt {
    /// The look as the test takes it; `None` where no plan has such a look.
    pub fn look(self) -> Option<Look> {
        Look::new(self.number, self.of)
    }
}

impl From<Look> for LookAt {
    fn from(look: Look) -> Self {
        Self {
            number: look.number(),
            of: look.of(),
        }
    }
}

/// A target and what became of its trials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// ingest, balance, stream or log; none for figures from a CSV file.
    pub scenario: Option<String>,
    /// rest, grpc, sse.
    pub protocol: Option<String>,
    /// Implementation language.
    pub language: Option<String>,
    /// HTTP or gRPC framework.
    pub framework: Option<String>,
    /// Trials that were run.
    pub trials: usize,
    /// Trials that count.
    pub counted: usize,
    /// Trials that were finished and that a validity check rejected.
    pub disturbed: usize,
    /// Trials that failed, were aborted or whose audit failed.
    pub left_out: usize,
    /// Trials whose audit failed.
    pub audit_failed: usize,
    /// Why trials do not count, each reason once.
    pub reasons: Vec<String>,
}

/// Which direction of a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Less: a cost or a time.
    Less,
    /// More: a rate.
    More,
}

/// `a` against `b` in one figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The session of a CSV file with several; none otherwise.
    pub session: Option<String>,
    /// Scenario of the lab.
    pub scenario: Option<String>,
    /// Payload.
    pub payload: Option<String>,
    /// Name of the figure: `rate`, `service CPU`, `p99 latency`, or a column of a CSV file.
    pub figure: String,
    /// Its unit, where it is known.
    pub unit: Option<String>,
    /// Which direction is better.
    pub better: Better,
    /// A target.
    pub a: String,
    /// Another; with a reference named it is the reference.
    pub b: String,
    /// It belongs to the family that decides; false: another figure was named as the primary one.
    pub decides: bool,
    /// The rounds in which both trials count and have the figure.
    pub rounds: Vec<Round>,
    /// Fewest rounds at which a difference could have been found.
    pub rounds_needed: usize,
    /// `a / b`: the Hodges-Lehmann estimate; the ratio of the medians where nothing was judged.
    pub ratio: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Confidence level of the interval (0 to 1).
    pub level: Option<f64>,
    /// Two-sided p-value alone.
    pub p: Option<f64>,
    /// The same after Holm's correction.
    pub p_holm: Option<f64>,
    /// Standard deviation of `ln(a / b)` over the rounds.
    pub spread: Option<f64>,
    /// What may be said; none where nothing was judged.
    pub outcome: Option<Outcome>,
    /// Why there is no verdict whatever the figures, e.g. one target was disturbed clearly more often.
    pub no_verdict: Option<String>,
    /// What would decide an open comparison.
    pub next: Option<String>,
}

/// The figure of both targets in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Name of the round.
    pub round: String,
    /// Figure of `a`.
    pub a: f64,
    /// Figure of `b`.
    pub b: f64,
}

/// A check with its figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Stable name.
    pub id: String,
    /// `ok`, `warn` or `bad`.
    pub level: String,
    /// What was found.
    pub text: String,
}

/// Why a text is no verdict file.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON, or a field is missing or wrong.
    #[error("not a verdict file")]
    Json(#[from] serde_json::Error),
    /// Another version of the form.
    #[error(
        "its format is {found:?}, and this program reads {FORMAT:?}: write the file again with `weir report --format verdict`"
    )]
    Format {
        /// What stands in the file.
        found: String,
    },
}

impl VerdictFile {
    /// The text of the file.
    ///
    /// # Errors
    /// A figure that JSON cannot hold.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// It is no JSON, of another format, or lacks a field.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
        }
        let head: Head = serde_json::from_str(text)?;
        if head.format != FORMAT {
            return Err(Unreadable::Format { found: head.format });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The target of this name.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }
}
