//! A first `weir.toml`: out of an OpenAPI file, out of a proto file, or out of what a user answers.
//!
//! - this file: the text of the file
//! - [`openapi`], [`grpc`]: the requests of a description; `sample`: values that look like what a schema asks for

pub mod grpc;
pub mod openapi;
mod sample;

use toml::Value;

use crate::requests::Protocol;

/// What the file is written out of.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Name and how it is reached: `http://...` or a command.
    pub targets: Vec<(String, String)>,
    /// How they are spoken to; none: REST.
    pub protocol: Option<Protocol>,
    /// When they are ready.
    pub ready: Option<String>,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// The proto file, as the scenario names it.
    pub proto: Option<String>,
    /// The folders of its imports.
    pub include: Vec<String>,
    /// What is sent.
    pub requests: Vec<Request>,
}

/// One request of a draft.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What it does, for a comment; may be empty.
    pub about: String,
    /// Whether it changes what the service holds: such a one is written as a comment.
    pub changes: bool,
    /// Its keys in their order.
    pub keys: Vec<(&'static str, Value)>,
}

impl Draft {
    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let protocol = self.protocol.unwrap_or(Protocol::Rest);
        let mut text = String::from(
            "# What is measured, and with which requests. 'weir check' tries it, 'weir run compare' compares the targets.\n",
        );
        for (name, reach) in &self.targets {
            text += "\n[[target]]\n";
            text += &line("name", &Value::from(name.as_str()));
            text += &line("protocol", &Value::from(protocol.as_str()));
            if reach.contains("://") {
                text += &line("url", &Value::from(reach.as_str()));
            } else {
                text += &line("command", &Value::from(reach.as_str()));
            }
            if let Some(ready) = &self.ready {
                text += &line("ready", &Value::from(ready.as_str()));
            }
        }
        text += "\n[[scenario]]\nname = \"mix\"\n";
        if let Some(proto) = &self.proto {
            text += &line("proto", &Value::from(proto.as_str()));
        }
        if !self.include.is_empty() {
            text += &line("include", &Value::from(self.include.clone()));
        }
        if !self.headers.is_empty() {
            let headers = self.headers.iter();
            let headers = headers.map(|(name, value)| (name.clone(), Value::from(value.as_str())));
            text += &line("headers", &Value::Table(headers.collect()));
        }
        // One request at least is sent, also where all of them change something.
        let all_change = self.requests.iter().all(|request| request.changes);
        if self.requests.iter().any(|request| request.changes) && !all_change {
            text += "\n# Requests that change what the service holds are comments: take the '#' away from those that you want.\n";
        }
        for request in &self.requests {
            let mark = if request.changes && !all_change {
                "# "
            } else {
                ""
            };
            text += "\n";
            if !request.about.is_empty() {
                text += &format!("# {}\n", request.about.replace('\n', " "));
            }
            text += &format!("{mark}[[scenario.request]]\n");
            for (key, value) in &request.keys {
                text += &format!("{mark}{}", line(key, value));
            }
        }
        text += "\n[load]\nrate = 100\n";
        text
    }
}

fn line(key: &str, value: &Value) -> String {
    format!("{key} = {value}\n")
}

#[cfg(test)]
mod tests;
