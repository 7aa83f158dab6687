//! Raw attributes: folding against merging trees, and the check against a slow reading of the same rules.

use domain::{Event, attributes};
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value};

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Exact in a double, since serde_json may read others back one unit off.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

/// Texts made of what is special in JSON, without NUL.
fn text() -> impl Strategy<Value = String> {
    const SPECIAL: &[&str] = &[
        "\"", "\\", "{", "}", "[", "]", ",", ":", "\n", "\u{1}", "e", "1e9", "é", "🚗",
    ];
    vec(prop::sample::select(SPECIAL), 0..5).prop_map(|parts| parts.concat())
}

/// Few keys, so that objects overlap.
fn object() -> impl Strategy<Value = Map<String, Value>> {
    let key = prop::sample::select(&["a", "b", "c", "\"}", " "][..]);
    vec((key.prop_map(str::to_owned), json_value()), 0..5).prop_map(Map::from_iter)
}

/// An object's text, with the white space that JSON allows.
fn object_text() -> impl Strategy<Value = (Map<String, Value>, String)> {
    (
        object(),
        any::<bool>(),
        prop::sample::select(&["", " ", "\n\t\r "][..]),
    )
        .prop_map(|(object, pretty, space)| {
            let text = if pretty {
                serde_json::to_string_pretty(&object)
            } else {
                serde_json::to_string(&object)
            };
            (object, format!("{space}{}{space}", text.unwrap()))
        })
}

fn event_with(attributes: &str) -> Result<Event, String> {
    let json = format!(
        r#"{{"eventHeader":{{"eventName":"N"}},"eventBody":{{"entities":
            [{{"entityType":"T","entityId":"1","updatedAttributes":{attributes}}}]}}}}"#
    );
    Event::from_json(json.as_bytes()).map_err(|invalid| invalid.problem().to_owned())
}

proptest! {
    #[test]
    fn folding_texts_is_merging_trees(objects in vec(object_text(), 0..6)) {
        let folded = attributes::fold(objects.iter().map(|(_, text)| text.as_str()));
        let mut merged = Map::new();
        for (object, _) in &objects {
            merged.extend(object.clone());
        }
        prop_assert_eq!(serde_json::from_str::<Map<String, Value>>(&folded).unwrap(), merged);
    }

    #[test]
    fn folding_in_steps_is_folding_at_once(objects in vec(object_text(), 0..6), cut in 0..6_usize) {
        let texts: Vec<&str> = objects.iter().map(|(_, text)| text.as_str()).collect();
        let (first, second) = texts.split_at(cut.min(texts.len()));
        let (first, second) = (attributes::fold(first.iter().copied()), attributes::fold(second.iter().copied()));
        let in_steps = attributes::fold([first.as_str(), second.as_str()]);
        prop_assert_eq!(in_steps, attributes::fold(texts.iter().copied()));
    }

    #[test]
    fn storable_attributes_pass_as_they_are((_, text) in object_text()) {
        let event = event_with(&text).unwrap();
        prop_assert_eq!(event.entities()[0].attributes(), text.trim());
    }

    #[test]
    fn unpaired_surrogates_are_found_wherever_they_are(units in vec(prop_oneof![
        Just(0x41_u16), Just(0x5c), Just(0xd7ff), 0xd800..0xe000_u16, 0xd800..0xe000_u16,
    ], 0..6)) {
        let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
        let expected = match String::from_utf16(&units) {
            Ok(_) => Ok(()),
            Err(_) => Err("must not contain lone surrogates".to_owned()),
        };
        prop_assert_eq!(event_with(&format!(r#"{{"a":["{escaped}"]}}"#)).map(drop), expected.clone());
        prop_assert_eq!(event_with(&format!(r#"{{"{escaped}":1}}"#)).map(drop), expected);
    }

    #[test]
    fn numbers_are_judged_by_their_digits_alone(
        zeros in 0..4_usize, digits in "[1-9][0-9]{0,5}", point in 0..6_usize, exponent in -16_400..-16_370_i64,
        large in 131_060..131_080_i64,
    ) {
        let fraction = format!("{}{digits}", "0".repeat(zeros));
        let fits = |fits: bool| if fits { Ok(()) } else {
            Err("must not contain a number outside the range of PostgreSQL's numeric".to_owned())
        };
        // 0.000ddd e-n has a scale of its fractional digits and n together.
        let scale = fraction.len() as i64 - exponent;
        prop_assert_eq!(event_with(&format!(r#"{{"a":0.{fraction}e{exponent}}}"#)).map(drop), fits(scale <= 16_383));
        // ddd.ddd e+n has so many digits before the point as stand there and n together.
        let (whole, rest) = digits.split_at(point.clamp(1, digits.len()));
        let number = if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") };
        let integer_digits = whole.len() as i64 + large;
        prop_assert_eq!(
            event_with(&format!(r#"{{"a":[-{number}E+{large}]}}"#)).map(drop),
            fits(integer_digits <= 131_072)
        );
    }
}

#[test]
fn numbers_written_out_are_counted_too() {
    for (number, fits) in [
        ("9".repeat(131_072), true),
        ("9".repeat(131_073), false),
        (format!("0.{}", "0".repeat(16_383)), true),
        (format!("0.{}", "0".repeat(16_384)), false),
        (format!("1{}.5", "0".repeat(131_071)), true),
        (format!("1{}.5", "0".repeat(131_072)), false),
        (
            format!("0.{}1e{}", "0".repeat(20_000), 20_000 - 16_382),
            true,
        ),
        (
            format!("0.{}1e{}", "0".repeat(20_000), 20_000 - 16_383),
            false,
        ),
        ("0e1073741822".to_owned(), true),
        ("0e1073741823".to_owned(), false),
        ("0e-16383".to_owned(), true),
        ("0e00000000000000000000000005".to_owned(), true),
    ] {
        assert_eq!(
            event_with(&format!(r#"{{"a":{number}}}"#)).is_ok(),
            fits,
            "{number:.40}"
        );
    }
}

#[test]
fn folding_keeps_order_and_leaves_no_stray_commas() {
    for (objects, expected) in [
        (&[][..], "{}"),
        (&["{}", " { } ", "{\n}"], "{}"),
        (
            &["{}", r#" { "a" : {} } "#, "{ }", r#"{"b":[],"a":2}"#],
            r#"{"a" : {},"b":[],"a":2}"#,
        ),
    ] {
        assert_eq!(attributes::fold(objects.iter().copied()), expected);
    }
}
