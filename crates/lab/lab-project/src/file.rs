//! `weir.toml` as it is written. What it means, and whether it can, is [`crate::project`].

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// `[[target]]`.
    #[serde(default)]
    pub target: Vec<Spanned<Target>>,
    /// `[[scenario]]`.
    #[serde(default)]
    pub scenario: Vec<Spanned<Scenario>>,
    /// `[[rows]]`.
    #[serde(default)]
    pub rows: Vec<Spanned<Rows>>,
    /// `[load]`.
    #[serde(default)]
    pub load: Option<Spanned<Load>>,
    /// `[[setup]]`.
    #[serde(default)]
    pub setup: Vec<Spanned<Action>>,
    /// `[[teardown]]`.
    #[serde(default)]
    pub teardown: Vec<Spanned<Action>>,
    /// `[audit]`.
    #[serde(default)]
    pub audit: Option<Spanned<Audit>>,
}

/// `[[target]]`: something to measure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Unique.
    pub name: String,
    /// Earlier names.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// `rest` or `grpc`.
    pub protocol: String,
    /// Where somebody else runs it.
    pub url: Option<String>,
    /// How the lab starts it.
    pub command: Option<Words>,
    /// The image of a container that the lab starts.
    pub image: Option<String>,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// The port on which it listens inside.
    pub container_port: Option<u16>,
    /// What the container may use.
    pub limits: Option<Limits>,
    /// A service of a compose file.
    pub compose: Option<Compose>,
    /// How it is built before.
    pub build: Option<Words>,
    /// The folder of both, relative to the file.
    pub dir: Option<String>,
    /// Variables of the process or the container.
    #[serde(default)]
    pub env: BTreeMap<String, Scalar>,
    /// The port that is tried first.
    pub port: Option<u16>,
    /// The variable that tells the process its port.
    pub port_env: Option<String>,
    /// A path that is asked until it answers, or `grpc`, or `tcp`.
    pub ready: Option<String>,
    /// Shown in reports.
    pub language: Option<String>,
    /// Shown in reports.
    pub framework: Option<String>,
    /// Shown in reports.
    pub notes: Option<String>,
    /// Takes part where no target is named.
    pub default: Option<bool>,
}

/// `limits`: what a container may use.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// CPUs, e.g. 1.5.
    pub cpus: Option<f64>,
    /// Memory as Docker writes it, e.g. `512m`.
    pub memory: Option<String>,
}

/// `compose`: a service of a compose file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compose {
    /// The file, relative to `weir.toml`.
    pub file: Option<String>,
    /// The service.
    pub service: String,
}

/// `[[setup]]` and `[[teardown]]`: what is done around a trial.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// A statement.
    pub sql: Option<String>,
    /// The database's URL.
    pub database: Option<String>,
    /// A program.
    pub command: Option<Words>,
}

/// `[audit]`: a number to hold against what was answered.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// A statement whose first value is the number.
    pub sql: Option<String>,
    /// The database's URL.
    pub database: Option<String>,
    /// A program whose last line is the number.
    pub command: Option<Words>,
    /// A path of the target that answers with the number.
    pub path: Option<String>,
    /// Where in the answer it is, as a JSON pointer.
    pub json: Option<String>,
    /// The requests whose answers it counts.
    #[serde(default)]
    pub of: Vec<String>,
}

/// A command: a list of words, or one text for the shell.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Words {
    /// The program and its arguments.
    List(Vec<String>),
    /// For `sh -c`.
    Shell(String),
}

/// A text, a number or a truth value.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// As it stands.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Bool(bool),
}

impl Scalar {
    /// As a variable holds it.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Bool(truth) => truth.to_string(),
        }
    }
}

/// `[[scenario]]`: a mix of requests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Unique.
    pub name: String,
    /// Headers, or metadata, of every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The proto file that describes the calls; none: the server's reflection.
    pub proto: Option<String>,
    /// Folders in which it and what it imports are looked for.
    #[serde(default)]
    pub include: Vec<String>,
    /// A k6 script of the user's own instead of requests.
    pub script: Option<String>,
    /// Variables of the environment that the script reads.
    #[serde(default)]
    pub env: Vec<String>,
    /// `[[scenario.request]]`.
    #[serde(default)]
    pub request: Vec<Spanned<Request>>,
}

/// `[[scenario.request]]` and `[[scenario.request.step]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// How it is called in `weir check`.
    pub name: Option<String>,
    /// How often, beside the others.
    pub weight: Option<u32>,
    /// Requests that depend on each other, instead of one.
    #[serde(default)]
    pub step: Vec<Spanned<Request>>,
    /// REST: the method.
    pub method: Option<String>,
    /// REST: path and query.
    pub path: Option<String>,
    /// REST: further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// REST: text as it stands, or a table or list that is sent as JSON.
    pub body: Option<toml::Value>,
    /// gRPC: `package.Service/Method`.
    pub call: Option<String>,
    /// gRPC: the message, a table or JSON text.
    pub message: Option<toml::Value>,
    /// gRPC: metadata.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// gRPC: the answer is a stream.
    #[serde(default)]
    pub stream: bool,
    /// What the answer must be.
    pub expect: Option<Spanned<Expect>>,
    /// What later steps need of the answer: by name a JSON pointer, or `header:NAME`.
    #[serde(default)]
    pub capture: BTreeMap<String, String>,
    /// How long it may take, e.g. `2s`.
    pub timeout: Option<String>,
}

/// `expect`: what an answer must be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// REST: a status, several, or `2xx`.
    pub status: Option<toml::Value>,
    /// gRPC: `OK`, `NOT_FOUND`, ...
    pub code: Option<String>,
    /// By name the value, or `*` for any.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// By JSON pointer the value.
    #[serde(default)]
    pub json: BTreeMap<String, toml::Value>,
    /// A text that the body holds.
    pub contains: Option<String>,
    /// The longest time, e.g. `250ms`.
    pub within: Option<String>,
    /// gRPC streams: at least this many messages.
    pub messages: Option<u64>,
}

/// `[[rows]]`: values out of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// As templates call them.
    pub name: String,
    /// CSV or JSONL, relative to `weir.toml`.
    pub file: String,
}

/// `[load]`: the load of mode compare, where the lab's own does not fit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Arrivals a second.
    pub rate: Option<f64>,
    /// Length of a trial.
    pub seconds: Option<f64>,
    /// Requests in flight at most.
    pub users: Option<u32>,
    /// Trials of each target.
    pub trials: Option<u32>,
}
