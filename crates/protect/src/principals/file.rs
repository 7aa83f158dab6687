//! The principals file: TOML, read by hand so that each error names its line, its key and the remedy, and repeats no value
//! that could be a secret. Pure.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::jwt::Expected;
use super::tokens::TokenHash;
use crate::limits::Limits;
use crate::rights::{Right, Rights};

/// Longest name of a principal, in bytes.
const MAX_NAME_BYTES: usize = 128;
/// Difference between clocks that is tolerated unless the file sets another, in seconds.
const DEFAULT_LEEWAY_S: u64 = 30;
const MAX_LEEWAY_S: u64 = 300;

/// A principal as the file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Distinct in the file.
    pub name: String,
    /// SHA-256 of each of its tokens.
    pub tokens: Vec<TokenHash>,
    /// Names of its client certificates.
    pub certificates: Vec<String>,
    /// What it may do.
    pub rights: Rights,
    /// How much of it.
    pub limits: Limits,
}

/// The table `[jwt]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSection {
    /// The key set's file, relative to the principals file.
    pub keys: String,
    /// What tokens must say.
    pub expected: Expected,
}

/// A whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// At least one.
    pub principals: Vec<Entry>,
    /// How JSON Web Tokens are verified.
    pub jwt: Option<JwtSection>,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// The key, what is wrong with it, what to write instead.
    pub problem: String,
}

/// Reads a principals file.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str) -> Result<Contents, Problem> {
    Reader { text }.contents()
}

struct Reader<'t> {
    text: &'t str,
}

type Table<'t> = DeTable<'t>;
type Value<'t> = Spanned<DeValue<'t>>;

impl<'t> Reader<'t> {
    fn problem(&self, at: Range<usize>, problem: impl Into<String>) -> Problem {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        Problem {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            problem: problem.into(),
        }
    }

    fn contents(&self) -> Result<Contents, Problem> {
        let root = DeTable::parse(self.text).map_err(|error| {
            let at = error.span().unwrap_or_default();
            self.problem(at, format!("not TOML: {}", error.message()))
        })?;
        let root = root.get_ref();
        self.known(root, "the file", &["principal", "jwt"])?;
        let listed = match root.get("principal") {
            None => {
                let problem = "no [[principal]]: name at least one, else nobody may call";
                return Err(self.problem(0..0, problem));
            }
            Some(value) => value.get_ref().as_array().ok_or_else(|| {
                self.problem(
                    value.span(),
                    "principal: write [[principal]] above each one",
                )
            })?,
        };
        let mut principals = Vec::new();
        let mut taken = Taken::default();
        for value in listed.iter() {
            principals.push(self.entry(value, &mut taken)?);
        }
        if principals.is_empty() {
            return Err(self.problem(0..0, "principal: the list is empty, name at least one"));
        }
        let jwt = root.get("jwt").map(|value| self.jwt(value)).transpose()?;
        Ok(Contents { principals, jwt })
    }

    fn entry(&self, value: &Value<'t>, taken: &mut Taken) -> Result<Entry, Problem> {
        let table = value.get_ref().as_table().ok_or_else(|| {
            self.problem(
                value.span(),
                "principal: write [[principal]] above each one",
            )
        })?;
        let keys = ["name", "token_sha256", "certificate", "rights", "limits"];
        self.known(table, "[[principal]]", &keys)?;
        let (name, at) = self.text_of(table, value, "name")?;
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
            let problem =
                format!("name: must be 1 to {MAX_NAME_BYTES} bytes without control characters");
            return Err(self.problem(at, problem));
        }
        if !taken.names.insert(name.clone()) {
            let problem = format!("name: '{name}' is used twice, give each principal its own");
            return Err(self.problem(at, problem));
        }
        let mut tokens = Vec::new();
        for (text, at) in self.texts(table, "token_sha256")? {
            // Not repeated: it may be the token itself.
            let hash = TokenHash::from_hex(&text).ok_or_else(|| {
                let problem = "token_sha256: must be 64 lower-case hexadecimal digits, the SHA-256 of the token \
                               (`event-log token new` prints both)";
                self.problem(at.clone(), problem)
            })?;
            if !taken.tokens.insert(hash) {
                let problem = "token_sha256: used twice, give each principal tokens of its own";
                return Err(self.problem(at, problem));
            }
            tokens.push(hash);
        }
        let mut certificates = Vec::new();
        for (text, at) in self.texts(table, "certificate")? {
            if text.is_empty() {
                return Err(self.problem(at, "certificate: a name must not be empty"));
            }
            if !taken.certificates.insert(text.clone()) {
                let problem = format!(
                    "certificate: '{text}' is used twice, give each principal names of its own"
                );
                return Err(self.problem(at, problem));
            }
            certificates.push(text);
        }
        let mut rights = Vec::new();
        for (text, at) in self.texts(table, "rights")? {
            let right: Right = text
                .parse()
                .map_err(|problem| self.problem(at, format!("rights: {problem}")))?;
            rights.push(right);
        }
        Ok(Entry {
            name,
            tokens,
            certificates,
            rights: rights.into_iter().collect::<Rights>(),
            limits: self.limits(table)?,
        })
    }

    fn limits(&self, table: &Table<'t>) -> Result<Limits, Problem> {
        let Some(value) = table.get("limits") else {
            return Ok(Limits::default());
        };
        let table = value.get_ref().as_table().ok_or_else(|| {
            let problem = "limits: must be a table, such as { events_per_second = 1000 }";
            self.problem(value.span(), problem)
        })?;
        let keys = [
            "events_per_second",
            "bytes_per_second",
            "streams",
            "connections",
        ];
        self.known(table, "limits", &keys)?;
        let limit = |key: &str| -> Result<Option<NonZeroU32>, Problem> {
            let Some(value) = table.get(key) else {
                return Ok(None);
            };
            let number = integer(value).and_then(|number| u32::try_from(number).ok());
            let limit = number.and_then(NonZeroU32::new).ok_or_else(|| {
                let problem = format!(
                    "limits.{key}: must be a whole number from 1 to {}; leave it out for no limit",
                    u32::MAX
                );
                self.problem(value.span(), problem)
            })?;
            Ok(Some(limit))
        };
        Ok(Limits {
            events_per_second: limit("events_per_second")?,
            bytes_per_second: limit("bytes_per_second")?,
            streams: limit("streams")?,
            connections: limit("connections")?,
        })
    }

    fn jwt(&self, value: &Value<'t>) -> Result<JwtSection, Problem> {
        let table = value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.problem(value.span(), "jwt: write it as the table [jwt]"))?;
        let keys = ["keys", "issuer", "audience", "leeway_seconds"];
        self.known(table, "[jwt]", &keys)?;
        let needed = |key: &str| -> Result<String, Problem> {
            let (text, at) = self.text_of(table, value, key)?;
            if text.is_empty() {
                return Err(self.problem(at, format!("jwt.{key}: must not be empty")));
            }
            Ok(text)
        };
        let leeway_seconds = match table.get("leeway_seconds") {
            None => DEFAULT_LEEWAY_S,
            Some(value) => integer(value)
                .filter(|seconds| *seconds <= MAX_LEEWAY_S)
                .ok_or_else(|| {
                    let problem = format!(
                        "jwt.leeway_seconds: must be a whole number from 0 to {MAX_LEEWAY_S}"
                    );
                    self.problem(value.span(), problem)
                })?,
        };
        Ok(JwtSection {
            keys: needed("keys")?,
            expected: Expected {
                issuer: needed("issuer")?,
                audience: needed("audience")?,
                leeway_seconds,
            },
        })
    }

    /// Refuses unknown keys: a misspelt one would be a limit or a right that silently does not apply.
    fn known(&self, table: &Table<'t>, place: &str, keys: &[&str]) -> Result<(), Problem> {
        let unknown = table
            .keys()
            .find(|key| !keys.contains(&key.get_ref().as_ref()));
        unknown.map_or(Ok(()), |key| {
            let problem = format!(
                "unknown key '{}' in {place}: expected {}",
                key.get_ref(),
                keys.join(", ")
            );
            Err(self.problem(key.span(), problem))
        })
    }

    fn text_of(
        &self,
        table: &Table<'t>,
        whole: &Value<'t>,
        key: &str,
    ) -> Result<(String, Range<usize>), Problem> {
        let value = table.get(key).ok_or_else(|| {
            self.problem(
                whole.span(),
                format!("{key} is missing: add {key} = \"...\""),
            )
        })?;
        let text = value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.problem(value.span(), format!("{key}: must be text in quotes")))?;
        Ok((text.to_owned(), value.span()))
    }

    /// A list of texts; empty where the key is absent.
    fn texts(&self, table: &Table<'t>, key: &str) -> Result<Vec<(String, Range<usize>)>, Problem> {
        let Some(value) = table.get(key) else {
            return Ok(Vec::new());
        };
        let wrong = |at| {
            let problem = format!("{key}: must be a list of texts, such as {key} = [\"...\"]");
            self.problem(at, problem)
        };
        let list = value
            .get_ref()
            .as_array()
            .ok_or_else(|| wrong(value.span()))?;
        list.iter()
            .map(|item| {
                let text = item.get_ref().as_str().ok_or_else(|| wrong(item.span()))?;
                Ok((text.to_owned(), item.span()))
            })
            .collect()
    }
}

fn integer(value: &Value<'_>) -> Option<u64> {
    let integer = value.get_ref().as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// What other principals of the file have.
#[derive(Default)]
struct Taken {
    names: HashSet<String>,
    tokens: HashSet<TokenHash>,
    certificates: HashSet<String>,
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
