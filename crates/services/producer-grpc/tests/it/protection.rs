//! TLS, principals and limits over gRPC.

use api::event::event_service_client::EventServiceClient;
use api::event::{EventRequest, HealthRequest};
use protect::ClientArgs;
use protect::principals::tokens::TokenHash;
use runtime::grpc::ClientChannel;
use tempfile::TempDir;
use testkit::openssl::Face;
use testkit::process::Service;
use testkit::tls::Authority;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::support::{BINARY, Fixture, event};

/// A service over TLS with these principals; the token of NAME is `token-of-NAME`.
struct Protected {
    folder: TempDir,
    authority: Authority,
    fixture: Fixture,
}

impl Protected {
    async fn start(principals: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let (cert, key) = authority.issue(folder.path(), "server", "localhost");
        let ca = authority.write(folder.path(), "own");
        let mut text = String::new();
        for (name, rest) in principals {
            let hash = TokenHash::of(format!("token-of-{name}").as_bytes()).to_hex();
            text +=
                &format!("[[principal]]\nname = \"{name}\"\ntoken_sha256 = [\"{hash}\"]\n{rest}\n");
        }
        let file = folder.path().join("principals.toml");
        std::fs::write(&file, text).unwrap();
        let [cert, key, ca, file] =
            [cert, key, ca, file].map(|path| path.to_str().unwrap().to_owned());
        let fixture = Fixture::start_with(&[
            ("TLS_CERT", &cert),
            ("TLS_KEY", &key),
            ("TLS_CLIENT_CA", &ca),
            ("TLS_CLIENT_AUTH", "optional"),
            ("PRINCIPALS_FILE", &file),
            ("LOG_LEVEL", "debug"),
        ])
        .await;
        Self {
            folder,
            authority,
            fixture,
        }
    }

    async fn connect(&self, args: ClientArgs) -> ClientChannel {
        let args = ClientArgs {
            tls_ca: Some(self.folder.path().join("own.ca.pem")),
            ..args
        };
        let address = format!("https://localhost:{}", self.fixture.service.grpc().port());
        runtime::grpc::connect(&address, &args).await.unwrap()
    }

    async fn channel(&self, name: &str) -> ClientChannel {
        let path = self.folder.path().join(format!("{name}.token"));
        std::fs::write(&path, format!("token-of-{name}\n")).unwrap();
        self.connect(ClientArgs {
            token_file: (!name.is_empty()).then_some(path),
            ..ClientArgs::default()
        })
        .await
    }

    async fn process(&self, name: &str) -> Result<(), Status> {
        let mut client = EventServiceClient::new(self.channel(name).await);
        client.process_event(car("1")).await.map(drop)
    }
}

fn car(id: &str) -> EventRequest {
    event("Car", id, r#"{"a":1}"#)
}

#[tokio::test]
async fn each_call_is_decided_by_who_makes_it() {
    let writer = "certificate = [\"acme.example\"]\nrights = [\"ingest:write\"]";
    let service = Protected::start(&[("writer", writer), ("nobody", "")]).await;
    for (name, code, message) in [
        (
            "",
            Code::Unauthenticated,
            "credentials are missing: send a bearer token or a client certificate",
        ),
        (
            "stranger",
            Code::Unauthenticated,
            "the credentials are not valid",
        ),
        (
            "nobody",
            Code::PermissionDenied,
            "the right ingest:write is missing",
        ),
    ] {
        let status = service.process(name).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, message), "{name}");
    }
    service.process("writer").await.unwrap();

    let (cert, key) = service
        .authority
        .issue(service.folder.path(), "client", "acme.example");
    let channel = service
        .connect(ClientArgs {
            tls_cert: Some(cert),
            tls_key: Some(key),
            ..ClientArgs::default()
        })
        .await;
    let mut client = EventServiceClient::new(channel);
    client
        .process_event(car("2"))
        .await
        .expect("known by its certificate");

    // Health is open, reflection is for principals.
    let channel = service.channel("").await;
    let mut events = EventServiceClient::new(channel.clone());
    let healthy = events.health_check(HealthRequest::default()).await;
    assert!(healthy.unwrap().into_inner().healthy);
    HealthClient::new(channel.clone())
        .check(HealthCheckRequest::default())
        .await
        .expect("open");
    let ask = || tokio_stream::once(ServerReflectionRequest::default());
    let mut reflection = ServerReflectionClient::new(channel);
    let status = reflection.server_reflection_info(ask()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let mut reflection = ServerReflectionClient::new(service.channel("nobody").await);
    reflection
        .server_reflection_info(ask())
        .await
        .expect("any principal");

    let log = service.fixture.service.log();
    assert!(!log.contains("token-of"), "{log}");
}

#[tokio::test]
async fn the_health_command_comes_with_the_servers_own_certificate() {
    let service = Protected::start(&[("a", "")]).await;
    let path = |name: &str| {
        service
            .folder
            .path()
            .join(name)
            .to_str()
            .unwrap()
            .to_owned()
    };
    let (cert, key) = (path("server.pem"), path("server.key"));
    let port = service.fixture.service.grpc().port().to_string();
    for (cert, key, healthy) in [
        (Some(&cert), Some(&key), true),
        // Without TLS it does not come through.
        (None, None, false),
    ] {
        let mut settings = vec![("GRPC_SERVER_PORT", port.as_str())];
        settings.extend(cert.map(|cert| ("TLS_CERT", cert.as_str())));
        settings.extend(key.map(|key| ("TLS_KEY", key.as_str())));
        let mut health = Service::spawn(BINARY, &["health"], &settings);
        assert_eq!(health.wait().success(), healthy, "{}", health.log());
    }
}

#[tokio::test]
async fn over_a_limit_is_resource_exhausted_with_retry_after_and_streams_are_held_back() {
    let limits = "limits = { events_per_second = 20, streams = 1 }";
    let writer = format!("rights = [\"ingest:write\"]\n{limits}");
    let service = Protected::start(&[("writer", &writer)]).await;
    let mut client = EventServiceClient::new(service.channel("writer").await);
    let mut refused = None;
    for id in 0..60 {
        if let Err(status) = client.process_event(car(&id.to_string())).await {
            refused = Some(status);
            break;
        }
    }
    let status = refused.expect("60 at once are more than 20 a second");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.metadata().get("retry-after").unwrap(), "1");

    // A stream of 40 takes a second and more, and loses nothing.
    let begun = std::time::Instant::now();
    let events = (0..40).map(|id| car(&format!("s{id}")));
    let outcomes = client.process_events(tokio_stream::iter(events)).await;
    let mut outcomes = outcomes.unwrap().into_inner();
    let second = client
        .process_events(tokio_stream::pending())
        .await
        .unwrap_err();
    assert_eq!(second.code(), Code::ResourceExhausted, "{second:?}");
    let mut stored = 0;
    while let Some(outcome) = outcomes.message().await.unwrap() {
        assert!(outcome.success, "{outcome:?}");
        stored += 1;
    }
    assert_eq!(stored, 40);
    let took = begun.elapsed();
    assert!(took > std::time::Duration::from_millis(900), "{took:?}");
}

#[tokio::test]
async fn a_principal_has_as_many_connections_as_it_may() {
    let limited = "rights = [\"ingest:write\"]\nlimits = { connections = 2 }";
    let service = Protected::start(&[("acme", limited)]).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut client = EventServiceClient::new(service.channel("acme").await);
        client.process_event(car("1")).await.unwrap();
        open.push(client);
    }
    let refused = service.process("acme").await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(
        refused.message().contains("2 open connections"),
        "{refused}"
    );
    assert_eq!(refused.metadata().get("retry-after").unwrap(), "1");
    // Those that are open go on.
    open[0].process_event(car("1")).await.unwrap();
    drop(open.pop());
    testkit::eventually("a place is given back", async || {
        service.process("acme").await.is_ok()
    })
    .await;
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
