//! Several events in one request: `POST /api/v1/events/bulk` and `ProcessEvents`.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::process::{command, json as result};
use crate::services::{self, Seeded};

async fn run(arguments: &str, address: SocketAddr) -> Value {
    let output = command(&arguments.split(' ').collect::<Vec<_>>())
        .args(["--json=-", "--progress=none", "--warmup=200ms"])
        .arg(format!("--url=http://{address}"))
        .env_remove("DB_HOST")
        .output();
    result(&output.await.unwrap())
}

/// Events of the run that are stored, as an audit counts them.
async fn stored(service: &Seeded, run_id: &str) -> u64 {
    let client = service.database.client().await;
    let sql = "SELECT count(*) FROM car_entities, jsonb_each_text(data) AS attribute
                WHERE attribute.key LIKE '%Run' AND attribute.value = $1";
    let row = client.query_one(sql, &[&run_id]).await.unwrap();
    row.get::<_, i64>(0).cast_unsigned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_batch_is_counted_and_stored() {
    for (protocol, name) in [("rest", "producer-rest"), ("grpc", "producer-grpc")] {
        let service = services::start_with(name, &[]).await;
        let address = match protocol {
            "rest" => service.service.http(),
            _ => service.service.grpc(),
        };
        let arguments =
            format!("--protocol={protocol} --batch=30 --concurrency=4 --duration=1s --run-id=b-1");
        let result = run(&arguments, address).await;
        assert_eq!(result["batch"], 30, "{result}");
        let events = &result["events"];
        let acknowledged = events["acknowledged"].as_u64().unwrap();
        assert!(acknowledged >= 30, "{result}");
        assert_eq!(acknowledged % 30, 0, "{result}");
        assert_eq!(events["sent"], events["acknowledged"], "{result}");
        assert_eq!(stored(&service, "b-1").await, acknowledged, "{result}");
        let requests = &result["requests"];
        assert_eq!(requests["failed"], 0, "{result}");
        let rate = requests["perSecond"].as_f64().unwrap() * 30.0;
        let events_rate = result["eventsPerSecond"].as_f64().unwrap();
        assert!((events_rate - rate).abs() < 1e-6 * rate, "{result}");
        let outcome = result["eventOutcomeMs"]["p50"].as_f64().unwrap();
        let whole = result["latencyMs"]["max"].as_f64().unwrap();
        assert!(outcome > 0.0 && outcome <= whole, "{result}");
    }
}

/// Answers bulk requests of three events: the second of each is refused.
async fn refuses_the_second() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    let text = String::from_utf8_lossy(&buffer[..read]);
                    let (head, body) = text.split_once("\r\n\r\n").unwrap();
                    assert!(
                        head.starts_with("POST /api/v1/events/bulk HTTP/1.1\r\n"),
                        "{head}"
                    );
                    assert!(
                        head.ends_with(&format!("content-length: {}", body.len())),
                        "{head}"
                    );
                    let events: Vec<Value> = serde_json::from_str(body).unwrap();
                    assert_eq!(events.len(), 3);
                    let answer = json!({"success": false, "message": "", "processedCount": 2,
                        "failedCount": 1, "batchId": "b", "processingTimeMs": 1,
                        "failures": [{"index": 1, "error": "entityId must not be empty"}]});
                    let answer = answer.to_string();
                    let length = answer.len();
                    let answer =
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{answer}");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_fail_are_counted_by_reason() {
    let address = refuses_the_second().await;
    let result = run("--batch=3 --concurrency=2 --duration=500ms", address).await;
    let events = &result["events"];
    let failed = events["failed"].as_u64().unwrap();
    assert!(failed > 0, "{result}");
    assert_eq!(events["acknowledged"], 2 * failed, "{result}");
    let measured = &result["eventErrors"]["entityId must not be empty"];
    assert_eq!(result["errors"]["events failed"], *measured, "{result}");
    assert_eq!(result["requests"]["successful"], 0, "{result}");
}
