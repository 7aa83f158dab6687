//! What a program writes as JSON against a JSON Schema of the repository, by the part of JSON Schema that those use.
//!
//! A keyword that is not understood is a panic, so that no schema says more than is checked.

use serde_json::{Map, Value};

/// A JSON Schema.
#[derive(Clone, Debug)]
pub struct Schema(Value);

impl Schema {
    /// Reads it from the text of its file.
    ///
    /// # Panics
    /// The text is no JSON.
    pub fn new(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    /// The first thing in `value` that the schema does not allow, with its place.
    pub fn fault(&self, value: &Value) -> Option<String> {
        self.check(&self.0, value, "").err()
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(path) => self.0.pointer(path.strip_prefix('#').unwrap()).unwrap(),
            None => schema,
        }
    }

    fn check(&self, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
        let schema = self.resolved(schema);
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
                "oneOf" => self.one_of(argument.as_array().unwrap(), value, place)?,
                "required" => {
                    for key in argument.as_array().unwrap() {
                        if value.get(key.as_str().unwrap()).is_none() {
                            return wrong(&format!("without {key}"));
                        }
                    }
                }
                "items" => {
                    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(argument, item, &format!("{place}/{number}"))?;
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
                (Some(its), _) => self.check(its, inner, &place)?,
                (None, Value::Bool(false)) => return Err(format!("{place}: not in the schema")),
                (None, Value::Null) => {}
                (None, more) => self.check(more, inner, &place)?,
            }
        }
        Ok(())
    }

    /// Exactly one of the shapes fits. Where none does, the fault is that of the one that could be meant.
    fn one_of(&self, shapes: &[Value], value: &Value, place: &str) -> Result<(), String> {
        let faults: Vec<_> = shapes
            .iter()
            .map(|shape| (shape, self.check(shape, value, place)))
            .collect();
        match faults.iter().filter(|(_, fault)| fault.is_ok()).count() {
            1 => Ok(()),
            0 => {
                let mut meant = faults
                    .into_iter()
                    .filter(|(shape, _)| self.could_be(shape, value));
                match (meant.next(), meant.next()) {
                    (Some((_, fault)), None) => fault,
                    _ => Err(format!("{place}: no shape of oneOf fits: {value}")),
                }
            }
            _ => Err(format!(
                "{place}: more than one shape of oneOf fits: {value}"
            )),
        }
    }

    /// Not null, and named as the value names itself where the shape has a name.
    fn could_be(&self, shape: &Value, value: &Value) -> bool {
        let shape = self.resolved(shape);
        let properties = shape["properties"].as_object().into_iter().flatten();
        let mut names = properties.filter(|(_, its)| its["const"].is_string());
        shape["type"] != "null" && names.all(|(key, its)| its["const"] == value[key])
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_found() {
        let schema = Schema::new(
            r##"{"type": "object", "required": ["kind"], "additionalProperties": false,
                "properties": {"kind": {"enum": ["a", "b"]}, "of": {"oneOf": [{"$ref": "#/$defs/of"}, {"type": "null"}]}},
                "$defs": {"of": {"type": "array", "items": {"type": ["integer", "null"]}}}}"##,
        );
        let fault = |value: Value| schema.fault(&value);
        assert_eq!(fault(json!({"kind": "a"})), None);
        assert_eq!(fault(json!({"kind": "b", "of": null})), None);
        assert_eq!(fault(json!({"kind": "b", "of": [1, null]})), None);
        let found = |value: Value| fault(value).unwrap();
        assert!(found(json!({"kind": "a", "of": 1})).starts_with("/of: not of type"));
        assert!(found(json!({})).contains("without \"kind\""));
        assert!(found(json!({"kind": "c"})).starts_with("/kind: none of"));
        assert!(found(json!({"kind": "a", "of": [1.5]})).starts_with("/of/0: not of type"));
        assert_eq!(
            found(json!({"kind": "a", "more": 1})),
            "/more: not in the schema"
        );
    }
}
