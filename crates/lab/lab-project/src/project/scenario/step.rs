//! One step of a request.

use std::collections::{BTreeMap, BTreeSet};

use super::super::expect;
use super::super::form::milliseconds;
use super::reading::Reading;
use crate::draw::{self, Slot};
use crate::file;
use crate::json::{Shaped, json, shaped};
use crate::place::Place;
use crate::problem::Problem;
use crate::requests::{Capture, Form, Protocol, Step};
use crate::template::{self, Template};

/// How long a request may take where the file does not say, milliseconds.
const TIMEOUT_MS: u64 = 5000;

impl Reading<'_> {
    /// A step, and the protocol that it is sent over.
    pub(super) fn step(
        &self,
        raw: &file::Request,
        place: &Place<'_>,
        slots: &mut Vec<Slot>,
        known: &mut BTreeSet<String>,
    ) -> Result<(Step, Protocol), Problem> {
        let mut text = |key: &str, text: Vec<Shaped>| {
            self.check_values(&text, known)
                .map_err(|(what, remedy)| place.problem(key, what, remedy))?;
            Ok(draw::parts(text, slots))
        };
        let template = |key: &str, text: &str, form: Form| {
            let template = Template::parse(text).map_err(|what| place.problem(key, what, ""))?;
            Ok(shaped(template, form))
        };
        let (protocol, name, path, body) = match (&raw.path, &raw.call) {
            (Some(path), None) => {
                if !path.starts_with('/') {
                    return Err(place.problem(
                        "path",
                        format!("is '{path}'"),
                        "begin it with '/': the host is the target's",
                    ));
                }
                if path.contains([' ', '#'])
                    && Template::parse(path).is_ok_and(|t| {
                        t.pieces.iter().any(
                        |p| matches!(p, template::Piece::Text(text) if text.contains([' ', '#'])),
                    )
                    })
                {
                    return Err(place.problem(
                        "path",
                        format!("is '{path}'"),
                        "write %20 for a space and %23 for '#'",
                    ));
                }
                let path_parts = text("path", template("path", path, Form::Path)?)?;
                let body = match &raw.body {
                    None => None,
                    Some(toml::Value::String(body)) => {
                        Some(text("body", template("body", body, Form::Plain)?)?)
                    }
                    Some(value) => Some(text(
                        "body",
                        json(value).map_err(|what| place.problem("body", what, ""))?,
                    )?),
                };
                let method = method_of(raw, place)?;
                (Protocol::Rest, format!("{method} {path}"), path_parts, body)
            }
            (None, Some(call)) => {
                let parts: Vec<&str> = call.trim_start_matches('/').split('/').collect();
                if parts.len() != 2 || parts.iter().any(|part| part.is_empty()) {
                    return Err(place.problem(
                        "call",
                        format!("is '{call}'"),
                        "write package.Service/Method",
                    ));
                }
                self.check_call(&parts.join("/"), raw.stream, place)?;
                let empty = toml::Value::Table(toml::Table::new());
                let message = match raw.message.as_ref().unwrap_or(&empty) {
                    toml::Value::String(message) => template("message", message, Form::Inside)?,
                    value => json(value).map_err(|what| place.problem("message", what, ""))?,
                };
                let message = text("message", message)?;
                (Protocol::Grpc, parts.join("/"), Vec::new(), Some(message))
            }
            (Some(_), Some(_)) => {
                return Err(place.problem(
                    "call",
                    "stands beside a path",
                    "path is for REST, call for gRPC: keep one",
                ));
            }
            (None, None) => {
                return Err(place.problem(
                    "",
                    "has neither path nor call",
                    "add path = \"/...\" for REST, or call = \"package.Service/Method\" for gRPC",
                ));
            }
        };
        check_protocol(raw, protocol, place)?;
        let own = match protocol {
            Protocol::Rest => &raw.headers,
            Protocol::Grpc => &raw.metadata,
        };
        let mut headers: BTreeMap<String, &String> = BTreeMap::new();
        for (name, value) in self.headers.iter().chain(own) {
            headers.insert(name.to_lowercase(), value);
        }
        let json_type = "application/json".to_owned();
        if matches!(&raw.body, Some(body) if !body.is_str()) {
            headers.entry("content-type".into()).or_insert(&json_type);
        }
        let mut read = Vec::new();
        for (name, value) in headers {
            if value.contains(['\r', '\n'])
                || !name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            {
                return Err(place.problem(
                    "headers",
                    format!("has '{name}'"),
                    "use letters, digits and '-' in a name, and one line as the value",
                ));
            }
            let key = format!("headers.{name}");
            let value = text(&key, template(&key, value, Form::Plain)?)?;
            read.push((name, value));
        }
        let default = file::Expect::default();
        let expected = raw
            .expect
            .as_ref()
            .map_or(&default, |expect| expect.get_ref());
        let expect = expect::check(expected, protocol, place)?;
        let mut capture = Vec::new();
        for (name, from) in &raw.capture {
            if !template::is_name(name) {
                return Err(place.problem(
                    "capture",
                    format!("has '{name}'"),
                    "use letters, digits and '_' in a name",
                ));
            }
            let (header, pointer) = match from.strip_prefix("header:") {
                Some(header) => (header.to_lowercase(), String::new()),
                None if from.starts_with('/') => (String::new(), from.clone()),
                None => {
                    return Err(place.problem(
                        "capture",
                        format!("takes {name} from '{from}'"),
                        "write a JSON pointer such as \"/id\", or \"header:location\"",
                    ));
                }
            };
            known.insert(name.clone());
            capture.push(Capture {
                name: name.clone(),
                header,
                pointer,
            });
        }
        let timeout_ms = match raw.timeout.as_deref() {
            None => TIMEOUT_MS,
            Some(text) => milliseconds(text).ok_or_else(|| {
                place.problem(
                    "timeout",
                    format!("is '{text}'"),
                    "write a time such as \"500ms\" or \"2s\"",
                )
            })? as u64,
        };
        let step = Step {
            name: raw.name.clone().unwrap_or(name),
            method: match protocol {
                Protocol::Rest => method_of(raw, place)?,
                Protocol::Grpc => String::new(),
            },
            path,
            call: raw
                .call
                .as_ref()
                .map_or_else(String::new, |call| call.trim_start_matches('/').to_owned()),
            stream: raw.stream,
            headers: read,
            body,
            expect,
            capture,
            timeout_ms: timeout_ms.max(1),
        };
        Ok((step, protocol))
    }
}

fn method_of(raw: &file::Request, place: &Place<'_>) -> Result<String, Problem> {
    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let usual = if raw.body.is_some() { "POST" } else { "GET" };
    let method = raw.method.as_deref().unwrap_or(usual).to_uppercase();
    if METHODS.contains(&method.as_str()) {
        return Ok(method);
    }
    Err(place.problem(
        "method",
        format!("is '{method}'"),
        format!("write one of {}", METHODS.join(", ")),
    ))
}

/// Keys of the other protocol are a mistake, not a wish.
fn check_protocol(
    raw: &file::Request,
    protocol: Protocol,
    place: &Place<'_>,
) -> Result<(), Problem> {
    let strange = match protocol {
        Protocol::Rest => [
            ("message", raw.message.is_some()),
            ("metadata", !raw.metadata.is_empty()),
            ("stream", raw.stream),
        ],
        Protocol::Grpc => [
            ("method", raw.method.is_some()),
            ("headers", !raw.headers.is_empty()),
            ("body", raw.body.is_some()),
        ],
    };
    match strange.iter().find(|(_, there)| *there) {
        None => Ok(()),
        Some((key, _)) => {
            let remedy = match *key {
                "message" => "write body",
                "metadata" => "write headers",
                "headers" => "write metadata",
                "body" => "write message",
                "method" => "the method is part of call",
                _ => "leave it out: a stream belongs to gRPC",
            };
            Err(place.problem(
                key,
                format!("does not belong to {}", protocol.as_str()),
                remedy,
            ))
        }
    }
}
