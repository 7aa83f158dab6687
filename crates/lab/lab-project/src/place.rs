//! Lines of a file: which one a byte is in, and which one a key of a table is written in.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::problem::Problem;

/// A file's text and name.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it is named in problems.
    pub file: PathBuf,
    text: String,
}

/// A table of the file: where it begins, and how it is called in problems.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    source: &'a Source,
    from: usize,
    name: String,
}

impl Source {
    /// A text under the name of its file.
    #[must_use]
    pub fn new(file: &Path, text: String) -> Self {
        Self {
            file: file.into(),
            text,
        }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line of a byte, from 1.
    #[must_use]
    pub fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    /// The table at `span`, called `name`.
    #[must_use]
    pub fn place(&self, span: Range<usize>, name: impl Into<String>) -> Place<'_> {
        Place {
            source: self,
            from: span.start,
            name: name.into(),
        }
    }

    /// What the TOML parser says, with the key that its line begins with.
    #[must_use]
    pub fn toml_problem(&self, error: &toml::de::Error) -> Problem {
        let line = error.span().map(|span| self.line(span.start));
        let text = line.and_then(|line| self.text.lines().nth(line - 1));
        let key = text
            .and_then(|text| text.split_once('='))
            .map(|(key, _)| key.trim().to_owned());
        Problem {
            file: self.file.clone(),
            line,
            key: key.unwrap_or_default(),
            what: error.message().trim().replace('\n', " "),
            remedy: "docs/reference/weir-toml.md lists every key".into(),
        }
    }
}

impl Place<'_> {
    /// How the table is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A problem with `key` of the table, in the line where the key is written, else where the table begins.
    pub fn problem(
        &self,
        key: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        let full = match key {
            "" => self.name.clone(),
            key => format!("{}: {key}", self.name),
        };
        Problem {
            file: self.source.file.clone(),
            line: Some(self.line_of(key)),
            key: full,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    fn line_of(&self, key: &str) -> usize {
        let first = self.source.line(self.from);
        let word = key.split(['.', '[']).next().unwrap_or(key);
        if word.is_empty() {
            return first;
        }
        let written = |line: &str| {
            let rest = line.trim_start().trim_start_matches('"');
            let rest = rest.strip_prefix(word);
            rest.is_some_and(|rest| {
                let rest = rest.trim_start_matches('"').trim_start();
                rest.starts_with(['=', '.'])
            })
        };
        let lines = self.source.text.lines().enumerate().skip(first - 1);
        for (index, line) in lines {
            if index + 1 > first && line.trim_start().starts_with('[') {
                // A table of the table: `[scenario.request.expect]` holds the key `expect`.
                let header = line.trim().trim_matches(['[', ']']);
                if header.rsplit('.').next() == Some(word) {
                    return index + 1;
                }
                if line.trim_start().starts_with("[[") {
                    break;
                }
                continue;
            }
            if written(line) {
                return index + 1;
            }
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_below_its_table() {
        let text = "[[scenario]]\nname = \"a\"\n\n[[scenario.request]]\npath = \"/\"\n[scenario.request.expect]\nstatus = 1\n\n[[scenario.request]]\nweight = 2\npath = \"x\"\n";
        let source = Source::new(Path::new("weir.toml"), text.into());
        let second = text.rfind("[[scenario.request]]").unwrap();
        let place = source.place(second..second + 1, "scenario a: request 2");
        let problem = place.problem("path", "must begin with '/'", "write path = \"/x\"");
        assert_eq!(
            problem.to_string(),
            "weir.toml:11: scenario a: request 2: path: must begin with '/'; write path = \"/x\""
        );
        assert_eq!(place.problem("method", "", "").line, Some(9));
        let first = text.find("[[scenario.request]]").unwrap();
        let place = source.place(first..first + 1, "request 1");
        assert_eq!(place.problem("expect.status", "", "").line, Some(6));
    }
}
