//! One list of cases through both faces: same verdict, same words.

use serde_json::Value;
use testkit::http::Response;
use tonic::{Code, Status};

use crate::support::{Fixture, get_balance, get_balances};

/// What both faces are compared by: the code that gRPC has for it, and the message.
type Refusal = Option<(Code, String)>;

fn over_rest(answer: &Response) -> Refusal {
    let code = match answer.status {
        200 => return None,
        400 => Code::InvalidArgument,
        404 => Code::NotFound,
        503 => Code::Unavailable,
        other => panic!("{other}: {}", answer.text()),
    };
    let body = answer.json();
    assert_eq!(body["success"], Value::Bool(false));
    let error = body["error"].as_str().unwrap();
    assert_eq!(
        error,
        match code {
            Code::InvalidArgument => "invalid_argument",
            Code::NotFound => "not_found",
            _ => "unavailable",
        }
    );
    assert_eq!(
        answer.header("retry-after").is_some(),
        code == Code::Unavailable
    );
    Some((code, body["message"].as_str().unwrap().to_owned()))
}

fn over_grpc<T>(answer: Result<T, Status>) -> Refusal {
    answer
        .err()
        .map(|status| (status.code(), status.message().to_owned()))
}

fn encoded(id: &str) -> String {
    id.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn expected(code: Code, message: &str) -> Refusal {
    Some((code, message.to_owned()))
}

#[tokio::test]
async fn one_account() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let (longest, too_long) = ("ü".repeat(255), "ü".repeat(256));
    for (id, refusal) in [
        ("a", None),
        (
            "nobody",
            expected(Code::NotFound, "no such account: nobody"),
        ),
        ("a ", expected(Code::NotFound, "no such account: a ")),
        (
            "\"\\\n/",
            expected(Code::NotFound, "no such account: \"\\\n/"),
        ),
        (
            &longest,
            expected(Code::NotFound, &format!("no such account: {longest}")),
        ),
        ("", expected(Code::InvalidArgument, "id must not be empty")),
        (
            &too_long,
            expected(Code::InvalidArgument, "id must be at most 255 characters"),
        ),
        (
            "a\0",
            expected(Code::InvalidArgument, "id must not contain NUL characters"),
        ),
    ] {
        let path = format!("/api/v1/accounts/{}/balance", encoded(id));
        assert_eq!(over_rest(&fixture.get(&path).await), refusal, "{id}");
        assert_eq!(
            over_grpc(get_balance(&mut client, id).await),
            refusal,
            "{id}"
        );
    }
}

#[tokio::test]
async fn several_accounts() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let many = vec!["0.0.100000"; 1001];
    let too_long = "a".repeat(256);
    for (ids, message) in [
        (&["a", "b", "a"][..], None),
        (&["nobody"], None),
        (&many[..1000], None),
        (&many, Some("ids must hold 1 to 1000 account ids")),
        (&[], Some("ids must hold 1 to 1000 account ids")),
        (&["", ""], Some("ids[0] must not be empty")),
        (&["a", ""], Some("ids[1] must not be empty")),
        (
            &["a", "b", &too_long, ""],
            Some("ids[2] must be at most 255 characters"),
        ),
        (
            &["a\0", "b"],
            Some("ids[0] must not contain NUL characters"),
        ),
    ] {
        let refusal = message.and_then(|message| expected(Code::InvalidArgument, message));
        let list: Vec<String> = if ids.len() > 10 {
            ids.iter().map(|&id| id.to_owned()).collect()
        } else {
            ids.iter().map(|id| encoded(id)).collect()
        };
        let path = format!("/api/v1/balances?ids={}", list.join(","));
        assert_eq!(over_rest(&fixture.get(&path).await), refusal, "{ids:.3?}");
        assert_eq!(
            over_grpc(get_balances(&mut client, ids).await),
            refusal,
            "{ids:.3?}"
        );
    }
}

#[tokio::test]
async fn parameters_and_encodings_that_only_rest_has() {
    let fixture = Fixture::start().await;
    for (path, message) in [
        ("/api/v1/balances", "ids must hold 1 to 1000 account ids"),
        (
            "/api/v1/accounts/balances?ids=a&limit=1",
            "limit is no query parameter of this path",
        ),
        ("/api/v1/balances?ids=a&ids=b", "ids must be given once"),
        ("/api/v1/balances?ids=%FF", "ids is not UTF-8"),
        (
            "/api/v1/balances?ids=%F",
            "ids has a % without two hexadecimal digits",
        ),
        (
            "/api/v1/accounts/a/balance?ids=a",
            "ids is no query parameter of this path",
        ),
        ("/api/v1/accounts/%FF/balance", "id is not UTF-8"),
        (
            "/api/v1/accounts/%zz/balance",
            "id has a % without two hexadecimal digits",
        ),
        ("/api/v1/accounts//balance", "id must not be empty"),
    ] {
        assert_eq!(
            over_rest(&fixture.get(path).await),
            expected(Code::InvalidArgument, message),
            "{path}"
        );
    }
}
