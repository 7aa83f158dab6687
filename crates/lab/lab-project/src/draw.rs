//! The values of requests, drawn from a seed before the run.

use std::collections::BTreeMap;

use lab_verdict::random::SplitMix64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::json::Shaped;
use crate::requests::{Drawn, Fill, Form, Part};
use crate::rows::Rows;
use crate::template::Kind;

/// What of a value stands in a path as it is (RFC 3986, unreserved).
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Most requests of a sequence: with the values of each they stay a few megabytes.
pub const SEQUENCE: usize = 1000;

/// A value that is drawn for each request of the sequence.
#[derive(Clone, Debug)]
pub struct Slot {
    kind: Kind,
    form: Form,
}

/// Turns a text into parts; what is drawn gets a place behind `slots`.
pub fn parts(text: Vec<Shaped>, slots: &mut Vec<Slot>) -> Vec<Part> {
    let part = |piece| match piece {
        Shaped::Text(text) => Part::Text(text),
        Shaped::Value(value, form) => {
            let filled = |fill, name: &str| Part::Filled {
                fill,
                name: name.to_owned(),
                r#as: form,
            };
            match &value.kind {
                Kind::Counter => filled(Fill::Counter, ""),
                Kind::Uuid => filled(Fill::Uuid, ""),
                Kind::Run => filled(Fill::Run, ""),
                Kind::Env(name) => filled(Fill::Env, name),
                Kind::Captured(name) => filled(Fill::Captured, name),
                _ => {
                    slots.push(Slot {
                        kind: value.kind,
                        form,
                    });
                    Part::Drawn { v: slots.len() - 1 }
                }
            }
        }
    };
    text.into_iter().map(part).collect()
}

/// The sequence of a scenario: each request as often as its weight says, in a random order, each with values of its own.
pub fn sequence(
    weights: &[u32],
    slots: &[Vec<Slot>],
    rows: &BTreeMap<String, Rows>,
    seed: u64,
    now: OffsetDateTime,
) -> Vec<Drawn> {
    let mut random = SplitMix64::new(seed);
    let mut order = shares(weights, SEQUENCE);
    random.shuffle(&mut order);
    let drawn = order.into_iter().enumerate().map(|(place, request)| {
        let values = slots[request].iter();
        let values = values.map(|slot| {
            let value = draw(&slot.kind, rows, place, now, &mut random);
            written(&value, slot.form)
        });
        Drawn {
            request,
            values: values.collect(),
        }
    });
    drawn.collect()
}

/// `length` places shared out by weight; each request has at least one.
fn shares(weights: &[u32], length: usize) -> Vec<usize> {
    let all: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    let mut order = Vec::with_capacity(length);
    for (request, weight) in weights.iter().enumerate() {
        let share = length as f64 * f64::from(*weight) / all;
        order.resize(order.len() + (share.round() as usize).max(1), request);
    }
    order
}

fn draw(
    kind: &Kind,
    rows: &BTreeMap<String, Rows>,
    place: usize,
    now: OffsetDateTime,
    random: &mut SplitMix64,
) -> Value {
    let time = |time: OffsetDateTime| Value::from(time.format(&Rfc3339).unwrap_or_default());
    match kind {
        Kind::Integer(from, to) => {
            let width = to.abs_diff(*from).saturating_add(1);
            let width = usize::try_from(width).unwrap_or(usize::MAX);
            from.wrapping_add(random.below(width) as i64).into()
        }
        Kind::Choice(choices) => choices[random.below(choices.len())].clone().into(),
        Kind::Now(by) => time(now.replace_nanosecond(0).unwrap_or(now) + Duration::seconds(*by)),
        Kind::NowMs(by) => {
            let ms = (now + Duration::seconds(*by)).unix_timestamp_nanos() / 1_000_000;
            i64::try_from(ms).unwrap_or(i64::MAX).into()
        }
        Kind::Time(from, to) => {
            let width = usize::try_from((*to - *from).whole_seconds()).unwrap_or(0);
            let by = random.below(width + 1) as i64;
            time(*from + Duration::seconds(by))
        }
        // All values out of one file that a request has are those of one row.
        Kind::Row(name, column) => rows
            .get(name)
            .map_or(Value::Null, |rows| rows.value(place, column)),
        Kind::Counter | Kind::Uuid | Kind::Run | Kind::Env(_) | Kind::Captured(_) => Value::Null,
    }
}

/// A value in the form in which it is sent.
#[must_use]
pub fn written(value: &Value, form: Form) -> String {
    let plain = || match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    match form {
        Form::Plain => plain(),
        Form::Path => utf8_percent_encode(&plain(), IN_PATH).to_string(),
        Form::Json => value.to_string(),
        Form::String => Value::from(plain()).to_string(),
        Form::Inside => {
            let quoted = Value::from(plain()).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_kept_and_a_seed_repeats_its_sequence() {
        let slots = vec![
            vec![Slot {
                kind: Kind::Integer(1, 3),
                form: Form::Path,
            }],
            vec![],
        ];
        let now = OffsetDateTime::UNIX_EPOCH;
        let make = |seed| sequence(&[3, 1], &slots, &BTreeMap::new(), seed, now);
        let (first, again) = (make(1), make(1));
        assert_eq!(first, again);
        assert_ne!(first, make(2));
        let of = |request| first.iter().filter(|one| one.request == request).count();
        assert_eq!((of(0), of(1)), (750, 250));
        let mut values: Vec<&str> = first
            .iter()
            .flat_map(|one| &one.values)
            .map(String::as_str)
            .collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values, ["1", "2", "3"]);
        assert_eq!(
            shares(&[1000, 1], 10)
                .iter()
                .filter(|one| **one == 1)
                .count(),
            1
        );
    }

    #[test]
    fn a_value_is_written_for_its_place() {
        let text = Value::from("a \"b\"/ä");
        assert_eq!(written(&text, Form::Plain), "a \"b\"/ä");
        assert_eq!(written(&text, Form::Path), "a%20%22b%22%2F%C3%A4");
        assert_eq!(written(&text, Form::Json), "\"a \\\"b\\\"/ä\"");
        assert_eq!(written(&text, Form::Inside), "a \\\"b\\\"/ä");
        assert_eq!(written(&Value::from(7), Form::String), "\"7\"");
        assert_eq!(written(&Value::from(7), Form::Json), "7");
    }

    #[test]
    fn times_and_rows() {
        let rows = BTreeMap::new();
        let mut random = SplitMix64::new(1);
        let now = OffsetDateTime::UNIX_EPOCH;
        let mut draw = |kind| super::draw(&kind, &rows, 0, now, &mut random);
        assert_eq!(draw(Kind::Now(-3600)), "1969-12-31T23:00:00Z");
        assert_eq!(draw(Kind::NowMs(1)), 1000);
        let time = draw(Kind::Time(now, now + Duration::days(1)));
        assert!(time.as_str().unwrap().starts_with("1970-01-01T"), "{time}");
    }
}
