//! What each call answers.

use api::benchmark::HealthCheckRequest;
use api::benchmark::health_check_response::ServingStatus;
use api::benchmark::health_client::HealthClient;
use serde_json::json;
use tonic::Code;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::support::{Fixture, get_balance, get_balances};

#[tokio::test]
async fn one_balance_over_rest() {
    let fixture = Fixture::start().await;
    let answer = fixture.get("/api/v1/accounts/a/balance").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.text(),
        r#"{"account":"a","balance":1,"timestamp":"2025-01-02T03:04:05Z"}"#
    );
    let answer = fixture.get("/api/v1/accounts/%62/balance?").await;
    assert_eq!(
        answer.json(),
        json!({"account": "b", "balance": 2, "timestamp": "2025-01-02T01:04:05.678901Z"})
    );
    let answer = fixture.get("/api/v1/accounts/c/balance").await;
    assert_eq!(
        answer.json(),
        json!({"account": "c", "balance": -3, "timestamp": "9999-12-31T23:59:59.999999Z"})
    );
    let unknown = fixture.get("/api/v1/accounts/0.0.999/balance").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(
        unknown.json(),
        json!({"success": false, "error": "not_found", "message": "no such account: 0.0.999"})
    );
}

#[tokio::test]
async fn several_balances_over_rest_on_both_paths() {
    let fixture = Fixture::start().await;
    for path in ["/api/v1/accounts/balances", "/api/v1/balances"] {
        let answer = fixture.get(&format!("{path}?ids=b,x,a,b,y,x")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        let accounts: Vec<_> = answer["balances"]
            .as_array()
            .unwrap()
            .iter()
            .map(|balance| (&balance["account"], &balance["balance"]))
            .collect();
        let (a, b) = (json!("a"), json!("b"));
        assert_eq!(
            accounts,
            [(&b, &json!(2)), (&a, &json!(1)), (&b, &json!(2))]
        );
        assert_eq!(answer["missing"], json!(["x", "y", "x"]));

        let encoded = fixture.get(&format!("{path}?ids=a%2Cb")).await.json();
        assert_eq!(encoded["balances"].as_array().unwrap().len(), 2);
        assert_eq!(encoded["missing"], json!([]));
        let none = fixture.get(&format!("{path}?ids=x")).await;
        assert_eq!(
            (none.status, none.json()),
            (200, json!({"balances": [], "missing": ["x"]}))
        );
    }
}

#[tokio::test]
async fn a_thousand_ids_are_answered_in_their_order() {
    let fixture = Fixture::start().await;
    fixture
        .database
        .client()
        .await
        .batch_execute(include_str!("../../../../../postgres/seed/accounts.sql"))
        .await
        .unwrap();
    let ids: Vec<String> = (0..1000)
        .map(|n| format!("0.0.{}", 100_000 + n * 7919 % 10_000))
        .collect();
    let path = format!("/api/v1/balances?ids={}", ids.join(","));
    let over_rest = fixture.get(&path).await.json();
    let accounts: Vec<&str> = over_rest["balances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|balance| balance["account"].as_str().unwrap())
        .collect();
    assert_eq!(accounts, ids);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let over_grpc = get_balances(&mut fixture.client().await, &ids)
        .await
        .unwrap();
    for (rest, grpc) in over_rest["balances"]
        .as_array()
        .unwrap()
        .iter()
        .zip(&over_grpc)
    {
        assert_eq!(
            (&rest["balance"], &rest["timestamp"]),
            (&json!(grpc.balance_tinybar), &json!(grpc.timestamp))
        );
    }
    assert_eq!(over_grpc.len(), 1000);
}

#[tokio::test]
async fn balances_over_grpc() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let answer = get_balance(&mut client, "b").await.unwrap();
    assert_eq!(
        (
            answer.account_id.as_str(),
            answer.balance_tinybar,
            answer.timestamp.as_str()
        ),
        ("b", 2, "2025-01-02T01:04:05.678901Z")
    );
    let status = get_balance(&mut client, "0.0.999").await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::NotFound, "no such account: 0.0.999")
    );
    let answers = get_balances(&mut client, &["b", "x", "a", "b"])
        .await
        .unwrap();
    let accounts: Vec<_> = answers
        .iter()
        .map(|answer| (answer.account_id.as_str(), answer.balance_tinybar))
        .collect();
    assert_eq!(accounts, [("b", 2), ("a", 1), ("b", 2)]);
    assert!(get_balances(&mut client, &["x"]).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_call_is_told_so() {
    let fixture = Fixture::start().await;
    for (path, status, error) in [
        ("/", 404, "not_found"),
        ("/api/v1/accounts", 404, "not_found"),
        ("/api/v1/accounts/a", 404, "not_found"),
        ("/api/v1/accounts/a/b/balance", 404, "not_found"),
        ("/api/v1/accounts/a/balance/", 404, "not_found"),
    ] {
        let answer = fixture.get(path).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (status, &json!(error)),
            "{path}"
        );
    }
    let mut connection = fixture.connect().await;
    for path in [
        "/api/v1/accounts/a/balance",
        "/api/v1/balances?ids=a",
        "/health",
    ] {
        let answer = connection.post_json(path, "{}").await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("GET, HEAD")),
            "{path}"
        );
        assert_eq!(answer.json()["error"], json!("method_not_allowed"));
    }
    let answer = connection
        .request(
            "GET",
            "/api/v1/accounts/a/balance",
            &[("origin", "https://example.org")],
            b"",
        )
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn reflection_lists_the_services_and_metrics_count_the_calls() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    get_balance(&mut client, "a").await.unwrap();
    get_balances(&mut client, &["a", "b", "x"]).await.unwrap();
    fixture.get("/api/v1/accounts/x/balance").await;
    fixture.get("/api/v1/accounts/a/balance?x").await;
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(fixture.channel().await);
    let mut answers = reflection
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else {
        panic!("{answer:?}")
    };
    let names: Vec<&str> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    for name in [
        "benchmark.BalanceService",
        "benchmark.Health",
        "grpc.health.v1.Health",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    for (metric, value) in [
        ("balance_requests_total", 3.0),
        ("balance_accounts_total", 5.0),
        ("balance_reads_total", 3.0),
        ("balance_read_requests_mean", 1.0),
        ("balance_queue_depth", 0.0),
        (r#"balance_refused_total{reason="unknown_account"}"#, 1.0),
        (r#"balance_refused_total{reason="invalid"}"#, 1.0),
        (r#"balance_refused_total{reason="timeout"}"#, 0.0),
    ] {
        assert_eq!(fixture.metric(metric).await, value, "{metric}");
    }
    assert!(fixture.metric("balance_database_seconds_total").await > 0.0);
}

#[tokio::test]
async fn both_kinds_of_grpc_health_know_each_service() {
    let fixture = Fixture::start().await;
    let mut own = HealthClient::new(fixture.channel().await);
    for (service, status) in [
        ("", ServingStatus::Serving),
        ("benchmark.BalanceService", ServingStatus::Serving),
        ("benchmark.Health", ServingStatus::Serving),
        ("benchmark.TransactionService", ServingStatus::Unknown),
    ] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = own.check(request).await.unwrap();
        assert_eq!(answer.get_ref().status(), status, "{service}");
    }
    let mut standard = tonic_health::pb::health_client::HealthClient::new(fixture.channel().await);
    for (service, known) in [
        ("", true),
        ("benchmark.BalanceService", true),
        ("benchmark.Health", true),
        ("benchmark.TransactionService", false),
    ] {
        let request = tonic_health::pb::HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = standard.check(request).await;
        let code = answer.map_or_else(|status| status.code(), |_| Code::Ok);
        let expected = if known { Code::Ok } else { Code::NotFound };
        assert_eq!(code, expected, "{service}");
    }
}
