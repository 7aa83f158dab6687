//! TLS, principals and limits over REST.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use protect::principals::tokens::TokenHash;
use protect::tls::{ClientTls, Roots, Verify};
use serde_json::json;
use tempfile::TempDir;
use testkit::http::{Connection, Response};
use testkit::openssl::Face;
use testkit::process::Service;
use testkit::tls::Authority;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{BINARY, BULK, EVENTS, Fixture, event, serve};

const HEALTH: &str = "/api/v1/events/health";

/// A folder with certificates and a principals file.
struct Files {
    folder: TempDir,
    authority: Authority,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        authority.issue(folder.path(), "server", "localhost");
        authority.write(folder.path(), "own");
        Self { folder, authority }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Puts a new principals file in the place of the old one. The token of each principal is `token-of-NAME`.
    fn write_principals(&self, principals: &[(&str, &str)]) {
        let mut text = String::new();
        for (name, rest) in principals {
            let hash = TokenHash::of(format!("token-of-{name}").as_bytes()).to_hex();
            text +=
                &format!("[[principal]]\nname = \"{name}\"\ntoken_sha256 = [\"{hash}\"]\n{rest}\n");
        }
        let beside = self.path("principals.new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, self.path("principals.toml")).unwrap();
    }

    async fn start(&self, settings: &[(&str, &str)]) -> Fixture {
        let principals = self.path("principals.toml");
        let mut all = vec![
            ("PRINCIPALS_FILE", principals.as_str()),
            ("PROTECTION_RELOAD_INTERVAL", "100ms"),
            ("LOG_LEVEL", "debug"),
        ];
        all.extend_from_slice(settings);
        Fixture::start_with(&all).await
    }

    fn client(&self, identity: Option<&str>) -> ClientTls<'static> {
        let file = |name: &str, end: &str| self.folder.path().join(format!("{name}{end}"));
        ClientTls {
            roots: ("ca", Roots::File(file("own", ".ca.pem"))),
            verify: Verify::ChainAndName,
            identity: identity
                .map(|name| (("cert", file(name, ".pem")), ("key", file(name, ".key")))),
        }
    }
}

async fn over_tls(address: SocketAddr, client: &ClientTls<'_>) -> std::io::Result<Connection> {
    let connector = TlsConnector::from(Arc::new(client.config(&[b"http/1.1"]).unwrap()));
    let stream = TcpStream::connect(address).await?;
    let stream = connector
        .connect("localhost".try_into().unwrap(), stream)
        .await?;
    Ok(Connection::over(stream))
}

fn car(id: &str) -> String {
    event("Car", id, &json!({"a": 1})).to_string()
}

/// Posts as `name`; empty: without credentials.
async fn post(connection: &mut Connection, path: &str, name: &str, body: &str) -> Response {
    let token = format!("Bearer token-of-{name}");
    let mut headers = vec![("content-type", "application/json")];
    if !name.is_empty() {
        headers.push(("authorization", &token));
    }
    connection
        .request("POST", path, &headers, body.as_bytes())
        .await
}

async fn get(connection: &mut Connection, path: &str, name: &str) -> Response {
    let token = format!("Bearer token-of-{name}");
    let headers = [("authorization", token.as_str())];
    let headers = if name.is_empty() { &[] } else { &headers[..] };
    connection.request("GET", path, headers, b"").await
}

#[tokio::test]
async fn each_request_is_decided_by_who_sends_it() {
    let files = Files::new();
    files.write_principals(&[
        ("writer", "rights = [\"ingest:write\"]"),
        ("operator", "rights = [\"metrics:read\"]"),
    ]);
    let fixture = files.start(&[]).await;
    let connect = async || fixture.connect().await;
    for (name, status, error) in [
        ("", 401, "unauthenticated"),
        ("stranger", 401, "unauthenticated"),
        ("operator", 403, "permission_denied"),
        ("writer", 200, ""),
    ] {
        for path in [EVENTS, BULK] {
            let body = car("1");
            let body = if path == BULK {
                format!("[{body}]")
            } else {
                body
            };
            let answer = post(&mut connect().await, path, name, &body).await;
            assert_eq!(answer.status, status, "{name} {path} {}", answer.text());
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge, (status == 401).then_some("Bearer"), "{name}");
            if status != 200 {
                assert_eq!(answer.json()["error"], error);
                assert_eq!(answer.json()["success"], false);
            }
        }
    }
    for (name, path, status) in [
        ("", HEALTH, 200),
        ("stranger", HEALTH, 200),
        ("", "/metrics", 401),
        ("writer", "/metrics", 403),
        ("operator", "/metrics", 200),
        ("", "/no/such", 401),
        ("writer", "/no/such", 404),
        ("", EVENTS, 401),
        ("writer", EVENTS, 405),
    ] {
        let answer = get(&mut connect().await, path, name).await;
        assert_eq!(answer.status, status, "{name} {path} {}", answer.text());
    }
    // A browser asks without credentials what it may send.
    let preflight = [
        ("origin", "http://example.com"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ];
    let answer = connect()
        .await
        .request("OPTIONS", EVENTS, &preflight, b"")
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let headers = [("origin", "http://example.com")];
    let answer = connect()
        .await
        .request("POST", EVENTS, &headers, b"{}")
        .await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));

    let log = fixture.service.log();
    assert!(!log.contains("token-of"), "{log}");
    let hash = TokenHash::of(b"token-of-writer").to_hex();
    assert!(!log.contains(&hash), "{log}");
}

#[tokio::test]
async fn a_refusal_comes_before_the_body() {
    let files = Files::new();
    files.write_principals(&[("operator", "rights = [\"metrics:read\"]")]);
    let fixture = files.start(&[]).await;
    for (authorization, status) in [
        ("", 401),
        ("authorization: Bearer token-of-operator\r\n", 403),
    ] {
        let mut connection = fixture.connect().await;
        let head = format!(
            "POST {EVENTS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{authorization}content-length: 900000\r\n\r\n"
        );
        connection.send(head.as_bytes()).await.unwrap();
        let answer = connection.receive(false).await.unwrap();
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn over_a_limit_is_429_with_retry_after() {
    let files = Files::new();
    let rights = "rights = [\"ingest:write\"]";
    files.write_principals(&[
        (
            "events",
            &format!("{rights}\nlimits = {{ events_per_second = 5 }}"),
        ),
        (
            "bytes",
            &format!("{rights}\nlimits = {{ bytes_per_second = 1000 }}"),
        ),
        ("free", rights),
    ]);
    let fixture = files.start(&[]).await;
    let mut connection = fixture.connect().await;
    let bulk = |count: usize| {
        let events: Vec<String> = (0..count).map(|index| car(&index.to_string())).collect();
        format!("[{}]", events.join(","))
    };
    let limited = |answer: &Response| {
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert_eq!(answer.json()["error"], "resource_exhausted");
        let after: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=5).contains(&after), "{after}");
    };
    // A bulk request of five is the whole second; it is refused as a whole where it does not fit.
    let answer = post(&mut connection, BULK, "events", &bulk(6)).await;
    limited(&answer);
    let answer = post(&mut connection, BULK, "events", &bulk(5)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = post(&mut connection, BULK, "events", &bulk(5)).await;
    limited(&answer);
    let body = car("large").replace(":1}", &format!(":\"{}\"}}", "x".repeat(600)));
    let answer = post(&mut fixture.connect().await, EVENTS, "bytes", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = post(&mut fixture.connect().await, EVENTS, "bytes", &body).await;
    limited(&answer);
    // Others are not held up.
    for _ in 0..20 {
        let answer = post(&mut connection, EVENTS, "free", &car("free")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[tokio::test]
async fn addresses_have_limits_where_there_are_no_principals() {
    let fixture =
        Fixture::start_with(&[("PEER_EVENTS_PER_SECOND", "3"), ("PEER_CONNECTIONS", "2")]).await;
    let (mut first, mut second) = (fixture.connect().await, fixture.connect().await);
    assert_eq!(get(&mut second, HEALTH, "").await.status, 200);
    for _ in 0..3 {
        assert_eq!(post(&mut first, EVENTS, "", &car("1")).await.status, 200);
    }
    let mut third = fixture.connect().await;
    assert!(third.is_closed_within(Duration::from_secs(5)).await);
    // One address is one caller, over all its connections.
    drop(second);
    testkit::eventually("more than three a second are refused", async || {
        let mut connection = fixture.connect().await;
        let (headers, body) = ([("content-type", "application/json")], car("1"));
        let answer = connection.try_request("POST", EVENTS, &headers, body.as_bytes());
        answer.await.is_ok_and(|answer| answer.status == 429)
    })
    .await;
}

#[tokio::test]
async fn tls_serves_and_knows_clients_by_their_certificate() {
    let files = Files::new();
    let folder = files.folder.path();
    files.authority.issue(folder, "client", "acme.example");
    files.authority.issue(folder, "other", "other.example");
    let certificate = "certificate = [\"acme.example\"]\nrights = [\"ingest:write\"]";
    files.write_principals(&[("acme", certificate)]);
    let (cert, key) = (files.path("server.pem"), files.path("server.key"));
    let ca = files.path("own.ca.pem");
    let tls = [
        ("TLS_CERT", cert.as_str()),
        ("TLS_KEY", key.as_str()),
        ("TLS_CLIENT_CA", ca.as_str()),
        ("TLS_CLIENT_AUTH", "optional"),
    ];
    let fixture = files.start(&tls).await;
    let address = fixture.service.http();
    let mut bare = over_tls(address, &files.client(None)).await.unwrap();
    assert_eq!(get(&mut bare, HEALTH, "").await.status, 200);
    assert_eq!(post(&mut bare, EVENTS, "", &car("1")).await.status, 401);
    let mut acme = over_tls(address, &files.client(Some("client")))
        .await
        .unwrap();
    assert_eq!(post(&mut acme, EVENTS, "", &car("1")).await.status, 200);
    let mut other = over_tls(address, &files.client(Some("other")))
        .await
        .unwrap();
    assert_eq!(post(&mut other, EVENTS, "", &car("1")).await.status, 401);
    // In the clear nothing is answered.
    let mut clear = Connection::open(address).await;
    assert!(clear.try_request("GET", HEALTH, &[], b"").await.is_err());

    // The command `health` comes with the server's own certificate.
    let port = address.port().to_string();
    let mut settings = vec![("SERVER_PORT", port.as_str())];
    settings.extend(tls);
    let mut health = Service::spawn(BINARY, &["health"], &settings);
    assert!(health.wait().success(), "{}", health.log());

    // A new certificate is taken; the open connection goes on.
    let renewed = Authority::new();
    renewed.issue(folder, "server", "localhost");
    renewed.write(folder, "renewed");
    let with_renewed = ClientTls {
        roots: ("ca", Roots::File(folder.join("renewed.ca.pem"))),
        ..files.client(None)
    };
    testkit::eventually("the new certificate", async || {
        over_tls(address, &with_renewed).await.is_ok()
    })
    .await;
    assert_eq!(post(&mut acme, EVENTS, "", &car("2")).await.status, 200);
}

#[tokio::test]
async fn a_changed_principals_file_is_in_force_and_a_wrong_one_is_not() {
    let files = Files::new();
    let rights = "rights = [\"ingest:write\"]";
    files.write_principals(&[("old", rights), ("kept", rights)]);
    let fixture = files.start(&[]).await;
    let mut connection = fixture.connect().await;
    assert_eq!(
        post(&mut connection, EVENTS, "old", &car("1")).await.status,
        200
    );

    std::fs::write(
        Path::new(&files.path("principals.toml")),
        "[[principal]]\nnam = 1",
    )
    .unwrap();
    let log = fixture
        .service
        .wait_for_log("stay in force", Duration::from_secs(10));
    let line = log.expect("an error in the log");
    assert!(
        line.contains("ERROR") && line.contains("principals.toml: line 2"),
        "{line}"
    );
    assert_eq!(
        post(&mut connection, EVENTS, "old", &car("1")).await.status,
        200
    );

    files.write_principals(&[("kept", rights)]);
    testkit::eventually("the deleted user is refused", async || {
        post(&mut fixture.connect().await, EVENTS, "old", &car("1"))
            .await
            .status
            == 401
    })
    .await;
    let mut connection = fixture.connect().await;
    assert_eq!(
        post(&mut connection, EVENTS, "kept", &car("1"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn wrong_settings_end_the_start_and_are_named() {
    let files = Files::new();
    files.write_principals(&[("a", "")]);
    let (cert, key) = (files.path("server.pem"), files.path("server.key"));
    let (principals, missing) = (files.path("principals.toml"), files.path("missing"));
    for (settings, parts) in [
        (
            &[("TLS_CERT", cert.as_str())][..],
            ["TLS_CERT is set and TLS_KEY is not", "set both"],
        ),
        (
            &[("TLS_CERT", &cert), ("TLS_KEY", &cert)],
            ["TLS_KEY", "no private key inside"],
        ),
        (
            &[("TLS_CERT", &key), ("TLS_KEY", &key)],
            ["TLS_CERT", "no certificate inside"],
        ),
        (
            &[("PRINCIPALS_FILE", &missing)],
            ["PRINCIPALS_FILE", "no such file"],
        ),
        (
            &[("PRINCIPALS_FILE", &cert)],
            ["PRINCIPALS_FILE", "line 1: not TOML"],
        ),
        (
            &[
                ("PRINCIPALS_FILE", &principals),
                ("TLS_CLIENT_AUTH", "required"),
            ],
            ["TLS_CLIENT_AUTH", "TLS_CERT"],
        ),
    ] {
        let mut service = Service::spawn(BINARY, &[], settings);
        assert_eq!(
            service.wait().code(),
            Some(1),
            "{settings:?} {}",
            service.log()
        );
        for part in parts {
            service.told(part);
        }
    }
}

#[tokio::test]
async fn an_open_address_is_warned_of_once() {
    for (host, lines) in [("0.0.0.0", 1), ("127.0.0.1", 0)] {
        let fixture = Fixture::start_with(&[("HOST", host)]).await;
        let log = fixture.service.log();
        let found = log.matches("without TLS and without principals").count();
        assert_eq!(found, lines, "{log}");
    }
}

#[tokio::test]
async fn a_path_in_percent_encoding_needs_what_the_path_needs() {
    let files = Files::new();
    let limited = "rights = [\"ingest:write\"]\nlimits = { events_per_second = 2 }";
    files.write_principals(&[
        ("writer", limited),
        ("operator", "rights = [\"metrics:read\"]"),
    ]);
    let fixture = files.start(&[]).await;
    let connect = async || fixture.connect().await;
    for (path, bulk) in [
        ("/api/v1/%65vents", false),
        ("/%61pi/v1/events/%62ulk", true),
    ] {
        let body = if bulk {
            format!("[{}]", car("1"))
        } else {
            car("1")
        };
        for (name, status) in [("", 401), ("operator", 403)] {
            let answer = post(&mut connect().await, path, name, &body).await;
            assert_eq!(answer.status, status, "{name} {path} {}", answer.text());
        }
    }
    for (name, status) in [("", 401), ("writer", 403), ("operator", 200)] {
        let answer = get(&mut connect().await, "/%6detrics", name).await;
        assert_eq!(answer.status, status, "{name}");
    }
    testkit::eventually("it counts against the limit too", async || {
        let mut connection = connect().await;
        post(&mut connection, "/api/v1/%65vents", "writer", &car("1"))
            .await
            .status
            == 429
    })
    .await;
}

#[tokio::test]
async fn a_principal_has_as_many_connections_as_it_may() {
    let files = Files::new();
    let limited = "rights = [\"ingest:write\"]\nlimits = { connections = 2 }";
    files.write_principals(&[("acme", limited), ("other", "rights = [\"ingest:write\"]")]);
    let fixture = files.start(&[]).await;
    let (mut first, mut second) = (fixture.connect().await, fixture.connect().await);
    for connection in [&mut first, &mut second] {
        assert_eq!(
            post(connection, EVENTS, "acme", &car("1")).await.status,
            200
        );
    }
    let mut third = fixture.connect().await;
    let refused = post(&mut third, EVENTS, "acme", &car("1")).await;
    let told = (
        refused.status,
        refused.header("retry-after"),
        &refused.json()["error"],
    );
    assert_eq!(told, (429, Some("1"), &json!("resource_exhausted")));
    let message =
        "the limit of 2 open connections is reached: close one, or use those that are open";
    assert_eq!(refused.json()["message"], message);
    // Those that are open go on, and others are not concerned.
    assert_eq!(
        post(&mut first, EVENTS, "acme", &car("1")).await.status,
        200
    );
    let mut others = fixture.connect().await;
    assert_eq!(
        post(&mut others, EVENTS, "other", &car("1")).await.status,
        200
    );
    drop(second);
    testkit::eventually("a place is given back", async || {
        let mut connection = fixture.connect().await;
        post(&mut connection, EVENTS, "acme", &car("1"))
            .await
            .status
            == 200
    })
    .await;
}

#[test]
fn the_port_is_hardened_as_openssl_sees_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(testkit::Database::fresh());
    testkit::openssl::hardened(&[Face::Http], |settings| serve(database.url(), settings));
}
