//! The calls of a proto file.

use protox::prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use toml::{Table, Value};

use super::{Draft, Request, sample};
use crate::proto::Described;
use crate::requests::{Proto, Protocol};

/// How deep messages are followed: they may hold themselves.
const DEPTH: usize = 4;

/// A draft of a proto file; `named` and `include` are as `weir.toml` names them.
///
/// # Errors
/// The file does not compile, or has no call that can be measured.
pub fn draft(proto: &Proto, named: &str, include: &[String]) -> Result<Draft, String> {
    let described = Described::read(proto)?;
    let calls = described.calls();
    // What a client streams cannot be written in one message.
    let calls = calls
        .into_iter()
        .filter(|(_, method)| !method.is_client_streaming());
    let requests: Vec<Request> = calls
        .map(|(call, method)| {
            let mut keys = vec![
                ("call", Value::from(call)),
                ("message", message(&method.input(), DEPTH)),
            ];
            if method.is_server_streaming() {
                keys.push(("stream", Value::from(true)));
            }
            Request {
                about: String::new(),
                changes: !reads(method.name()),
                keys,
            }
        })
        .collect();
    if requests.is_empty() {
        return Err("has no call that takes one message".into());
    }
    Ok(Draft {
        targets: vec![("first".into(), "http://127.0.0.1:50051".into())],
        protocol: Some(Protocol::Grpc),
        proto: Some(named.into()),
        include: include.to_vec(),
        requests,
        ..Draft::default()
    })
}

/// Whether a call of this name most likely changes nothing.
fn reads(name: &str) -> bool {
    const CHANGES: [&str; 12] = [
        "Create", "Update", "Delete", "Put", "Set", "Add", "Remove", "Insert", "Write", "Append",
        "Produce", "Commit",
    ];
    !CHANGES.iter().any(|word| name.starts_with(word))
}

fn message(message: &MessageDescriptor, depth: usize) -> Value {
    match message.full_name() {
        "google.protobuf.Timestamp" => return Value::from("{{now}}"),
        "google.protobuf.Duration" => return Value::from("1s"),
        _ => {}
    }
    let mut table = Table::new();
    for field in message.fields() {
        // Of a oneof the first alone; of what may be left out, nothing.
        let first = |field: &FieldDescriptor| {
            field
                .containing_oneof()
                .is_none_or(|oneof| oneof.fields().next().as_ref() == Some(field))
        };
        if depth == 0 || !first(&field) || field.is_map() {
            continue;
        }
        let value = one(&field, depth);
        let value = if field.is_list() {
            Value::Array(vec![value])
        } else {
            value
        };
        table.insert(field.json_name().to_owned(), value);
    }
    Value::Table(table)
}

fn one(field: &FieldDescriptor, depth: usize) -> Value {
    match field.kind() {
        Kind::Bool => Value::from(true),
        Kind::Float | Kind::Double => Value::from(1.5),
        Kind::String => sample::text(field.name(), ""),
        Kind::Bytes => Value::from("d2Vpcg=="),
        Kind::Message(inner) => message(&inner, depth - 1),
        Kind::Enum(choices) => {
            let mut names = choices.values().map(|value| value.name().to_owned());
            let first = names.next().unwrap_or_default();
            Value::from(names.next().unwrap_or(first))
        }
        _ => sample::integer(None, None),
    }
}
