//! Texts with values in them: `/users/{{integer 1 1000}}`, `Bearer {{env API_TOKEN}}`.
//!
//! | form | gives | when |
//! |---|---|---|
//! | `{{counter}}` | a whole number that no other request of the session has | as it is sent |
//! | `{{uuid}}` | a random UUID | as it is sent |
//! | `{{run}}` | the label of the run, for audits | as it is sent |
//! | `{{env NAME}}` | a variable of the environment | as it is sent |
//! | `{{NAME}}` | what an earlier step has captured | as it is sent |
//! | `{{integer FROM TO}}` | a random whole number, both ends included | before the run |
//! | `{{choice A B "C D"}}` | one of these | before the run |
//! | `{{now}}`, `{{now -1h}}`, `{{now_ms}}` | the time, RFC 3339 or milliseconds since 1970 | before the run |
//! | `{{time FROM TO}}` | a random time between two, RFC 3339 | before the run |
//! | `{{ROWS.COLUMN}}` | a value out of a row of a CSV or JSONL file | before the run |
//!
//! `| text` at the end keeps a number text inside JSON: `"{{counter | text}}"`.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A text in pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// In their order.
    pub pieces: Vec<Piece>,
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// A value in its place.
    Value(Value),
}

/// A value, and whether it stays text where JSON would have a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// `| text`.
    pub text: bool,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Unique in the session.
    Counter,
    /// Random.
    Uuid,
    /// The label of the run.
    Run,
    /// A variable of the environment.
    Env(String),
    /// What an earlier step has captured under this name.
    Captured(String),
    /// Random, both ends included.
    Integer(i64, i64),
    /// One of these.
    Choice(Vec<String>),
    /// The time when the requests are made, plus seconds.
    Now(i64),
    /// The same in milliseconds since 1970.
    NowMs(i64),
    /// A random time between two.
    Time(OffsetDateTime, OffsetDateTime),
    /// A column of a file's row.
    Row(String, String),
}

impl Kind {
    /// True for what is a number wherever it stands alone.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Counter | Self::Integer(..) | Self::NowMs(_))
    }
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong in the braces, and what is valid.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (inside, after) = after
                .split_once("}}")
                .ok_or_else(|| format!("'{text}' opens '{{{{' and does not close it"))?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            let value = value(inside).map_err(|what| format!("'{{{{{inside}}}}}' {what}"))?;
            pieces.push(Piece::Value(value));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Ok(Self { pieces })
    }

    /// The values in it.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(value) => Some(value),
            Piece::Text(_) => None,
        })
    }
}

fn value(inside: &str) -> Result<Value, String> {
    let (inside, text) = match inside.rsplit_once('|') {
        Some((rest, "text" | " text" | " text " | "text ")) => (rest, true),
        Some((_, filter)) => {
            return Err(format!(
                "ends in '| {}': only '| text' is known",
                filter.trim()
            ));
        }
        None => (inside, false),
    };
    let words = words(inside)?;
    let kind = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => return Err("is empty: name a value, for example {{uuid}}".into()),
        ["counter"] => Kind::Counter,
        ["uuid"] => Kind::Uuid,
        ["run"] => Kind::Run,
        ["env", name] => Kind::Env(name.into()),
        ["integer", from, to] => {
            let number = |word: &str| {
                word.parse::<i64>()
                    .map_err(|_| format!("has '{word}', which is no whole number"))
            };
            let (from, to) = (number(from)?, number(to)?);
            if from > to {
                return Err(format!(
                    "runs from {from} down to {to}: write the smaller one first"
                ));
            }
            Kind::Integer(from, to)
        }
        ["choice", ..] if words.len() > 1 => Kind::Choice(words[1..].to_vec()),
        ["now"] => Kind::Now(0),
        ["now", by] => Kind::Now(seconds(by)?),
        ["now_ms"] => Kind::NowMs(0),
        ["now_ms", by] => Kind::NowMs(seconds(by)?),
        ["time", from, to] => {
            let read = |word: &str| {
                OffsetDateTime::parse(word, &Rfc3339).map_err(|_| {
                    format!("has '{word}', which is no time such as 2026-01-31T00:00:00Z")
                })
            };
            let (from, to) = (read(from)?, read(to)?);
            if from > to {
                return Err("has its end before its beginning: exchange them".into());
            }
            Kind::Time(from, to)
        }
        [name] if name.contains('.') => {
            let (rows, column) = name.split_once('.').unwrap_or((name, ""));
            Kind::Row(rows.into(), column.into())
        }
        [name] if is_name(name) => Kind::Captured(name.into()),
        _ => {
            return Err(
                "is not known: valid are counter, uuid, run, env NAME, integer FROM TO, choice A B, now [-1h], \
                 now_ms, time FROM TO, ROWS.COLUMN and the name of a capture"
                    .into(),
            );
        }
    };
    Ok(Value { kind, text })
}

/// Whether a capture may be called so.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Words between spaces; one in quotes may hold spaces.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"').or_else(|| rest.strip_prefix('\'')) {
            Some(quoted) => {
                let quote = &rest[..1];
                quoted
                    .split_once(quote)
                    .ok_or("has a quote that is not closed")?
            }
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(words)
}

/// `-1h`, `+30s`, `2d` in seconds.
fn seconds(text: &str) -> Result<i64, String> {
    let problem = || format!("has '{text}', which is no distance such as -1h (units s, m, h, d)");
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let unit = rest.chars().last().ok_or_else(problem)?;
    let scale = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(problem()),
    };
    let number: i64 = rest[..rest.len() - 1].parse().map_err(|_| problem())?;
    Ok(sign * number * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Kind {
        let template = Template::parse(text).unwrap();
        let [Piece::Value(value)] = &template.pieces[..] else {
            panic!("{text}: {template:?}")
        };
        value.kind.clone()
    }

    #[test]
    fn every_form_is_read() {
        let row = || Kind::Row("users".into(), "name".into());
        for (text, expected) in [
            ("{{counter}}", Kind::Counter),
            ("{{ uuid }}", Kind::Uuid),
            ("{{env API_TOKEN}}", Kind::Env("API_TOKEN".into())),
            ("{{integer -1 10}}", Kind::Integer(-1, 10)),
            (
                "{{choice a 'b c' \"d\"}}",
                Kind::Choice(vec!["a".into(), "b c".into(), "d".into()]),
            ),
            ("{{now -1h}}", Kind::Now(-3600)),
            ("{{now_ms 2d}}", Kind::NowMs(172_800)),
            ("{{users.name}}", row()),
            ("{{token}}", Kind::Captured("token".into())),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
        let mixed = Template::parse("/a/{{counter}}/b").unwrap();
        assert_eq!(mixed.pieces.len(), 3);
        let text = Template::parse("{{counter | text}}").unwrap();
        assert!(text.values().all(|value| value.text));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_valid() {
        for (text, said) in [
            ("{{uuid", "does not close it"),
            ("{{}}", "is empty"),
            ("{{integer 1}}", "valid are"),
            ("{{integer 5 1}}", "smaller one first"),
            ("{{integer a 1}}", "no whole number"),
            ("{{now 1y}}", "-1h"),
            ("{{time a b}}", "2026-01-31T00:00:00Z"),
            ("{{counter | upper}}", "'| text'"),
            ("{{choice 'a}}", "not closed"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
