//! Directories with damage, or with files of somebody else: the server starts, names them, and serves the rest.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use testkit::http;
use testkit::process::Service;

use crate::support::serve;

async fn statuses(service: &Service, paths: &[&str]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for path in paths {
        statuses.push(http::get(service.http(), path).await.status);
    }
    statuses
}

/// Two chains, two topics with a record each, a group; stopped.
async fn written(folder: &Path) {
    let mut service = serve(folder, &[]);
    let address = service.http();
    for chain in ["p", "q"] {
        for _ in 0..3 {
            let path = format!("/api/v1/logs/{chain}");
            assert_eq!(http::post_json(address, &path, "1").await.status, 201);
        }
    }
    for topic in ["t", "u"] {
        let body = format!(r#"{{"name":"{topic}","numPartitions":1}}"#);
        assert_eq!(
            http::post_json(address, "/api/v1/topics", body)
                .await
                .status,
            201
        );
        let path = format!("/api/v1/topics/{topic}/records");
        let body = r#"{"records":[{"value":"v"}],"acks":-1}"#;
        assert_eq!(http::post_json(address, &path, body).await.status, 200);
    }
    let body = r#"{"offsets":[{"topic":"u","partition":0,"offset":1}]}"#;
    let mut connection = testkit::http::Connection::open(address).await;
    let headers = [("content-type", "application/json")];
    for group in ["g", "h"] {
        let path = format!("/api/v1/groups/{group}/offsets");
        let committed = connection
            .request("PUT", &path, &headers, body.as_bytes())
            .await;
        assert_eq!(committed.status, 200);
    }
    assert!(service.terminate().success());
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

const RECORDS_OF_U: &str = "/api/v1/topics/u/partitions/0/records?offset=0";

#[tokio::test]
async fn damage_to_any_one_file_sets_that_part_aside_and_all_else_serves() {
    type Damage = fn(&Path);
    let cases: [(&str, Damage, &str, &[&str]); 6] = [
        (
            "offsets.log",
            |folder| flip(&folder.join("topics/offsets.log"), 60),
            "committed offsets are damaged",
            &[],
        ),
        (
            "topic.json",
            |folder| fs::write(folder.join("topics/logs/t/topic.json"), "{").unwrap(),
            "a topic is set aside",
            &["/api/v1/topics/t", "/api/v1/topics/t/partitions/0/records"],
        ),
        (
            "segment",
            |folder| flip(&folder.join("topics/logs/t/0/00000000000000000000.log"), 44),
            // It is found where it is read.
            "ready",
            &["/api/v1/topics/t/partitions/0/records"],
        ),
        (
            "index",
            |folder| {
                flip(
                    &folder.join("topics/logs/t/0/00000000000000000000.index"),
                    3,
                )
            },
            "ready",
            &[],
        ),
        (
            "chain",
            |folder| flip(&folder.join("p.jsonl"), 1),
            "damaged: the first line is no entry",
            &["/api/v1/logs/p"],
        ),
        (
            "journal",
            |folder| fs::write(folder.join("p.journal"), vec![7; 100]).unwrap(),
            "is no journal of a chain",
            &[],
        ),
    ];
    for (name, damage, told, broken) in cases {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path()).await;
        damage(folder.path());
        let service = serve(folder.path(), &[]);
        service.told(told);
        for path in broken {
            let status = statuses(&service, &[path]).await;
            assert_eq!(status, [500], "{name}: {path}");
        }
        let address = service.http();
        let rest = [
            "/health",
            "/api/v1/logs/q/last",
            "/api/v1/topics/u",
            RECORDS_OF_U,
            "/api/v1/topics",
            "/api/v1/logs",
        ];
        assert_eq!(statuses(&service, &rest).await, [200; 6], "{name}");
        assert_eq!(
            http::post_json(address, "/api/v1/logs/q", "1").await.status,
            201,
            "{name}"
        );
        let body = r#"{"records":[{"value":"v"}],"acks":-1}"#;
        assert_eq!(
            http::post_json(address, "/api/v1/topics/u/records", body)
                .await
                .status,
            200,
            "{name}"
        );
        let groups = http::get(address, "/api/v1/groups").await.json();
        let groups = groups["groups"].as_array().unwrap().len();
        assert!(
            groups == 2 || (name == "offsets.log" && groups == 1),
            "{name}: {groups}"
        );
    }
}

#[tokio::test]
async fn somebody_elses_files_are_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path()).await;
    let strangers = [
        ("notes.jsonl", "{\"a\":1}\n{\"b\":2}"),
        ("half.jsonl", "{\"id\":5"),
        ("empty.jsonl", ""),
        ("notes.journal", "Monday: rain"),
        ("topics/new/diary", "Tuesday: sun"),
    ];
    for (name, text) in strangers {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), "{\"half\":").unwrap();
    symlink(outside.path(), folder.path().join("link.jsonl")).unwrap();
    fs::create_dir(folder.path().join("folder.jsonl")).unwrap();
    let mut service = serve(folder.path(), &[]);
    for name in [
        "notes.jsonl",
        "half.jsonl",
        "empty.jsonl",
        "notes.journal",
        "link.jsonl",
        "folder.jsonl",
        "diary",
    ] {
        let lines = service.lines();
        let named = lines
            .iter()
            .find(|line| line.contains(name) && line.contains("left alone"));
        assert!(
            named.is_some_and(|line| line.contains("WARN")),
            "{name}: {}",
            service.log()
        );
    }
    let listed = http::get(service.http(), "/api/v1/logs").await.json();
    assert_eq!(listed["partitions"], serde_json::json!(["p", "q"]));
    let refused = http::post_json(service.http(), "/api/v1/logs/half", "1").await;
    assert_eq!(refused.status, 500);
    assert!(
        refused.text().contains("is not a chain"),
        "{}",
        refused.text()
    );
    assert!(service.terminate().success());
    for (name, text) in strangers {
        assert_eq!(
            fs::read_to_string(folder.path().join(name)).unwrap(),
            text,
            "{name}"
        );
    }
    assert_eq!(fs::read_to_string(outside.path()).unwrap(), "{\"half\":");
}
