//! Results against docs/reference/benchmark.schema.json, by the part of JSON Schema that it uses.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../../../docs/reference/benchmark.schema.json");
    serde_json::from_str(text).unwrap()
});

/// The first thing in `value` that the schema does not allow, with its place.
pub(crate) fn fault(value: &Value) -> Option<String> {
    // Of the four shapes the one that names itself so: its fault says more than that none fits.
    let shapes = SCHEMA["oneOf"].as_array().unwrap();
    let named =
        |shape: &&Value| resolved(shape)["properties"]["schema"]["const"] == value["schema"];
    match shapes.iter().find(named) {
        Some(shape) => check(shape, value, "").err(),
        None => Some(format!("no shape is named {}", value["schema"])),
    }
}

fn resolved(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(path) => SCHEMA.pointer(path.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    }
}

fn check(schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let schema = resolved(schema);
    let wrong = |what: &str| Err(format!("{place}: {what}: {value}"));
    for (keyword, argument) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "type" => {
                let allowed = match argument {
                    Value::Array(names) => names.iter().any(|name| is(value, name)),
                    name => is(value, name),
                };
                if !allowed {
                    return wrong(&format!("not of type {argument}"));
                }
            }
            "const" if value != argument => return wrong(&format!("not {argument}")),
            "enum" if !argument.as_array().unwrap().contains(value) => {
                return wrong(&format!("none of {argument}"));
            }
            "oneOf" => {
                let fitting = |one: &&Value| check(one, value, place).is_ok();
                if argument.as_array().unwrap().iter().filter(fitting).count() != 1 {
                    return wrong("not exactly one fits");
                }
            }
            "required" => {
                for key in argument.as_array().unwrap() {
                    if value.get(key.as_str().unwrap()).is_none() {
                        return wrong(&format!("without {key}"));
                    }
                }
            }
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(argument, item, &format!("{place}/{number}"))?;
                }
            }
            "properties" | "additionalProperties" => {}
            "const" | "enum" | "description" | "title" | "$defs" | "$schema" => {}
            other => panic!("the keyword {other} is not understood here"),
        }
    }
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    for (key, inner) in value.as_object().unwrap_or(&none) {
        let place = format!("{place}/{key}");
        match (properties.get(key), &schema["additionalProperties"]) {
            (Some(its), _) => check(its, inner, &place)?,
            (None, Value::Bool(false)) => return Err(format!("{place}: not in the schema")),
            (None, Value::Null) => {}
            (None, more) => check(more, inner, &place)?,
        }
    }
    Ok(())
}

fn is(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    }
}

#[test]
fn what_does_not_fit_is_found() {
    let good = json!({"schema": "weir.benchmark-levels/1", "format": 2, "passed": true,
        "criteria": [{"what": "w", "bound": "b", "measured": "m", "met": true}], "levels": []});
    assert_eq!(fault(&good), None);
    let changed = |place: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(place).unwrap() = value;
        fault(&changed).unwrap()
    };
    assert!(changed("/schema", json!("weir.other/1")).contains("no shape"));
    assert!(changed("/format", json!(1)).contains("/format: not 2"));
    assert!(changed("/passed", json!("yes")).contains("/passed: not of type"));
    assert!(changed("/criteria/0", json!({})).contains("/criteria/0: without"));
    assert!(changed("/levels", json!([{}])).contains("/levels/0: without"));
    let mut more = good.clone();
    more["more"] = json!(1);
    assert_eq!(fault(&more).unwrap(), "/more: not in the schema");
}
