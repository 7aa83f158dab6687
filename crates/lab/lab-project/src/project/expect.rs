//! What an answer must be.

use super::form::milliseconds;
use crate::file;
use crate::place::Place;
use crate::problem::Problem;
use crate::requests::{Expect, Protocol};

/// The status codes of gRPC, by their numbers.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

pub(super) fn check(
    raw: &file::Expect,
    protocol: Protocol,
    place: &Place<'_>,
) -> Result<Expect, Problem> {
    let other = match protocol {
        Protocol::Rest => raw.code.is_some().then_some(("expect.code", "status")),
        Protocol::Grpc => raw.status.is_some().then_some(("expect.status", "code")),
    };
    if let Some((key, instead)) = other {
        let what = format!("does not belong to {}", protocol.as_str());
        return Err(place.problem(key, what, format!("write {instead}")));
    }
    let status = match &raw.status {
        None => vec![(200, 299)],
        Some(value) => statuses(value).ok_or_else(|| {
            place.problem(
                "expect.status",
                format!("is {value}"),
                "write a status such as 200, several as [200, 404], or a class as \"2xx\"",
            )
        })?,
    };
    let code = match raw.code.as_deref() {
        None => 0,
        Some(name) => {
            let found = CODES.iter().position(|code| *code == name);
            let found = found.and_then(|code| u8::try_from(code).ok());
            found.ok_or_else(|| {
                place.problem(
                    "expect.code",
                    format!("is '{name}'"),
                    format!("write one of {}", CODES.join(", ")),
                )
            })?
        }
    };
    let mut json = Vec::new();
    for (pointer, value) in &raw.json {
        if !pointer.is_empty() && !pointer.starts_with('/') {
            let what = format!("has '{pointer}', which is no JSON pointer");
            return Err(place.problem("expect.json", what, "write \"/key\", \"/list/0/key\""));
        }
        let value = serde_json::to_value(value).unwrap_or_default();
        json.push((pointer.clone(), value));
    }
    let within_ms = raw.within.as_deref().map(|text| {
        milliseconds(text).ok_or_else(|| {
            place.problem(
                "expect.within",
                format!("is '{text}'"),
                "write a time such as \"250ms\" or \"2s\"",
            )
        })
    });
    Ok(Expect {
        status: if protocol == Protocol::Rest {
            status
        } else {
            Vec::new()
        },
        code,
        headers: raw
            .headers
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.clone()))
            .collect(),
        json,
        contains: raw.contains.clone(),
        within_ms: within_ms.transpose()?,
        messages: raw.messages.unwrap_or(0),
    })
}

fn statuses(value: &toml::Value) -> Option<Vec<(u16, u16)>> {
    match value {
        toml::Value::Array(all) => {
            let all: Option<Vec<_>> = all.iter().map(statuses).collect();
            Some(all?.concat()).filter(|all| !all.is_empty())
        }
        toml::Value::Integer(status) => {
            let status = u16::try_from(*status)
                .ok()
                .filter(|s| (100..600).contains(s))?;
            Some(vec![(status, status)])
        }
        toml::Value::String(class) => {
            let digit: u16 = class.strip_suffix("xx")?.parse().ok()?;
            (1..=5)
                .contains(&digit)
                .then(|| vec![(digit * 100, digit * 100 + 99)])
        }
        _ => None,
    }
}
