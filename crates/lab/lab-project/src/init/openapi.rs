//! The requests of an OpenAPI description, version 3 (and 2 as far as it is the same).

use serde_json::Value as Json;
use toml::{Table, Value};

use super::{Draft, Request, sample};
use crate::requests::Protocol;

/// How deep schemas are followed: they may name themselves.
const DEPTH: usize = 6;

/// A draft of a description, JSON or YAML.
///
/// # Errors
/// The text is neither, or describes no operation.
pub fn draft(text: &str) -> Result<Draft, String> {
    let document: Json = match serde_json::from_str(text) {
        Ok(json) => json,
        Err(json) if text.trim_start().starts_with('{') => {
            return Err(format!("is no JSON: {json}"));
        }
        Err(_) => serde_saphyr::from_str(text).map_err(|error| format!("is no YAML: {error}"))?,
    };
    let reader = Reader {
        document: &document,
    };
    let base = reader.base();
    let mut requests = Vec::new();
    let paths = document["paths"].as_object().into_iter().flatten();
    for (path, item) in paths {
        let item = reader.resolved(item);
        for method in ["get", "post", "put", "patch", "delete", "head"] {
            if let Some(operation) = item.get(method) {
                requests.push(reader.request(method, &format!("{base}{path}"), item, operation));
            }
        }
    }
    if requests.is_empty() {
        return Err("describes no operation: its key 'paths' holds none".into());
    }
    let url = document["servers"][0]["url"].as_str();
    let url = url
        .and_then(origin)
        .unwrap_or_else(|| "http://127.0.0.1:8080".into());
    Ok(Draft {
        targets: vec![("first".into(), url)],
        protocol: Some(Protocol::Rest),
        headers: reader.security(),
        requests,
        ..Draft::default()
    })
}

/// Scheme, host and port of a URL; none where it names no host.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest
        .split('/')
        .next()
        .filter(|host| !host.is_empty() && !host.contains('{'))?;
    Some(format!("{scheme}://{authority}"))
}

struct Reader<'a> {
    document: &'a Json,
}

impl<'a> Reader<'a> {
    /// The path that stands before those of the operations.
    fn base(&self) -> String {
        let url = self.document["servers"][0]["url"].as_str();
        let base = url.map(|url| match url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
            None => url,
        });
        let base = base.or_else(|| self.document["basePath"].as_str());
        base.unwrap_or_default().trim_end_matches('/').to_owned()
    }

    /// What a `$ref` within the document stands for.
    fn resolved(&self, value: &'a Json) -> &'a Json {
        let mut value = value;
        for _ in 0..DEPTH {
            let Some(pointer) = value["$ref"]
                .as_str()
                .and_then(|name| name.strip_prefix('#'))
            else {
                break;
            };
            value = self.document.pointer(pointer).unwrap_or(&Json::Null);
        }
        value
    }

    fn request(&self, method: &str, path: &str, item: &'a Json, operation: &'a Json) -> Request {
        let mut path = path.to_owned();
        let mut query = Vec::new();
        let mut headers = Table::new();
        let shared = item["parameters"].as_array().into_iter().flatten();
        let own = operation["parameters"].as_array().into_iter().flatten();
        for parameter in shared.chain(own) {
            let parameter = self.resolved(parameter);
            let name = parameter["name"].as_str().unwrap_or_default();
            let value = || plain(&self.of_parameter(parameter, name));
            let required = parameter["required"].as_bool() == Some(true);
            match parameter["in"].as_str() {
                Some("path") => path = path.replace(&format!("{{{name}}}"), &value()),
                Some("query") if required => query.push(format!("{name}={}", value())),
                Some("header") if required => {
                    headers.insert(name.into(), value().into());
                }
                _ => {}
            }
        }
        if !query.is_empty() {
            path += &format!("?{}", query.join("&"));
        }
        let mut keys = vec![("path", Value::from(encoded(&path)))];
        if method != "get" {
            keys.insert(0, ("method", Value::from(method.to_uppercase())));
        }
        if !headers.is_empty() {
            keys.push(("headers", Value::Table(headers)));
        }
        if let Some(body) = self.body(operation) {
            keys.push(("body", body));
        }
        let responses = operation["responses"].as_object();
        let mut codes = responses.into_iter().flatten().map(|(code, _)| code);
        let good = codes
            .find(|code| code.starts_with('2'))
            .and_then(|code| code.parse::<i64>().ok());
        if let Some(good) = good {
            let expect = [("status".to_owned(), Value::from(good))];
            keys.push(("expect", Value::Table(expect.into_iter().collect())));
        }
        let about = operation["summary"]
            .as_str()
            .or_else(|| operation["operationId"].as_str());
        Request {
            about: about.unwrap_or_default().to_owned(),
            changes: !matches!(method, "get" | "head"),
            keys,
        }
    }

    fn of_parameter(&self, parameter: &'a Json, name: &str) -> Value {
        match parameter.get("example").and_then(toml_of) {
            Some(example) => example,
            None if parameter.get("schema").is_some() => {
                self.sample(&parameter["schema"], name, DEPTH)
            }
            // Version 2 has the type on the parameter itself.
            None => self.sample(parameter, name, DEPTH),
        }
    }

    fn body(&self, operation: &'a Json) -> Option<Value> {
        let body = self.resolved(operation.get("requestBody")?);
        let content = body["content"].as_object()?;
        let json = content.iter().find(|(kind, _)| kind.contains("json"))?.1;
        let example = json.get("example").or_else(|| {
            let examples = json["examples"].as_object()?;
            self.resolved(examples.values().next()?).get("value")
        });
        let example = example.and_then(toml_of);
        Some(example.unwrap_or_else(|| self.sample(&json["schema"], "", DEPTH)))
    }

    fn sample(&self, schema: &'a Json, name: &str, depth: usize) -> Value {
        let schema = self.resolved(schema);
        let given = ["example", "const", "default"]
            .iter()
            .find_map(|key| schema.get(key).and_then(toml_of));
        if let Some(given) = given {
            return given;
        }
        if let Some(choices) = schema["enum"].as_array() {
            let texts: Vec<String> = choices
                .iter()
                .filter_map(|one| Some(format!("'{}'", one.as_str()?)))
                .collect();
            if texts.len() == choices.len() && !texts.is_empty() {
                return Value::from(format!("{{{{choice {}}}}}", texts.join(" ")));
            }
            return choices
                .first()
                .and_then(toml_of)
                .unwrap_or_else(|| Value::from(""));
        }
        for key in ["oneOf", "anyOf"] {
            if let Some(first) = schema[key].as_array().and_then(|all| all.first()) {
                return self.sample(first, name, depth.saturating_sub(1));
            }
        }
        let kind = match &schema["type"] {
            Json::Array(kinds) => kinds
                .iter()
                .filter_map(Json::as_str)
                .find(|kind| *kind != "null"),
            kind => kind.as_str(),
        };
        match kind {
            Some("integer") => {
                sample::integer(schema["minimum"].as_i64(), schema["maximum"].as_i64())
            }
            Some("number") => Value::from(schema["minimum"].as_f64().unwrap_or(1.5)),
            Some("boolean") => Value::from(true),
            Some("array") if depth > 0 => {
                Value::from(vec![self.sample(&schema["items"], name, depth - 1)])
            }
            Some("array") => Value::Array(Vec::new()),
            Some("string") => sample::text(name, schema["format"].as_str().unwrap_or_default()),
            _ if depth == 0 => Value::Table(Table::new()),
            Some("object") => self.object(schema, depth),
            _ if schema.get("properties").is_some() || schema.get("allOf").is_some() => {
                self.object(schema, depth)
            }
            _ => sample::text(name, ""),
        }
    }

    /// What is required; where nothing is, all properties.
    fn object(&self, schema: &'a Json, depth: usize) -> Value {
        let mut table = Table::new();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            if let Value::Table(of_part) = self.sample(part, "", depth - 1) {
                table.extend(of_part);
            }
        }
        let required = schema["required"].as_array();
        let wanted = |name: &str| required.is_none_or(|all| all.iter().any(|one| one == name));
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if wanted(name) && self.resolved(property)["readOnly"].as_bool() != Some(true) {
                table.insert(name.clone(), self.sample(property, name, depth - 1));
            }
        }
        Value::Table(table)
    }

    /// Headers of the first scheme that takes one; the secret comes from the environment.
    fn security(&self) -> Vec<(String, String)> {
        let schemes = self.document["components"]["securitySchemes"].as_object();
        let schemes = schemes.or_else(|| self.document["securityDefinitions"].as_object());
        let of = |scheme: &Json| match (scheme["type"].as_str()?, scheme["scheme"].as_str()) {
            ("http", Some("bearer")) | ("oauth2" | "openIdConnect", _) => Some((
                "Authorization".to_owned(),
                "Bearer {{env API_TOKEN}}".to_owned(),
            )),
            ("http", Some("basic")) | ("basic", _) => Some((
                "Authorization".to_owned(),
                "Basic {{env API_LOGIN}}".to_owned(),
            )),
            ("apiKey", _) if scheme["in"] == "header" => Some((
                scheme["name"].as_str()?.to_owned(),
                "{{env API_KEY}}".to_owned(),
            )),
            _ => None,
        };
        schemes
            .into_iter()
            .flatten()
            .find_map(|(_, scheme)| of(scheme))
            .into_iter()
            .collect()
    }
}

/// A value of JSON in TOML; none for null, which TOML lacks.
fn toml_of(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64()?),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::Array(items.iter().filter_map(toml_of).collect()),
        Json::Object(map) => Value::Table(
            map.iter()
                .filter_map(|(key, value)| Some((key.clone(), toml_of(value)?)))
                .collect(),
        ),
    })
}

/// A value as it stands in a path or a header.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Spaces outside of braces as a URL has them.
fn encoded(path: &str) -> String {
    let mut inside = 0;
    path.chars()
        .map(|letter| match letter {
            '{' => {
                inside += 1;
                letter.to_string()
            }
            '}' => {
                inside -= 1;
                letter.to_string()
            }
            ' ' if inside == 0 => "%20".into(),
            _ => letter.to_string(),
        })
        .collect()
}
