//! Folds the entity updates of a batch into rows for one upsert.

use std::borrow::Cow;

use domain::EntityUpdate;

/// What one upsert writes: three columns of equal length, sorted by (entity type, entity id), each key once.
///
/// Sorted, because PostgreSQL locks the rows of a multi-row upsert in the order given: two writers that lock in
/// one order cannot deadlock. Each key once, because ON CONFLICT DO UPDATE cannot touch a row twice.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rows<'a> {
    pub(crate) entity_types: Vec<&'a str>,
    pub(crate) entity_ids: Vec<&'a str>,
    /// JSON objects as text.
    pub(crate) attributes: Vec<Cow<'a, str>>,
}

/// Folds updates, given in arrival order, so that of one top-level key the last one counts.
pub(crate) fn fold<'a>(updates: impl Iterator<Item = &'a EntityUpdate>) -> Rows<'a> {
    let mut updates: Vec<&EntityUpdate> = updates.collect();
    // stable: updates of one entity keep their arrival order
    updates.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut rows = Rows {
        entity_types: Vec::with_capacity(updates.len()),
        entity_ids: Vec::with_capacity(updates.len()),
        attributes: Vec::with_capacity(updates.len()),
    };
    for same_entity in updates.chunk_by(|a, b| key(a) == key(b)) {
        let first = same_entity[0];
        rows.entity_types.push(first.entity_type());
        rows.entity_ids.push(first.entity_id());
        rows.attributes.push(match same_entity {
            [one] => Cow::Borrowed(one.attributes()),
            many => Cow::Owned(domain::attributes::fold(
                many.iter().map(|update| update.attributes()),
            )),
        });
    }
    rows
}

fn key(update: &EntityUpdate) -> (&str, &str) {
    (update.entity_type(), update.entity_id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Event;

    fn event(entities: &[(&str, &str, &str)]) -> Event {
        let entities: Vec<String> = entities
            .iter()
            .map(|(kind, id, attributes)| {
                format!(r#"{{"entityType":"{kind}","entityId":"{id}","updatedAttributes":{attributes}}}"#)
            })
            .collect();
        let text = format!(
            r#"{{"eventHeader":{{"eventName":"Test"}},"eventBody":{{"entities":[{}]}}}}"#,
            entities.join(",")
        );
        Event::from_json(text.as_bytes()).expect("a valid event")
    }

    #[test]
    fn sorts_by_type_then_id_and_keeps_each_key_once() {
        let events = [
            event(&[("Loan", "b", r#"{"n":1}"#), ("Car", "z", r#"{"n":2}"#)]),
            event(&[("Loan", "a", r#"{"n":3}"#)]),
            event(&[("Car", "z", r#"{"n":4,"m":5}"#)]),
        ];
        let rows = fold(events.iter().flat_map(Event::entities));
        assert_eq!(rows.entity_types, ["Car", "Loan", "Loan"]);
        assert_eq!(rows.entity_ids, ["z", "a", "b"]);
        assert_eq!(
            rows.attributes,
            [r#"{"n":2,"n":4,"m":5}"#, r#"{"n":3}"#, r#"{"n":1}"#]
        );
    }

    #[test]
    fn an_entity_named_twice_in_one_event_is_folded_in_order() {
        let event = event(&[
            ("Car", "a", r#"{"n":1}"#),
            ("Car", "a", "{}"),
            ("Car", "a", r#"{"n":2}"#),
        ]);
        let rows = fold(event.entities().iter());
        assert_eq!(rows.entity_ids, ["a"]);
        let folded: serde_json::Value = serde_json::from_str(&rows.attributes[0]).expect("JSON");
        assert_eq!(folded, serde_json::json!({"n": 2}));
    }

    #[test]
    fn a_single_update_is_not_copied() {
        let event = event(&[("Car", "a", r#"{"n":1}"#)]);
        let rows = fold(event.entities().iter());
        assert!(matches!(rows.attributes[0], Cow::Borrowed(_)));
    }
}
