//! Prepared requests of a user's own file, over gRPC against a service that describes itself.

use serde_json::{Value, json};

use crate::process::{command, json as result_of};
use crate::schema;
use crate::services;

/// Two requests of balances: one that is there, and one that is not.
fn requests(proto: Value) -> Value {
    let step = |name: &str, account: &str, expect: Value| {
        json!({"name": name, "steps": [{
            "name": name, "call": "benchmark.BalanceService/GetBalance", "stream": false,
            "headers": [["x-run", [{"fill": "run", "as": "plain"}]]],
            "body": ["{\"accountId\":\"", {"v": 0}, account, "\"}"],
            "expect": expect, "timeout_ms": 5000,
        }]})
    };
    json!({
        "schema": "weir.requests/1", "scenario": "s", "protocol": "grpc", "proto": proto, "env": [],
        "requests": [
            step("known", "100001", json!({"code": 0, "json": [["/accountId", "0.0.100001"]], "contains": "timestamp"})),
            step("unknown", "1", json!({"code": 5})),
        ],
        "sequence": [{"r": 0, "v": ["0.0."]}, {"r": 1, "v": ["0.0."]}],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_made_by_a_proto_file_or_by_reflection() {
    let balance = services::start("balance", "accounts").await;
    let url = format!("http://{}", balance.service.grpc());
    let folder = tempfile::tempdir().unwrap();
    let protos = services::root().join("proto");
    let by_file = json!({"file": "benchmark.proto", "include": [protos]});
    for (proto, name) in [(by_file, "file"), (Value::Null, "reflection")] {
        let file = folder.path().join(format!("{name}.json"));
        std::fs::write(&file, requests(proto).to_string()).unwrap();
        let output = command(&[
            "--scenario=own",
            "--protocol=grpc",
            "--steps=4x500ms,2x500ms",
            "--pause=200ms",
            "--warmup=0s",
            "--counted=0",
            "--progress=none",
            "--json=-",
            "--url",
            &url,
            "--requests-file",
        ])
        .arg(&file)
        .output()
        .await
        .unwrap();
        let result = result_of(&output);
        assert_eq!(output.status.code(), Some(0), "{name}: {result}");
        assert_eq!(schema::fault(&result), None);
        for level in result["levels"].as_array().unwrap() {
            let requests = &level["requests"];
            assert!(
                requests["successful"].as_u64() > Some(20),
                "{name}: {level}"
            );
            assert_eq!(requests["failed"], 0, "{name}: {}", level["errors"]);
            // Every other request counts for an audit, those of the pause too.
            let counted = level["events"]["acknowledged"].as_u64();
            assert!(counted > Some(10), "{name}: {level}");
            assert!(
                level["eventErrors"].as_object().unwrap().is_empty(),
                "{level}"
            );
        }
    }
    // What is not as expected has failed, by its kind.
    let mut wrong =
        requests(json!({"file": "benchmark.proto", "include": [services::root().join("proto")]}));
    wrong["requests"][1]["steps"][0]["expect"]["code"] = 0.into();
    let file = folder.path().join("wrong.json");
    std::fs::write(&file, wrong.to_string()).unwrap();
    let output = command(&[
        "--scenario=own",
        "--protocol=grpc",
        "--duration=300ms",
        "--warmup=0s",
        "--concurrency=2",
        "--progress=none",
        "--json=-",
        "--url",
        &url,
        "--requests-file",
    ])
    .arg(&file)
    .output()
    .await
    .unwrap();
    let result = result_of(&output);
    assert!(
        result["errors"]["code 5"].as_u64() > Some(0),
        "{}",
        result["errors"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_protocol_is_refused_before_the_load() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    std::fs::write(&file, requests(Value::Null).to_string()).unwrap();
    let output = command(&[
        "--scenario=own",
        "--protocol=rest",
        "--url=http://127.0.0.1:1",
        "--requests-file",
    ])
    .arg(&file)
    .output()
    .await
    .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("its requests go over grpc, not rest"),
        "{text}"
    );
    let output = command(&["--scenario=own", "--url=http://127.0.0.1:1"])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
}
