//! Values of TOML as JSON text with templates in it.

use crate::requests::Form;
use crate::template::{Piece, Template, Value};

/// A piece of a text, and in which form its value is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Shaped {
    /// As it stands.
    Text(String),
    /// A value in its form.
    Value(Value, Form),
}

/// A template whose values all have one form.
#[must_use]
pub fn shaped(template: Template, form: Form) -> Vec<Shaped> {
    let shape = |piece| match piece {
        Piece::Text(text) => Shaped::Text(text),
        Piece::Value(value) => Shaped::Value(value, form),
    };
    template.pieces.into_iter().map(shape).collect()
}

/// A TOML value as JSON. A string that is one value and nothing else becomes that value: a number stays a number.
///
/// # Errors
/// A template in it is wrong.
pub fn json(value: &toml::Value) -> Result<Vec<Shaped>, String> {
    let mut out = Vec::new();
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &toml::Value, out: &mut Vec<Shaped>) -> Result<(), String> {
    match value {
        toml::Value::String(text) => string(text, out)?,
        toml::Value::Array(items) => {
            push(out, "[");
            for (index, item) in items.iter().enumerate() {
                push(out, if index > 0 { "," } else { "" });
                write(item, out)?;
            }
            push(out, "]");
        }
        toml::Value::Table(table) => {
            push(out, "{");
            for (index, (key, item)) in table.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                push(out, &format!("{comma}{}:", quoted(key)));
                write(item, out)?;
            }
            push(out, "}");
        }
        toml::Value::Datetime(time) => push(out, &quoted(&time.to_string())),
        toml::Value::Float(number) if !number.is_finite() => {
            return Err(format!("{number} is no number in JSON"));
        }
        toml::Value::Float(number) => push(out, &serde_json::Value::from(*number).to_string()),
        toml::Value::Integer(number) => push(out, &number.to_string()),
        toml::Value::Boolean(truth) => push(out, &truth.to_string()),
    }
    Ok(())
}

fn string(text: &str, out: &mut Vec<Shaped>) -> Result<(), String> {
    let template = Template::parse(text)?;
    if let [Piece::Value(value)] = &template.pieces[..] {
        let form = if value.text { Form::String } else { Form::Json };
        out.push(Shaped::Value(value.clone(), form));
        return Ok(());
    }
    push(out, "\"");
    for piece in template.pieces {
        match piece {
            Piece::Text(text) => {
                let quoted = quoted(&text);
                push(out, &quoted[1..quoted.len() - 1]);
            }
            Piece::Value(value) => out.push(Shaped::Value(value, Form::Inside)),
        }
    }
    push(out, "\"");
    Ok(())
}

fn push(out: &mut Vec<Shaped>, text: &str) {
    match out.last_mut() {
        Some(Shaped::Text(before)) => before.push_str(text),
        _ if text.is_empty() => {}
        _ => out.push(Shaped::Text(text.into())),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Kind;

    #[test]
    fn a_value_alone_keeps_its_type_and_text_around_it_makes_it_text() {
        let table: toml::Table = toml::from_str(
            "id = '{{counter}}'\nname = 'a \"b\" {{uuid}}'\nlist = [1, 2.5, true]\ntext = '{{counter | text}}'",
        )
        .unwrap();
        let shaped = json(&toml::Value::Table(table)).unwrap();
        let mut forms = Vec::new();
        let text: String = shaped
            .iter()
            .map(|piece| match piece {
                Shaped::Text(text) => text.clone(),
                Shaped::Value(value, form) => {
                    forms.push(*form);
                    if value.kind == Kind::Counter {
                        "7".into()
                    } else {
                        "u".to_owned()
                    }
                }
            })
            .collect();
        assert_eq!(
            text,
            r#"{"id":7,"list":[1,2.5,true],"name":"a \"b\" u","text":7}"#
        );
        assert_eq!(forms, [Form::Json, Form::Inside, Form::String]);
        assert!(json(&toml::Value::String("{{nope nope}}".into())).is_err());
    }
}
