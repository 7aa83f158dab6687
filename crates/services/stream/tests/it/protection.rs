//! Who may subscribe to what, over both faces.

use api::benchmark::StreamRequest;
use api::benchmark::transaction_service_client::TransactionServiceClient;
use protect::ClientArgs;
use protect::principals::tokens::TokenHash;
use testkit::http::Connection;
use testkit::openssl::Face;
use tonic::Code;

use crate::support::{Fixture, serve};

#[tokio::test]
async fn who_may_read_some_accounts_filters_by_one_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let entry = |name: &str, rights: &str| {
        let hash = TokenHash::of(name.as_bytes()).to_hex();
        format!(
            "[[principal]]\nname = \"{name}\"\ntoken_sha256 = [\"{hash}\"]\nrights = [{rights}]\n"
        )
    };
    let text = entry("some", r#""stream:read:0.0.1*""#)
        + &entry("all", r#""stream:read""#)
        + &entry("none", "");
    let principals = folder.path().join("principals.toml");
    std::fs::write(&principals, text).unwrap();
    let settings = [("PRINCIPALS_FILE", principals.to_str().unwrap())];
    let fixture = Fixture::start_with(&settings).await;
    let token_file = folder.path().join("token");
    for (name, account, code, message) in [
        ("some", "0.0.17", Code::Ok, ""),
        (
            "some",
            "0.0.2",
            Code::PermissionDenied,
            "the right stream:read:0.0.2 is missing",
        ),
        (
            "some",
            "",
            Code::PermissionDenied,
            "the right stream:read is missing",
        ),
        ("all", "", Code::Ok, ""),
        ("all", "0.0.2", Code::Ok, ""),
        (
            "none",
            "",
            Code::PermissionDenied,
            "the right stream:read is missing",
        ),
        (
            "stranger",
            "",
            Code::Unauthenticated,
            "the credentials are not valid",
        ),
    ] {
        std::fs::write(&token_file, name).unwrap();
        let args = ClientArgs {
            token_file: Some(token_file.clone()),
            ..ClientArgs::default()
        };
        let address = fixture.service.grpc().to_string();
        let channel = runtime::grpc::connect(&address, &args).await.unwrap();
        let request = StreamRequest {
            filter_account: account.to_owned(),
            ..StreamRequest::default()
        };
        let opened = TransactionServiceClient::new(channel)
            .stream_transactions(request)
            .await;
        let told = opened
            .err()
            .map(|status| (status.code(), status.message().to_owned()));
        let expected = (code != Code::Ok).then(|| (code, message.to_owned()));
        assert_eq!(told, expected, "{name} {account}");

        let path = format!("/api/v1/transactions/stream?account={account}");
        let token = format!("Bearer {name}");
        let headers = [("authorization", token.as_str())];
        let mut connection = Connection::open(fixture.service.http()).await;
        // The head of the answer is the same, and nothing is begun that lasts.
        let head = connection.request("HEAD", &path, &headers, b"").await;
        let status = match code {
            Code::Ok => 200,
            Code::Unauthenticated => 401,
            _ => 403,
        };
        assert_eq!(head.status, status, "{name} {account}");
    }
}

#[test]
fn both_ports_are_hardened_as_openssl_sees_them() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(testkit::Database::fresh());
    testkit::openssl::hardened(&[Face::Grpc, Face::Http], |settings| {
        serve(database.url(), settings)
    });
}
