//! The bulk array.

use domain::{BulkElement, parse_bulk};

#[test]
fn elements_are_split_and_may_be_anything() {
    let body = br#" [ {"eventHeader": {"eventName":"N"}, "eventBody":{"entities":[{"entityType":"T","entityId":"1"}]}} ,
        5, null, [], {"a":"\ud800"}, 1e400, "]" ] "#;
    let elements = parse_bulk(body).unwrap();
    let messages: Vec<String> = elements
        .into_iter()
        .map(|element| {
            element
                .event()
                .map_or_else(|e| e.to_string(), |_| "ok".to_owned())
        })
        .collect();
    let no_object = "the event must be a JSON object";
    assert_eq!(
        messages,
        [
            "ok",
            no_object,
            no_object,
            no_object,
            "eventHeader is required",
            no_object,
            no_object
        ]
    );
}

#[test]
fn a_body_that_is_no_list_of_events_is_refused() {
    for (body, message) in [
        (
            &b""[..],
            "the body is not valid JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            b"[{}",
            "the body is not valid JSON: EOF while parsing a list at line 1 column 3",
        ),
        (
            b"[{},]",
            "the body is not valid JSON: expected value at line 1 column 5",
        ),
        (
            b"[{}] x",
            "the body is not valid JSON: trailing characters at line 1 column 6",
        ),
        (
            b"[\"\xff\"]",
            "the body is not valid JSON: invalid UTF-8 at line 1 column 3",
        ),
        (b"{}", "the body must be a JSON array"),
        (b"null", "the body must be a JSON array"),
        (b"1e400", "the body must be a JSON array"),
        (b"\"x\"", "the body must be a JSON array"),
        (b" [ ] ", "the body must contain at least one event"),
    ] {
        let invalid = parse_bulk(body).unwrap_err();
        assert_eq!(
            invalid.to_string(),
            message,
            "{:?}",
            String::from_utf8_lossy(body)
        );
    }
}

#[test]
fn deep_elements_are_split_without_recursion() {
    let body = format!("[{}{}, 1]", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(parse_bulk(body.as_bytes()).unwrap().len(), 2);
}

#[test]
fn each_element_has_the_length_of_its_own_text_and_its_own_faults() {
    let surrogate = r#"{"eventHeader":{"eventName":"N"},"eventBody":{"entities":[{"entityType":"T","entityId":"1"}]},"x":"\ud800"}"#;
    let good = surrogate.replace(r"\ud800", "y");
    let body = format!(" [{surrogate} , {good},\t7 ]");
    let elements = parse_bulk(body.as_bytes()).unwrap();
    let bytes: Vec<usize> = elements.iter().map(BulkElement::bytes).collect();
    assert_eq!(bytes, [surrogate.len(), good.len(), 1]);
    let faulty: Vec<bool> = elements
        .into_iter()
        .map(|element| element.event().is_err())
        .collect();
    assert_eq!(faulty, [true, false, true]);
}
