//! A scenario: requests, and steps that depend on each other.
//!
//! - `entry`: a request of the mix; `step`: one step of it; `reading`: what both are read with

mod entry;
mod reading;
mod step;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::form::{NAME_RULE, is_name};
use crate::file;
use crate::place::{Place, Source};
use crate::problem::Problem;
use crate::proto::Described;
use crate::requests::{Proto, Protocol};
use crate::rows::Rows;
use reading::Reading;

pub use entry::Entry;

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
