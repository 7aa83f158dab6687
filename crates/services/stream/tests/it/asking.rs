//! One list of cases through both faces: same verdict, same words, same events.

use api::benchmark::StreamRequest;
use testkit::http;
use tonic::Code;

use crate::client::{Event, Grpc, Http, Sse, request};
use crate::support::{Fixture, ids, insert_row, numbered};

/// A request as REST and as gRPC have it.
struct Case {
    query: &'static str,
    last_event_id: Option<&'static str>,
    request: StreamRequest,
}

fn case(query: &'static str, request: StreamRequest) -> Case {
    Case {
        query,
        last_event_id: None,
        request,
    }
}

fn since(text: &str) -> StreamRequest {
    StreamRequest {
        since_timestamp: text.into(),
        limit: 3,
        ..Default::default()
    }
}

/// Without the time of sending, which differs.
fn content(events: Vec<Event>) -> Vec<Event> {
    let timeless = |event| Event {
        emitted_at_us: 0,
        ..event
    };
    events.into_iter().map(timeless).collect()
}

#[tokio::test]
async fn what_is_right_gives_the_same_events() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    for n in 1..=9 {
        let timestamp = format!("2026-01-01T00:00:0{n}.5Z");
        let (from, to) = (format!("a{}", n % 3), format!("b{}", n % 2));
        insert_row(&writer, &n.to_string(), &from, &to, &timestamp).await;
    }
    numbered(&writer, 9).await;
    let account = |account: &str| StreamRequest {
        filter_account: account.into(),
        ..since("2026-01-01T00:00:00Z")
    };
    let cases = [
        (
            case(
                "since=2026-01-01T00:00:03Z&limit=3",
                since("2026-01-01T00:00:03Z"),
            ),
            &["3", "4", "5"][..],
        ),
        (
            case(
                "since=2026-01-01t02:00:03.5%2b02:00&limit=3",
                since("2026-01-01t02:00:03.5+02:00"),
            ),
            &["3", "4", "5"],
        ),
        (
            case(
                "since=2026-01-01T00:00:00Z&account=a0&limit=3",
                account("a0"),
            ),
            &["3", "6", "9"],
        ),
        (
            case(
                "account=b1&limit=3&since=2026-01-01T00:00:00Z&rate=1000",
                StreamRequest {
                    rate_limit: 1000,
                    ..account("b1")
                },
            ),
            &["1", "3", "5"],
        ),
        (
            Case {
                query: "since=2026-01-01T00:00:01Z&account=b0&limit=2&rate=0",
                last_event_id: Some("4"),
                request: StreamRequest {
                    since_timestamp: "2026-01-01T00:00:01Z".into(),
                    filter_account: "b0".into(),
                    after_sequence: 4,
                    limit: 2,
                    ..Default::default()
                },
            },
            &["6", "8"],
        ),
    ];
    for (case, expected) in cases {
        let address = fixture.service.http();
        let over_sse = Sse::open_with(address, case.query, case.last_event_id, Http::One).await;
        let over_sse = content(over_sse.rest().await);
        let over_grpc = content(fixture.grpc(case.request).await.rest().await);
        assert_eq!(over_sse, over_grpc, "{}", case.query);
        assert_eq!(ids(&over_sse), expected, "{}", case.query);
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_in_the_same_words() {
    let fixture = Fixture::start().await;
    let long = "ü".repeat(256);
    let with_account = |account: &str| StreamRequest {
        filter_account: account.into(),
        ..Default::default()
    };
    let with_rate = |rate_limit: i32| StreamRequest {
        rate_limit,
        ..Default::default()
    };
    let times = [
        "yesterday",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "1767225600000",
    ];
    let mut cases: Vec<(String, StreamRequest)> = times
        .iter()
        .map(|time| (format!("since={time}"), since(time)))
        .collect();
    cases.extend([
        (
            format!("account={}", "%C3%BC".repeat(256)),
            with_account(&long),
        ),
        ("account=%00".into(), with_account("\0")),
        ("rate=-1".into(), with_rate(-1)),
        ("rate=-2147483648".into(), with_rate(i32::MIN)),
        // The first fault in the order of the parameters.
        (
            "account=%00&rate=-1&since=x".into(),
            StreamRequest {
                rate_limit: -1,
                filter_account: "\0".into(),
                since_timestamp: "x".into(),
                ..Default::default()
            },
        ),
    ]);
    for (query, asked) in cases {
        let path = format!("/api/v1/transactions/stream?{query}");
        let response = http::get(fixture.service.http(), &path).await;
        assert_eq!(response.status, 400, "{query}");
        let body = response.json();
        assert_eq!(body["error"], "invalid_argument");
        let refused = Grpc::try_open(fixture.service.grpc(), asked).await;
        let status = refused.err().expect("no stream");
        assert_eq!(status.code(), Code::InvalidArgument, "{query}");
        // Each face has names of its own for the parameters.
        let told = status
            .message()
            .replace("since_timestamp", "since")
            .replace("rate_limit", "rate")
            .replace("filter_account", "account");
        assert_eq!(body["message"], told, "{query}");
    }
}

#[tokio::test]
async fn unknown_and_repeated_parameters_are_named() {
    let fixture = Fixture::start().await;
    for (query, last_event_id, name) in [
        ("from=1", None, "from"),
        ("after_sequence=1", None, "after_sequence"),
        ("limit=1&Limit=1", None, "Limit"),
        ("limit=1&limit=1", None, "limit"),
        ("limit=-1", None, "limit"),
        ("limit=1e3", None, "limit"),
        ("rate=fast", None, "rate"),
        ("", Some("latest"), "Last-Event-ID"),
        ("", Some("-1"), "Last-Event-ID"),
    ] {
        let response = request(fixture.service.http(), query, last_event_id, Http::One).await;
        assert_eq!(response.status(), 400, "{query}");
        let body = http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body.to_bytes()).unwrap();
        let message = body["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("{name} ")),
            "{query}: {message}"
        );
    }
}
