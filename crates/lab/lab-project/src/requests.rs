//! The prepared requests of a scenario, as both generators read them: one JSON file.
//!
//! A text is a list of parts. A string stands for itself, `{"v": N}` for the Nth value that was drawn for this request, and
//! `{"fill": ...}` for what only the moment of sending knows. All drawing happens before the run, so a generator joins
//! strings and draws nothing.

use serde::{Deserialize, Serialize};

/// Name and version of the form.
pub const SCHEMA: &str = "weir.requests/1";

/// The file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RequestFile {
    /// [`SCHEMA`].
    pub schema: String,
    /// The scenario's name.
    pub scenario: String,
    /// `rest` or `grpc`.
    pub protocol: Protocol,
    /// Proto file and the folders of its imports, absolute; none: the server's reflection is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proto: Option<Proto>,
    /// Variables of the environment that [`Part::Filled`] needs.
    pub env: Vec<String>,
    /// What can be sent.
    pub requests: Vec<Request>,
    /// What is sent, in this order and then from the beginning again: each worker begins at a place of its own.
    pub sequence: Vec<Drawn>,
}

/// How a target is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP.
    Rest,
    /// gRPC.
    Grpc,
}

impl Protocol {
    /// As files write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Grpc => "grpc",
        }
    }
}

/// Where the description of the calls is.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Proto {
    /// The file, relative to one of the folders.
    pub file: String,
    /// Folders.
    pub include: Vec<String>,
}

/// One entry of the mix: a request, or steps that depend on each other. It counts as one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Request {
    /// As the user calls it.
    pub name: String,
    /// One after the other.
    pub steps: Vec<Step>,
}

/// One request on the wire.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Step {
    /// As the user calls it.
    pub name: String,
    /// REST: the method.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// REST: path and query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<Part>,
    /// gRPC: `package.Service/Method`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub call: String,
    /// gRPC: the answer is a stream.
    #[serde(default)]
    pub stream: bool,
    /// Headers or metadata, names in lower case.
    pub headers: Vec<(String, Vec<Part>)>,
    /// REST: the body; gRPC: the message as JSON. None: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Vec<Part>>,
    /// What the answer must be.
    pub expect: Expect,
    /// What later steps need of the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capture: Vec<Capture>,
    /// How long it may take, milliseconds.
    pub timeout_ms: u64,
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Part {
    /// As it stands.
    Text(String),
    /// A drawn value, in the form in which it is sent.
    Drawn {
        /// Its place in [`Drawn::values`].
        v: usize,
    },
    /// Known as it is sent.
    Filled {
        /// What.
        fill: Fill,
        /// The variable or the capture.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        name: String,
        /// In which form.
        r#as: Form,
    },
}

/// What is known only as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// A number of its own.
    Counter,
    /// A random UUID.
    Uuid,
    /// The label of the run.
    Run,
    /// A variable of the environment.
    Env,
    /// What an earlier step has captured.
    Captured,
}

/// In which form a value is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As it is.
    Plain,
    /// Percent-encoded for a path or a query.
    Path,
    /// Escaped for the inside of a JSON string.
    Inside,
    /// As a JSON value of its own.
    Json,
    /// As a JSON string of its own, also where it is a number.
    String,
}

/// What an answer must be.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Expect {
    /// REST: ranges of statuses, ends included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<(u16, u16)>,
    /// gRPC: the status code's number.
    #[serde(default)]
    pub code: u8,
    /// By name in lower case the value; `*`: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// By JSON pointer the value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub json: Vec<(String, serde_json::Value)>,
    /// A text that the body holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// The longest time, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<f64>,
    /// gRPC streams: at least this many messages.
    #[serde(default)]
    pub messages: u64,
}

/// What a later step needs of an answer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Capture {
    /// As templates call it.
    pub name: String,
    /// A header's name in lower case; empty: [`Self::pointer`] counts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub header: String,
    /// A JSON pointer into the body or the message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
}

/// A request with the values that were drawn for it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Drawn {
    /// Its place in [`RequestFile::requests`].
    #[serde(rename = "r")]
    pub request: usize,
    /// What [`Part::Drawn`] stands for.
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}
