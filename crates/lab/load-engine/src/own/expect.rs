//! What an answer must be, and what later steps need of it. The words of a failure name what is wrong and no values, so that
//! failures can be counted by their kind.

use std::collections::BTreeMap;
use std::time::Duration;

use lab_project::requests::Step;
use serde_json::Value;

use crate::protocol::Incoming;

/// Whether anybody looks into the body as JSON.
pub(super) fn looks_into_body(step: &Step) -> bool {
    let pointers = step.capture.iter().any(|one| one.header.is_empty());
    let is_call = step.method.is_empty();
    !step.expect.json.is_empty() || pointers || (is_call && step.expect.contains.is_some())
}

/// Says what is wrong with an answer that took `took`; `json` is its body where somebody looks into it.
///
/// # Errors
/// What is wrong, in a few words.
pub(super) fn wrong(
    step: &Step,
    answer: &Incoming<'_>,
    json: Option<&Value>,
    took: Duration,
) -> Result<(), String> {
    let expect = &step.expect;
    let status = answer.status;
    if expect.status.is_empty() {
        if status != u16::from(expect.code) {
            return Err(format!("code {status}"));
        }
    } else if !expect
        .status
        .iter()
        .any(|(from, to)| (*from..=*to).contains(&status))
    {
        return Err(format!("status {status}"));
    }
    for (name, value) in &expect.headers {
        match answer.headers.get(name) {
            Some(found) if value == "*" || found == *value => {}
            Some(_) => return Err(format!("another value of header {name}")),
            None => return Err(format!("no header {name}")),
        }
    }
    for (pointer, value) in &expect.json {
        match json.and_then(|json| json.pointer(pointer)) {
            Some(found) if same(found, value) => {}
            Some(_) => return Err(format!("another value at {pointer}")),
            None => return Err(format!("nothing at {pointer}")),
        }
    }
    if let Some(text) = &expect.contains {
        // A gRPC message is searched as JSON, in which its texts stand as they are.
        let holds = match json {
            Some(json) if step.method.is_empty() => json.to_string().contains(text),
            _ => memchr::memmem::find(answer.body, text.as_bytes()).is_some(),
        };
        if !holds {
            return Err("the body does not contain the text".into());
        }
    }
    if answer.messages < expect.messages {
        return Err("too few messages".into());
    }
    let ms = took.as_secs_f64() * 1000.0;
    if expect.within_ms.is_some_and(|within| ms > within) {
        return Err("slower than expected".into());
    }
    if ms > step.timeout_ms as f64 {
        return Err("timeout".into());
    }
    Ok(())
}

/// Whether two values are the same; numbers are, whether or not they are written with a fraction.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) => {
            found == expected || found.as_f64() == expected.as_f64()
        }
        (Value::Array(found), Value::Array(expected)) => {
            let pairs = || found.iter().zip(expected);
            found.len() == expected.len() && pairs().all(|(a, b)| same(a, b))
        }
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && expected
                    .iter()
                    .all(|(key, value)| found.get(key).is_some_and(|other| same(other, value)))
        }
        (found, expected) => found == expected,
    }
}

/// Keeps what later steps need.
///
/// # Errors
/// It is not there.
pub(super) fn captured(
    step: &Step,
    answer: &Incoming<'_>,
    json: Option<&Value>,
    captured: &mut BTreeMap<String, Value>,
) -> Result<(), String> {
    for capture in &step.capture {
        let value = if capture.header.is_empty() {
            let found = json.and_then(|json| json.pointer(&capture.pointer));
            found
                .cloned()
                .ok_or_else(|| format!("nothing at {}", capture.pointer))?
        } else {
            let found = answer.headers.get(&capture.header);
            found
                .map(Value::from)
                .ok_or_else(|| format!("no header {}", capture.header))?
        };
        captured.insert(capture.name.clone(), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use lab_project::requests::Expect;
    use serde_json::json;

    use super::*;
    use crate::own::tests::step;
    use crate::protocol::Headers;

    #[test]
    fn every_expectation_can_fail() {
        let good = Expect {
            status: vec![(200, 299)],
            headers: vec![("etag".into(), "*".into()), ("x".into(), "1".into())],
            json: vec![("/a".into(), json!(1.0)), ("/b".into(), json!([1]))],
            contains: Some("\"a\"".into()),
            within_ms: Some(50.0),
            ..Expect::default()
        };
        let body = br#"{"a":1,"b":[1]}"#;
        let head = b"HTTP/1.1 200 OK\r\nETag: 7\r\nX: 1\r\n\r\n";
        let judged = |expect: Expect, status: u16, took_ms: u64| {
            let mut step = step("GET", Vec::new());
            step.expect = expect;
            let answer = Incoming {
                status,
                headers: Headers::Lines(head),
                body,
                messages: 1,
            };
            let json = serde_json::from_slice(body).ok();
            wrong(
                &step,
                &answer,
                json.as_ref(),
                Duration::from_millis(took_ms),
            )
        };
        assert_eq!(judged(good.clone(), 204, 1), Ok(()));
        assert_eq!(judged(good.clone(), 301, 1), Err("status 301".into()));
        assert_eq!(
            judged(good.clone(), 200, 51),
            Err("slower than expected".into())
        );
        let changed = |change: fn(&mut Expect)| {
            let mut expect = good.clone();
            change(&mut expect);
            judged(expect, 200, 1).unwrap_err()
        };
        assert_eq!(
            changed(|e| e.headers[1].1 = "2".into()),
            "another value of header x"
        );
        assert_eq!(changed(|e| e.headers[1].0 = "y".into()), "no header y");
        assert_eq!(changed(|e| e.json[0].1 = json!(2)), "another value at /a");
        assert_eq!(changed(|e| e.json[1].0 = "/c".into()), "nothing at /c");
        assert_eq!(
            changed(|e| e.contains = Some("z".into())),
            "the body does not contain the text"
        );
        assert_eq!(changed(|e| e.messages = 2), "too few messages");
        let patient = Expect {
            within_ms: None,
            ..good.clone()
        };
        assert_eq!(judged(patient, 200, 1001), Err("timeout".into()));
    }
}
