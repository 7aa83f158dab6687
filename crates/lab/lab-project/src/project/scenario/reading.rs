//! What the requests of a scenario are read with, and checked against.

use std::collections::{BTreeMap, BTreeSet};

use crate::json::Shaped;
use crate::place::{Place, Source};
use crate::problem::Problem;
use crate::proto::Described;
use crate::rows::Rows;
use crate::template::Kind;

/// What the requests of a scenario are read with.
pub(super) struct Reading<'a> {
    pub(super) source: &'a Source,
    pub(super) place: &'a Place<'a>,
    pub(super) headers: &'a BTreeMap<String, String>,
    pub(super) rows: &'a BTreeMap<String, Rows>,
    pub(super) described: Option<&'a Described>,
}

impl Reading<'_> {
    /// Whether the proto file, where there is one, has the call, and says the same of its answer.
    pub(super) fn check_call(
        &self,
        call: &str,
        stream: bool,
        place: &Place<'_>,
    ) -> Result<(), Problem> {
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
    pub(super) fn check_values(
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
