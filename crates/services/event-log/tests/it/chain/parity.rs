//! One list of cases through both faces.

use api::immutable_log::{
    GetLastEntryRequest, ListPartitionsRequest, ReadResponse, TailRequest, VerifyRequest,
};
use serde_json::{Value, json};
use testkit::http::{self, Response};
use tonic::Code;

use crate::support::Fixture;

/// Partition, data, and the refusal: none where it is taken.
const APPENDS: [(&str, &str, Option<&str>); 14] = [
    ("p", r#"{"b":1.50,"a":["é",1E2]}"#, None),
    ("p", "  7 ", None),
    ("p", r#"{"a":1,"b":2,"a":3}"#, None),
    ("ü/ö ?", "null", None),
    (
        "p",
        "",
        Some("data is no JSON: it ends where a value is expected at byte 0"),
    ),
    (
        "p",
        "{\"a\":NaN}",
        Some("data is no JSON: expected a value at byte 5"),
    ),
    (
        "p",
        "{} x",
        Some("data is no JSON: more after the value at byte 3"),
    ),
    (
        "p",
        "\"\\udc00\"",
        Some("data has a lone surrogate at byte 1"),
    ),
    (
        "p",
        "[1e400]",
        Some("data has a number beyond a double at byte 1"),
    ),
    ("", "1", Some("partition must not be empty")),
    (
        "a\nb",
        "1",
        Some("partition must not have control characters"),
    ),
    ("P:", "1", None),
    (
        "P;",
        "1",
        Some("partition 'P;' would share the file P_.jsonl with 'P:'"),
    ),
    ("p", "-0", None),
];

fn path(partition: &str, rest: &str) -> String {
    let encoded: String = partition
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    format!("/api/v1/logs/{encoded}{rest}")
}

/// The part of a line that does not depend on when it was written.
fn data(line: &ReadResponse) -> (u64, String, String) {
    (line.seq, line.partition.clone(), line.data.clone())
}

fn lines(response: &Response) -> Vec<Value> {
    let lines = response.text().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn both_faces_take_and_refuse_the_same() {
    let (rest, grpc) = (Fixture::start(), Fixture::start());
    let client = grpc.client().await;
    for (partition, data, refusal) in APPENDS {
        let appended = client.append(partition, data).await.unwrap();
        let answer = http::post_json(rest.service.http(), &path(partition, ""), data).await;
        match refusal {
            None => {
                assert!(appended.success, "{data}: {}", appended.error);
                assert_eq!(answer.status, 201, "{}", answer.text());
                assert_eq!(answer.json()["seq"], appended.seq);
                assert_eq!(answer.json()["hash"].as_str().unwrap().len(), 64);
                assert_eq!(
                    appended.timestamp.len(),
                    answer.json()["ts"].as_str().unwrap().len()
                );
            }
            Some(refusal) => {
                assert_eq!((appended.success, &*appended.error), (false, refusal));
                let status = if partition == "P;" { 409 } else { 400 };
                assert_eq!(answer.status, status, "{refusal}");
                assert_eq!(answer.json()["message"], refusal);
            }
        }
    }
    // What one face wrote is what the other reads, and both wrote the same.
    let other = rest.client().await;
    for partition in ["p", "ü/ö ?", "P:"] {
        let ours = client.read(partition, None, None).await.unwrap();
        let others = other.read(partition, None, None).await.unwrap();
        assert_eq!(
            ours.iter().map(data).collect::<Vec<_>>(),
            others.iter().map(data).collect::<Vec<_>>()
        );
        let answer = http::get(rest.service.http(), &path(partition, "")).await;
        let expected: Vec<_> = others
            .iter()
            .map(|entry| {
                let data: Value = serde_json::from_str(&entry.data).unwrap();
                json!({"seq": entry.seq, "ts": entry.timestamp, "partition": partition,
                    "prev_hash": entry.prev_hash, "data": data, "hash": entry.hash})
            })
            .collect();
        assert_eq!(lines(&answer), expected);
    }
    assert_eq!(
        std::fs::read_to_string(rest.file("p")).unwrap(),
        http::get(rest.service.http(), &path("p", "")).await.text(),
    );
    let first = &client.read("p", None, Some(1)).await.unwrap()[0];
    assert_eq!(first.data, r#"{"b":1.5,"a":["\u00e9",100.0]}"#);
}

#[tokio::test]
async fn both_faces_answer_the_same_questions() {
    let fixture = Fixture::start();
    let client = fixture.client().await;
    let mut calls = client.0.clone();
    let address = fixture.service.http();
    for n in 0..5 {
        client.append("b", &n.to_string()).await.unwrap();
    }
    client.append("a é", "1").await.unwrap();

    let names = calls
        .list_partitions(ListPartitionsRequest {})
        .await
        .unwrap()
        .into_inner()
        .partitions;
    assert_eq!(names, ["a é", "b"]);
    assert_eq!(
        http::get(address, "/api/v1/logs").await.json(),
        json!({"partitions": names})
    );

    for (start, limit, expected) in [
        (None, None, vec![0, 1, 2, 3, 4]),
        (Some(2), None, vec![2, 3, 4]),
        (Some(1), Some(2), vec![1, 2]),
        (None, Some(0), vec![]),
        (Some(9), None, vec![]),
    ] {
        let read = client.read("b", start, limit).await.unwrap();
        assert_eq!(
            read.iter().map(|entry| entry.seq).collect::<Vec<_>>(),
            expected
        );
        let start = start.map(|start| format!("start={start}"));
        let limit = limit.map(|limit| format!("limit={limit}"));
        let query: Vec<_> = start.into_iter().chain(limit).collect();
        let answer = http::get(address, &path("b", &format!("?{}", query.join("&")))).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
        let seqs: Vec<_> = lines(&answer)
            .iter()
            .map(|line| line["seq"].as_u64().unwrap())
            .collect();
        assert_eq!(seqs, expected);
    }

    let last = calls
        .get_last_entry(GetLastEntryRequest {
            partition: "b".into(),
        })
        .await
        .unwrap()
        .into_inner();
    let answer = http::get(address, &path("b", "/last")).await.json();
    assert!(last.found);
    assert_eq!((last.seq, last.data.as_deref()), (Some(4), Some("4")));
    assert_eq!(
        (&answer["seq"], answer["hash"].as_str()),
        (&json!(4), last.hash.as_deref())
    );

    let verified = calls
        .verify(VerifyRequest {
            partition: "b".into(),
        })
        .await
        .unwrap()
        .into_inner();
    assert!(verified.valid && verified.error.is_empty());
    assert_eq!(
        http::get(address, &path("b", "/verify")).await.json(),
        json!({"valid": true, "entriesVerified": 5, "finalHash": verified.final_hash, "error": null})
    );

    // A partition that is not there.
    let unknown = "no such partition: 'zz'";
    let refused = client.read("zz", None, None).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::NotFound, unknown)
    );
    let tail = TailRequest {
        partition: "zz".into(),
        start_seq: None,
        follow: true,
    };
    assert_eq!(calls.tail(tail).await.unwrap_err().code(), Code::NotFound);
    for rest in ["", "/tail"] {
        let answer = http::get(address, &path("zz", rest)).await;
        assert_eq!(
            (answer.status, &answer.json()["message"]),
            (404, &json!(unknown))
        );
    }
    assert_eq!(http::get(address, &path("zz", "/last")).await.status, 404);
    let last = calls
        .get_last_entry(GetLastEntryRequest {
            partition: "zz".into(),
        })
        .await
        .unwrap();
    assert!(!last.into_inner().found);
    let verified = calls
        .verify(VerifyRequest {
            partition: "zz".into(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!((verified.valid, &*verified.error), (false, unknown));
    let answer = http::get(address, &path("zz", "/verify")).await.json();
    assert_eq!(
        (&answer["valid"], &answer["error"]),
        (&json!(false), &json!(unknown))
    );

    for (wrong, message) in [
        (
            "/api/v1/logs/b?begin=1",
            "begin is no query parameter of this path",
        ),
        (
            "/api/v1/logs/b?start=-1",
            "start must be a whole number from 0 to 18446744073709551615",
        ),
        ("/api/v1/logs/b?limit=1&limit=2", "limit must be given once"),
    ] {
        let answer = http::get(address, wrong).await;
        assert_eq!(
            (answer.status, &answer.json()["message"]),
            (400, &json!(message))
        );
    }
    let answer = http::Connection::open(address)
        .await
        .request("DELETE", "/api/v1/logs/b", &[], b"")
        .await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, HEAD, POST"))
    );
}

/// The chain is damaged behind the server's back.
#[tokio::test]
async fn both_faces_tell_damage() {
    let fixture = Fixture::start();
    let client = fixture.client().await;
    for n in 0..100 {
        client.append("p", &format!("\"entry {n}\"")).await.unwrap();
    }
    let file = fixture.file("p");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace("entry 41\"", "entry 14\"")
            .replace("\"seq\":60", "\"seq\":61"),
    )
    .unwrap();
    let verified = client
        .0
        .clone()
        .verify(VerifyRequest {
            partition: "p".into(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!((verified.valid, verified.entries_verified), (false, 41));
    assert!(
        verified.error.starts_with("line 42: hash is "),
        "{}",
        verified.error
    );
    let answer = http::get(fixture.service.http(), &path("p", "/verify"))
        .await
        .json();
    assert_eq!(answer["error"], verified.error);
    assert_eq!(answer["entriesVerified"], 41);
    // Reading looks at the order, which breaks later: what is before it comes.
    let request = api::immutable_log::ReadRequest {
        partition: "p".into(),
        ..Default::default()
    };
    let mut stream = client.0.clone().read(request).await.unwrap().into_inner();
    for seq in 0..60 {
        assert_eq!(stream.message().await.unwrap().unwrap().seq, seq);
    }
    let refused = stream.message().await.unwrap_err();
    assert_eq!(refused.code(), Code::DataLoss);
    assert!(
        refused.message().contains("seq is 61, expected 60"),
        "{refused}"
    );
    let mut connection = http::Connection::open(fixture.service.http()).await;
    let broken = connection
        .try_request("GET", &path("p", ""), &[], b"")
        .await;
    assert!(broken.is_err(), "an end of the body");
    assert_eq!(client.read("p", Some(70), None).await.unwrap().len(), 30);
}
