//! Scenario `balance` against the service, and against one that answers wrongly.

use std::time::Duration;

use load_engine::accounts::{AccountPlan, SEEDED};
use load_engine::plan::{Route, Timing};
use load_engine::protocol::{Endpoint, Protocol};
use load_engine::requests::plan::{Pacing, Plan};
use load_engine::work::Work;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::load::run;
use crate::process::{command, json};
use crate::services;

fn plan(protocol: Protocol, address: std::net::SocketAddr) -> Plan {
    Plan {
        protocol,
        route: Route {
            endpoint: Endpoint::parse(&format!("http://{address}")).unwrap(),
            connections: if protocol == Protocol::Rest { 8 } else { 2 },
            timeout: Duration::from_secs(5),
        },
        timing: Timing {
            threads: 1,
            warmup: Duration::ZERO,
            duration: Duration::from_millis(500),
        },
        path: Work::default_path("balance", protocol).into(),
        concurrency: 8,
        rate: None,
        pacing: Pacing::default(),
        work: Work::Balance(AccountPlan {
            run_id: "it".into(),
            seed: 1,
            accounts: SEEDED,
        }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_that_of_its_account() {
    let balance = services::start("balance", "accounts").await;
    for (protocol, address) in [
        (Protocol::Rest, balance.service.http()),
        (Protocol::Grpc, balance.service.grpc()),
    ] {
        let outcome = run(plan(protocol, address)).await;
        let whole = outcome.tally.whole;
        assert!(whole.acknowledged > 100, "{protocol:?}: {whole:?}");
        assert_eq!(whole.errors(), 0, "{:?}", outcome.tally.errors_whole);
    }
    // Accounts that are not there: not one answer is taken for a balance.
    let client = balance.database.client().await;
    client.batch_execute("DELETE FROM accounts").await.unwrap();
    for (protocol, address, kind) in [
        (Protocol::Rest, balance.service.http(), "http 404"),
        (Protocol::Grpc, balance.service.grpc(), "grpc NOT_FOUND"),
    ] {
        let outcome = run(plan(protocol, address)).await;
        assert_eq!(outcome.tally.whole.acknowledged, 0);
        assert!(outcome.tally.errors_whole[kind] > 0, "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_for_another_account_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                let body = r#"{"account":"0.0.1","balance":5,"timestamp":"t"}"#;
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    let outcome = run(plan(Protocol::Rest, address)).await;
    assert_eq!(outcome.tally.whole.acknowledged, 0);
    assert!(outcome.tally.errors_whole["answer for another account"] > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_levels_are_judged() {
    let balance = services::start("balance", "accounts").await;
    let url = format!("http://{}", balance.service.grpc());
    let levels = |url: &str| {
        command(&[
            "--scenario=balance",
            "--protocol=grpc",
            "--criteria",
            "--duration=300ms",
            "--warmup=100ms",
            "--progress=none",
            "--json=-",
            "--url",
            url,
        ])
    };
    let output = levels(&url).output().await.unwrap();
    let result = json(&output);
    let levels_of = |result: &Value| {
        let levels = result["levels"].as_array().unwrap();
        let level = |it: &Value| it["concurrency"].as_u64().unwrap();
        levels.iter().map(level).collect::<Vec<_>>()
    };
    assert_eq!(levels_of(&result), [1, 10, 50, 100, 200]);
    assert_eq!(result["criteria"].as_array().unwrap().len(), 2);
    assert_eq!(result["criteria"][1]["met"], true, "{}", result["criteria"]);
    let passed = result["passed"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(if passed { 0 } else { 1 }));

    // Without accounts there is nothing to answer: the criteria are missed, and the exit status says so.
    let client = balance.database.client().await;
    client.batch_execute("DELETE FROM accounts").await.unwrap();
    let output = levels(&url).output().await.unwrap();
    assert_eq!(json(&output)["passed"], false);
    assert_eq!(output.status.code(), Some(1));
}
