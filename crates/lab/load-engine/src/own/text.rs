//! Texts out of their parts, as they are at the moment of sending.

use std::collections::BTreeMap;

use lab_project::draw::written;
use lab_project::requests::{Fill, Form, Part};
use lab_verdict::random::SplitMix64;
use serde_json::Value;

/// What only the moment of sending knows.
pub(super) struct Moment<'a> {
    /// `{{counter}}` of this request and its steps.
    pub(super) counter: u64,
    /// `{{run}}`.
    pub(super) run: &'a str,
    /// `{{env NAME}}`.
    pub(super) variables: &'a BTreeMap<String, String>,
    /// What earlier steps have captured.
    pub(super) captured: &'a BTreeMap<String, Value>,
    /// Where random UUIDs come from.
    pub(super) random: &'a mut SplitMix64,
}

/// The text; `values` are those that were drawn for this request.
pub(super) fn joined(parts: &[Part], values: &[String], moment: &mut Moment<'_>) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(piece) => text += piece,
            Part::Drawn { v } => text += values.get(*v).map_or("", String::as_str),
            Part::Filled { fill, name, r#as } => text += &moment.filled(*fill, name, *r#as),
        }
    }
    text
}

impl Moment<'_> {
    fn filled(&mut self, fill: Fill, name: &str, form: Form) -> String {
        let value = match fill {
            Fill::Counter => self.counter.into(),
            Fill::Uuid => self.uuid().into(),
            Fill::Run => self.run.into(),
            Fill::Env => self.variables.get(name).cloned().unwrap_or_default().into(),
            Fill::Captured => self.captured.get(name).cloned().unwrap_or_default(),
        };
        written(&value, form)
    }

    fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.random.next_u64().to_be_bytes());
        bytes[8..].copy_from_slice(&self.random.next_u64().to_be_bytes());
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_at_the_moment_is_filled_in_in_its_form() {
        let variables = BTreeMap::from([("T".to_owned(), "a\"b".to_owned())]);
        let captured = BTreeMap::from([("id".to_owned(), Value::from(7))]);
        let mut random = SplitMix64::new(1);
        let mut moment = Moment {
            counter: 5,
            run: "r",
            variables: &variables,
            captured: &captured,
            random: &mut random,
        };
        let filled = |fill, name: &str, form| Part::Filled {
            fill,
            name: name.into(),
            r#as: form,
        };
        let parts = [
            Part::Drawn { v: 1 },
            filled(Fill::Counter, "", Form::Json),
            filled(Fill::Run, "", Form::String),
            filled(Fill::Env, "T", Form::Inside),
            filled(Fill::Captured, "id", Form::Json),
        ];
        let values = ["x".to_owned(), "y".to_owned()];
        assert_eq!(joined(&parts, &values, &mut moment), "y5\"r\"a\\\"b7");
        let uuid = [filled(Fill::Uuid, "", Form::Plain)];
        let first = joined(&uuid, &[], &mut moment);
        assert_ne!(first, joined(&uuid, &[], &mut moment));
        assert_eq!(uuid::Uuid::parse_str(&first).unwrap().get_version_num(), 4);
    }
}
