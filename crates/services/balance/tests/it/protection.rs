//! Who may read which balances, over both faces.

use std::time::Duration;

use api::benchmark::balance_service_client::BalanceServiceClient;
use api::benchmark::health_client::HealthClient;
use api::benchmark::{BalanceRequest, BatchBalanceRequest, HealthCheckRequest};
use protect::ClientArgs;
use protect::principals::tokens::TokenHash;
use testkit::http::Response;
use testkit::openssl::Face;
use testkit::process::Service;
use tonic::{Code, Status};

use crate::support::{BINARY, Fixture};

/// A service that `reader` may read accounts from `a` of, and `other` nothing.
async fn start() -> (Fixture, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("principals.toml");
    let hash = |token: &str| TokenHash::of(token.as_bytes()).to_hex();
    let text = format!(
        "[[principal]]\nname = \"reader\"\ntoken_sha256 = [\"{}\"]\nrights = [\"balance:read:a*\"]\n\
         [[principal]]\nname = \"other\"\ntoken_sha256 = [\"{}\"]\n",
        hash("reader"),
        hash("other")
    );
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let fixture = Fixture::start_with(&[("PRINCIPALS_FILE", path)]).await;
    (fixture, folder)
}

async fn rest(fixture: &Fixture, token: &str, path: &str) -> Response {
    let token = format!("Bearer {token}");
    let headers = [("authorization", token.as_str())];
    fixture
        .connect()
        .await
        .request("GET", path, &headers, b"")
        .await
}

fn assert_refused(rest: &Response, grpc: &Status, code: Code, message: &str) {
    let status = if code == Code::Unauthenticated {
        401
    } else {
        403
    };
    assert_eq!(rest.status, status, "{}", rest.text());
    assert_eq!(rest.json()["message"], message);
    assert_eq!((grpc.code(), grpc.message()), (code, message));
}

#[tokio::test]
async fn accounts_are_read_by_those_who_may() {
    let (fixture, folder) = start().await;
    let client = async |token: &str| {
        let path = folder.path().join("token");
        std::fs::write(&path, token).unwrap();
        let args = ClientArgs {
            token_file: Some(path),
            ..ClientArgs::default()
        };
        let address = fixture.service.grpc().to_string();
        runtime::grpc::connect(&address, &args).await.unwrap()
    };
    let one = |id: &str| BalanceRequest {
        account_id: id.to_owned(),
    };
    let mut reader = BalanceServiceClient::new(client("reader").await);
    let found = rest(&fixture, "reader", "/api/v1/accounts/a/balance").await;
    assert_eq!(found.status, 200, "{}", found.text());
    reader.get_balance(one("a")).await.expect("allowed");

    // b exists and bb does not: the answer does not tell.
    for id in ["b", "bb"] {
        let path = format!("/api/v1/accounts/{id}/balance");
        let refused = rest(&fixture, "reader", &path).await;
        let status = reader.get_balance(one(id)).await.unwrap_err();
        let message = format!("the right balance:read:{id} is missing");
        assert_refused(&refused, &status, Code::PermissionDenied, &message);

        for path in ["/api/v1/accounts/balances", "/api/v1/balances"] {
            let refused = rest(&fixture, "reader", &format!("{path}?ids=a,{id}")).await;
            let batch = BatchBalanceRequest {
                account_ids: vec!["a".to_owned(), id.to_owned()],
            };
            let status = reader.get_balances(batch).await.unwrap_err();
            assert_refused(&refused, &status, Code::PermissionDenied, &message);
        }
    }
    let refused = rest(&fixture, "other", "/api/v1/accounts/a/balance").await;
    let mut other = BalanceServiceClient::new(client("other").await);
    let status = other.get_balance(one("a")).await.unwrap_err();
    let message = "the right balance:read is missing";
    assert_refused(&refused, &status, Code::PermissionDenied, message);

    let refused = rest(&fixture, "stranger", "/api/v1/accounts/a/balance").await;
    let mut stranger = BalanceServiceClient::new(client("stranger").await);
    let status = stranger.get_balance(one("a")).await.unwrap_err();
    let message = "the credentials are not valid";
    assert_refused(&refused, &status, Code::Unauthenticated, message);

    assert_eq!(fixture.get("/health").await.status, 200);
    HealthClient::new(fixture.channel().await)
        .check(HealthCheckRequest::default())
        .await
        .expect("open");
    assert_eq!(fixture.get("/metrics").await.status, 401);
    let log = fixture
        .service
        .wait_for_log("ready", Duration::from_secs(1));
    assert!(log.is_some());
}

#[test]
fn both_ports_are_hardened_as_openssl_sees_them() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(testkit::Database::fresh());
    testkit::openssl::hardened(&[Face::Grpc, Face::Http], |settings| {
        let mut all = vec![("DATABASE_URL", database.url())];
        all.extend_from_slice(settings);
        Service::start(BINARY, &all)
    });
}
