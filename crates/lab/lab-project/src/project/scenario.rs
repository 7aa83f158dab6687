//! A scenario: requests, and steps that depend on each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{NAME_RULE, expect, is_name, milliseconds};
use crate::draw::{self, Slot};
use crate::file;
use crate::json::{Shaped, json, shaped};
use crate::place::{Place, Source};
use crate::problem::Problem;
use crate::proto::Described;
use crate::requests::{Capture, Form, Proto, Protocol, Request, Step};
use crate::rows::Rows;
use crate::template::{self, Kind, Template};

/// A mix of requests.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Unique.
    pub name: String,
    /// The description of its calls; none: the server's reflection.
    pub proto: Option<Proto>,
    /// A k6 script of the user's own instead.
    pub script: Option<PathBuf>,
    /// Variables of the environment that the script reads.
    pub env: Vec<String>,
    /// What is sent.
    pub entries: Vec<Entry>,
}

/// One entry of the mix.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How often, beside the others.
    pub weight: u32,
    /// How it is sent.
    pub protocol: Protocol,
    /// Its steps.
    pub request: Request,
    /// What is drawn for it.
    pub(super) slots: Vec<Slot>,
}

/// How long a request may take where the file does not say, milliseconds.
const TIMEOUT_MS: u64 = 5000;
/// More than this weight would leave others out of the sequence.
const MAX_WEIGHT: u32 = 1000;

impl Scenario {
    pub(super) fn check(
        raw: &file::Scenario,
        source: &Source,
        place: &Place<'_>,
        dir: &Path,
        rows: &BTreeMap<String, Rows>,
    ) -> Result<Self, Problem> {
        if !is_name(&raw.name) {
            return Err(place.problem("name", format!("is '{}'", raw.name), NAME_RULE));
        }
        let script = raw.script.as_ref().map(|script| dir.join(script));
        if let Some(path) = &script {
            if !path.is_file() {
                let what = format!("{} is no file", path.display());
                return Err(place.problem(
                    "script",
                    what,
                    "name a k6 script, relative to weir.toml",
                ));
            }
            if !raw.request.is_empty() {
                return Err(place.problem("script", "stands beside requests", "keep one of them"));
            }
        } else if raw.request.is_empty() {
            return Err(place.problem(
                "",
                "asks nothing",
                "add a [[scenario.request]], or a script",
            ));
        }
        let proto = raw
            .proto
            .as_ref()
            .map(|proto| proto_of(proto, &raw.include, place, dir))
            .transpose()?;
        let described = match &proto {
            None => None,
            Some(proto) => Some(Described::read(proto).map_err(|what| {
                place.problem(
                    "proto",
                    what,
                    "mend it, or leave it out to ask the server's reflection",
                )
            })?),
        };
        let mut entries = Vec::new();
        for (number, one) in raw.request.iter().enumerate() {
            let name = one.get_ref().name.clone();
            let called = name.unwrap_or_else(|| (number + 1).to_string());
            let name = format!("{}: request {called}", place.name());
            let place = source.place(one.span(), name);
            let reading = Reading {
                source,
                place: &place,
                headers: &raw.headers,
                rows,
                described: described.as_ref(),
            };
            entries.push(reading.entry(one.get_ref())?);
        }
        Ok(Self {
            name: raw.name.clone(),
            proto,
            script,
            env: raw.env.clone(),
            entries,
        })
    }

    /// Whether it has anything for targets of this protocol.
    #[must_use]
    pub fn suits(&self, protocol: Protocol) -> bool {
        self.script.is_some() || self.entries.iter().any(|entry| entry.protocol == protocol)
    }
}

fn proto_of(
    proto: &str,
    include: &[String],
    place: &Place<'_>,
    dir: &Path,
) -> Result<Proto, Problem> {
    let mut folders: Vec<PathBuf> = include.iter().map(|folder| dir.join(folder)).collect();
    let file = dir.join(proto);
    let name = if folders.is_empty() {
        // The folder of the file itself.
        folders.push(file.parent().unwrap_or(dir).to_path_buf());
        file.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    } else {
        Some(proto.to_owned())
    };
    let name = name.unwrap_or_default();
    if !folders.iter().any(|folder| folder.join(&name).is_file()) {
        let what = format!(
            "{name} is in none of the folders {}",
            folders
                .iter()
                .map(|f| f.display().to_string())
                .collect::<Vec<_>>()
                .join(", ")
        );
        return Err(place.problem("proto", what, "name the file relative to weir.toml, or to a folder of include; leave it out to ask the server's reflection"));
    }
    Ok(Proto {
        file: name,
        include: folders
            .iter()
            .map(|folder| folder.to_string_lossy().into_owned())
            .collect(),
    })
}

/// What the requests of a scenario are read with.
struct Reading<'a> {
    source: &'a Source,
    place: &'a Place<'a>,
    headers: &'a BTreeMap<String, String>,
    rows: &'a BTreeMap<String, Rows>,
    described: Option<&'a Described>,
}

impl Reading<'_> {
    fn entry(&self, raw: &file::Request) -> Result<Entry, Problem> {
        let place = self.place;
        let weight = raw.weight.unwrap_or(1);
        if !(1..=MAX_WEIGHT).contains(&weight) {
            return Err(place.problem(
                "weight",
                format!("is {weight}"),
                "write a number from 1 to 1000",
            ));
        }
        let mut slots = Vec::new();
        let mut known = BTreeSet::new();
        let mut steps: Vec<(Step, Protocol)> = Vec::new();
        if raw.step.is_empty() {
            steps.push(self.step(raw, place, &mut slots, &mut known)?);
        } else {
            if raw.path.is_some() || raw.call.is_some() {
                return Err(place.problem(
                    "step",
                    "stands beside a path or a call",
                    "move it into a step of its own",
                ));
            }
            for (number, one) in raw.step.iter().enumerate() {
                let place = self
                    .source
                    .place(one.span(), format!("{}: step {}", place.name(), number + 1));
                let one = one.get_ref();
                if one.weight.is_some() || !one.step.is_empty() {
                    return Err(place.problem(
                        "weight",
                        "belongs to the whole request, as steps do",
                        "move it there",
                    ));
                }
                steps.push(self.step(one, &place, &mut slots, &mut known)?);
            }
        }
        let protocol = steps[0].1;
        if steps.iter().any(|(_, other)| *other != protocol) {
            return Err(place.problem(
                "step",
                "has steps over REST and over gRPC",
                "a request goes to one target: use one protocol",
            ));
        }
        let steps: Vec<Step> = steps.into_iter().map(|(step, _)| step).collect();
        let name = raw.name.clone().unwrap_or_else(|| {
            let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
            names.join(", then ")
        });
        Ok(Entry {
            weight,
            protocol,
            request: Request { name, steps },
            slots,
        })
    }

    fn step(
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

    /// Whether the proto file, where there is one, has the call, and says the same of its answer.
    fn check_call(&self, call: &str, stream: bool, place: &Place<'_>) -> Result<(), Problem> {
        let Some(described) = self.described else {
            return Ok(());
        };
        let Some(method) = described.call(call) else {
            let calls: Vec<String> = described
                .calls()
                .into_iter()
                .map(|(call, _)| call)
                .collect();
            let what = format!("{call} is not in {}", described.file());
            return Err(place.problem("call", what, format!("its calls are {}", calls.join(", "))));
        };
        if method.is_client_streaming() {
            let remedy = "name a call that takes one message";
            return Err(place.problem(
                "call",
                format!("{call} takes a stream of messages"),
                remedy,
            ));
        }
        match (stream, method.is_server_streaming()) {
            (false, true) => Err(place.problem(
                "stream",
                "is false, and the answer is a stream",
                "write stream = true",
            )),
            (true, false) => Err(place.problem(
                "stream",
                "is true, and the answer is one message",
                "leave it out",
            )),
            _ => Ok(()),
        }
    }

    /// Whether every value of a text is known here.
    fn check_values(
        &self,
        text: &[Shaped],
        captured: &BTreeSet<String>,
    ) -> Result<(), (String, String)> {
        for piece in text {
            let Shaped::Value(value, _) = piece else {
                continue;
            };
            match &value.kind {
                Kind::Captured(name) if !captured.contains(name) => {
                    let remedy = match captured.iter().next() {
                        None => "capture it in an earlier step of the same request: capture = { name = \"/pointer\" }".into(),
                        Some(_) => format!("captured before this are {}", captured.iter().cloned().collect::<Vec<_>>().join(", ")),
                    };
                    return Err((
                        format!("uses {{{{{name}}}}}, which nothing has captured"),
                        remedy,
                    ));
                }
                Kind::Row(rows, column) => {
                    let Some(found) = self.rows.get(rows) else {
                        return Err((
                            format!("uses {{{{{rows}.{column}}}}}, and there are no rows {rows}"),
                            format!("add [[rows]] with name = \"{rows}\" and file = \"...\""),
                        ));
                    };
                    if !found.columns().contains(&column.as_str()) {
                        return Err((
                            format!(
                                "uses {{{{{rows}.{column}}}}}, and the file has no column {column}"
                            ),
                            format!("its columns are {}", found.columns().join(", ")),
                        ));
                    }
                }
                _ => {}
            }
        }
        Ok(())
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
