//! What happens around a trial: steps before and after it, and the number that an audit holds against what was answered.

use std::path::{Path, PathBuf};

use super::form::words;
use super::scenario::Scenario;
use crate::file;
use crate::place::Place;
use crate::problem::Problem;
use crate::template::{Kind, Piece, Template};

/// Something that is done around a trial.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A statement.
    Sql {
        /// Its text.
        text: Template,
        /// The database's URL.
        database: Template,
    },
    /// A program.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
        /// Its folder.
        dir: PathBuf,
    },
}

/// Where the number of an audit comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// The first value of a statement, or the last line of a program.
    Action(Action),
    /// A value of the target's answer to a GET request.
    Http {
        /// Path and query.
        path: String,
        /// JSON pointer to the number.
        pointer: String,
    },
}

/// An audit.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// Where the number comes from.
    pub look: Look,
    /// The requests whose answers it is held against; empty: all.
    pub of: Vec<String>,
}

/// What a template of this file is filled in with.
#[derive(Clone, Copy)]
pub struct Fill<'a> {
    /// The label of the run.
    pub run: &'a str,
    /// A variable of the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

impl Fill<'_> {
    /// The text; templates of this file hold `{{run}}` and `{{env NAME}}` alone.
    ///
    /// # Errors
    /// The variable that is not set.
    pub fn text(&self, template: &Template) -> Result<String, String> {
        let mut text = String::new();
        for piece in &template.pieces {
            match piece {
                Piece::Text(part) => text += part,
                Piece::Value(value) => match &value.kind {
                    Kind::Run => text += self.run,
                    Kind::Env(name) => {
                        let value = (self.env)(name);
                        text += &value.ok_or_else(|| {
                            format!("the environment variable {name} is not set: export it before weir runs")
                        })?;
                    }
                    other => return Err(format!("{other:?} has no value here")),
                },
            }
        }
        Ok(text)
    }
}

impl Action {
    pub(super) fn check(
        raw: &file::Action,
        place: &Place<'_>,
        dir: &Path,
    ) -> Result<Self, Problem> {
        match (&raw.sql, &raw.command) {
            (Some(sql), None) => {
                let Some(database) = &raw.database else {
                    return Err(place.problem(
                        "sql",
                        "has no database",
                        "write database = \"{{env DATABASE_URL}}\"",
                    ));
                };
                Ok(Self::Sql {
                    text: template("sql", sql, place)?,
                    database: template("database", database, place)?,
                })
            }
            (None, Some(command)) => Ok(Self::Command {
                words: words(command),
                dir: dir.to_path_buf(),
            }),
            _ => Err(place.problem(
                "",
                "does nothing, or two things",
                "write sql and database, or command",
            )),
        }
    }
}

impl Audit {
    pub(super) fn check(
        raw: &file::Audit,
        place: &Place<'_>,
        dir: &Path,
        scenarios: &[Scenario],
    ) -> Result<Self, Problem> {
        let look = match &raw.path {
            Some(path) => {
                if raw.sql.is_some() || raw.command.is_some() {
                    return Err(place.problem(
                        "path",
                        "stands beside another way to look",
                        "keep one of path, sql and command",
                    ));
                }
                let pointer = raw.json.clone().unwrap_or_default();
                if !path.starts_with('/') || !(pointer.is_empty() || pointer.starts_with('/')) {
                    return Err(place.problem(
                        "path",
                        format!("is '{path}' with json = '{pointer}'"),
                        "write path = \"/stats\" and json = \"/orders\"",
                    ));
                }
                Look::Http {
                    path: path.clone(),
                    pointer,
                }
            }
            None => {
                let action = file::Action {
                    sql: raw.sql.clone(),
                    database: raw.database.clone(),
                    command: raw.command.clone(),
                };
                Look::Action(Action::check(&action, place, dir)?)
            }
        };
        for name in &raw.of {
            let mut entries = scenarios.iter().flat_map(|scenario| &scenario.entries);
            if !entries.any(|entry| entry.request.name == *name) {
                return Err(place.problem(
                    "of",
                    format!("names '{name}', and no request is called so"),
                    "give the request that name",
                ));
            }
        }
        Ok(Self {
            look,
            of: raw.of.clone(),
        })
    }
}

fn template(key: &str, text: &str, place: &Place<'_>) -> Result<Template, Problem> {
    let template = Template::parse(text).map_err(|what| place.problem(key, what, ""))?;
    let strange = template
        .values()
        .any(|value| !matches!(value.kind, Kind::Run | Kind::Env(_)));
    if strange {
        let what = "holds a value that only requests have";
        return Err(place.problem(key, what, "use {{run}} and {{env NAME}} here"));
    }
    Ok(template)
}
