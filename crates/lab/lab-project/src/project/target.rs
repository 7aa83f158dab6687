//! A target: how it is reached, and when it is ready.
//!
//! - `reach`: how it is reached; `container`: images and compose services, as commands of Docker

mod container;
mod reach;

use std::collections::BTreeMap;
use std::path::Path;

use super::form::{NAME_RULE, is_name, words};
use crate::file::{self, Words};
use crate::place::Place;
use crate::problem::Problem;
use crate::requests::Protocol;
use crate::template::{Kind, Template};
use reach::PORT;

pub use reach::Reach;

/// Something to measure.
#[derive(Clone, Debug)]
pub struct Target {
    /// Unique.
    pub name: String,
    /// Earlier names.
    pub aliases: Vec<String>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// How it is reached.
    pub reach: Reach,
    /// When it is ready.
    pub ready: Ready,
    /// Shown in reports.
    pub language: Option<String>,
    /// Shown in reports.
    pub framework: Option<String>,
    /// Shown in reports.
    pub notes: Option<String>,
    /// Takes part where no target is named.
    pub default: bool,
}

/// When a started target is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It accepts connections.
    Tcp,
    /// This path answers with less than 400.
    Path(String),
    /// The standard health service says so.
    Grpc,
}

impl Target {
    pub(super) fn check(
        raw: &file::Target,
        place: &Place<'_>,
        dir: &Path,
    ) -> Result<Self, Problem> {
        for name in raw.aliases.iter().chain([&raw.name]) {
            if !is_name(name) {
                return Err(place.problem("name", format!("is '{name}'"), NAME_RULE));
            }
        }
        let protocol = match raw.protocol.as_str() {
            "rest" => Protocol::Rest,
            "grpc" => Protocol::Grpc,
            other => {
                let what = format!("is '{other}'");
                return Err(place.problem("protocol", what, "write \"rest\" or \"grpc\""));
            }
        };
        let reach = match (&raw.url, &raw.command, &raw.image, &raw.compose) {
            (Some(url), None, None, None) => {
                let url =
                    url_of(url).map_err(|(what, remedy)| place.problem("url", what, remedy))?;
                Reach::Url(url)
            }
            (None, Some(command), None, None) => reach(raw, command, place, dir)?,
            (None, None, Some(image), None) => container::of_image(raw, image, place, dir)?,
            (None, None, None, Some(compose)) => container::of_compose(raw, compose, place, dir)?,
            (None, None, None, None) => {
                return Err(place.problem(
                    "",
                    "says nowhere how it is reached",
                    "add command = [...], image or compose for what weir starts, or url = \"http://host:port\" for what \
                     runs already",
                ));
            }
            _ => {
                return Err(place.problem(
                    "",
                    "says twice how it is reached",
                    "keep one of url, command, image and compose",
                ));
            }
        };
        let ready = match raw.ready.as_deref() {
            None | Some("tcp") => Ready::Tcp,
            Some("grpc") if protocol == Protocol::Grpc => Ready::Grpc,
            Some(path) if path.starts_with('/') && protocol == Protocol::Rest => {
                Ready::Path(path.into())
            }
            Some(other) => {
                let valid = match protocol {
                    Protocol::Rest => "write a path such as \"/health\", or \"tcp\"",
                    Protocol::Grpc => "write \"grpc\" for the standard health service, or \"tcp\"",
                };
                return Err(place.problem("ready", format!("is '{other}'"), valid));
            }
        };
        Ok(Self {
            name: raw.name.clone(),
            aliases: raw.aliases.clone(),
            protocol,
            reach,
            ready,
            language: raw.language.clone(),
            framework: raw.framework.clone(),
            notes: raw.notes.clone(),
            default: raw.default.unwrap_or(true),
        })
    }
}

fn reach(
    raw: &file::Target,
    command: &Words,
    place: &Place<'_>,
    dir: &Path,
) -> Result<Reach, Problem> {
    let started = words(command);
    if started.iter().all(|word| word.trim().is_empty()) {
        return Err(place.problem("command", "is empty", "name the program and its arguments"));
    }
    let dir = dir.join(raw.dir.as_deref().unwrap_or("."));
    if !dir.is_dir() {
        let what = format!("{} is no folder", dir.display());
        return Err(place.problem("dir", what, "name a folder, relative to weir.toml"));
    }
    let env: BTreeMap<String, String> = raw
        .env
        .iter()
        .map(|(name, value)| (name.clone(), value.to_text()))
        .collect();
    for (name, text) in env
        .iter()
        .map(|(name, value)| (format!("env.{name}"), value))
        .chain(started.iter().map(|word| ("command".to_owned(), word)))
    {
        let template = Template::parse(text).map_err(|what| place.problem(&name, what, ""))?;
        if let Some(value) = template
            .values()
            .find(|value| !matches!(value.kind, Kind::Env(_)))
        {
            let what = format!("holds a value ({:?}) that only requests have", value.kind);
            return Err(place.problem(
                &name,
                what,
                "use {port}, {database_url} or {{env NAME}} here",
            ));
        }
    }
    let mentions = started
        .iter()
        .chain(env.values())
        .any(|text| text.contains("{port}"));
    if !mentions && raw.port_env.is_none() && raw.port.is_none() {
        return Err(place.problem(
            "command",
            "is not told on which port to listen",
            "write {port} where the port stands, or name its variable in port_env, or the port itself in port",
        ));
    }
    Ok(Reach::Command {
        words: started,
        container: None,
        build: raw.build.as_ref().map_or_else(Vec::new, words),
        dir,
        env,
        port: raw.port.unwrap_or(PORT),
        port_env: raw.port_env.clone(),
    })
}

/// A URL with its port.
fn url_of(url: &str) -> Result<String, (String, &'static str)> {
    const FORM: &str = "write http://host:port or https://host:port; paths belong to the requests";
    let problem = |what: &str| Err((format!("'{url}' {what}"), FORM));
    let Some((scheme, rest)) = url.split_once("://") else {
        return problem("has no scheme");
    };
    let port = match scheme {
        "http" | "grpc" => 80,
        "https" | "grpcs" => 443,
        _ => return problem("has a scheme that is not known"),
    };
    let authority = rest.trim_end_matches('/');
    if authority.is_empty() || authority.contains('/') {
        return problem(if authority.is_empty() {
            "names no host"
        } else {
            "has a path"
        });
    }
    if authority.contains('@') {
        return problem("holds a login: put it into a header, from the environment");
    }
    let after = authority
        .rsplit_once(']')
        .map_or(authority, |(_, after)| after);
    let scheme = if port == 443 { "https" } else { "http" };
    Ok(match after.rsplit_once(':') {
        Some((_, number)) if number.parse::<u16>().is_ok_and(|port| port > 0) => {
            format!("{scheme}://{authority}")
        }
        Some(_) => return problem("has a port that is none"),
        None => format!("{scheme}://{authority}:{port}"),
    })
}
