//! Principals and TLS over both faces, and the command line that comes with a token.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::immutable_log::immutable_log_service_client::ImmutableLogServiceClient;
use api::immutable_log::{
    AppendRequest, GetLastEntryRequest, ListPartitionsRequest, TailRequest, VerifyRequest,
};
use api::takhin::takhin_service_client::TakhinServiceClient;
use api::takhin::{
    CommitOffsetRequest, ConsumeMessagesRequest, CreateTopicRequest, DescribeConsumerGroupRequest,
    DescribeTopicsRequest, GetTopicRequest, ListConsumerGroupsRequest, ListTopicsRequest,
    ProduceMessageRequest, Record,
};
use protect::ClientArgs;
use protect::principals::tokens::TokenHash;
use runtime::grpc::ClientChannel;
use tempfile::TempDir;
use testkit::http::{Connection, Response};
use testkit::openssl::Face;
use testkit::process::Service;
use testkit::tls::Authority;
use tonic::{Code, Status};

use crate::support::{BINARY, serve};

const ACME: &str = r#"rights = ["topics:produce:acme.*", "topics:consume:acme.*", "topics:admin:acme.*", "groups:use:acme.*", "chains:append:acme-*", "chains:read:acme-*"]"#;

/// A server with two tenants, acme and globex, each with the rights for its own names. The token of NAME is `token-of-NAME`.
struct Tenants {
    folder: TempDir,
    service: Service,
}

impl Tenants {
    fn start(settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        write_principals(folder.path(), &["acme", "globex"]);
        let principals = folder.path().join("principals.toml");
        let mut all = vec![
            ("PRINCIPALS_FILE", principals.to_str().unwrap()),
            ("PROTECTION_RELOAD_INTERVAL", "100ms"),
            ("LOG_LEVEL", "debug"),
        ];
        all.extend_from_slice(settings);
        let service = serve(&folder.path().join("data"), &all);
        Self { folder, service }
    }

    async fn rest(&self, name: &str, method: &str, path: &str, body: &str) -> Response {
        let token = format!("Bearer token-of-{name}");
        let headers = [
            ("content-type", "application/json"),
            ("authorization", token.as_str()),
        ];
        let mut connection = Connection::open(self.service.http()).await;
        connection
            .request(method, path, &headers, body.as_bytes())
            .await
    }

    async fn channel(&self, name: &str) -> ClientChannel {
        let client = ClientArgs {
            token_file: Some(self.token_file(name)),
            ..ClientArgs::default()
        };
        let address = self.service.grpc().to_string();
        runtime::grpc::connect(&address, &client).await.unwrap()
    }

    async fn topics(&self, name: &str) -> TakhinServiceClient<ClientChannel> {
        TakhinServiceClient::new(self.channel(name).await)
    }

    async fn chains(&self, name: &str) -> ImmutableLogServiceClient<ClientChannel> {
        ImmutableLogServiceClient::new(self.channel(name).await)
    }

    fn token_file(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.token"));
        std::fs::write(&path, format!("token-of-{name}\n")).unwrap();
        path
    }
}

fn write_principals(folder: &Path, names: &[&str]) {
    let entry = |name: &&str| {
        let hash = TokenHash::of(format!("token-of-{name}").as_bytes()).to_hex();
        let rights = ACME.replace("acme", name);
        format!("[[principal]]\nname = \"{name}\"\ntoken_sha256 = [\"{hash}\"]\n{rights}\n")
    };
    let text: String = names.iter().map(entry).collect();
    let beside = folder.join("principals.new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, folder.join("principals.toml")).unwrap();
}

/// The same refusal, in the same words, over both faces.
fn assert_denied(rest: &Response, grpc: &Status, right: &str) {
    let message = format!("the right {right} is missing");
    assert_eq!(rest.status, 403, "{}", rest.text());
    assert_eq!(rest.json()["error"], "permission_denied");
    assert_eq!(rest.json()["message"], message);
    assert_eq!(
        (grpc.code(), grpc.message()),
        (Code::PermissionDenied, &*message)
    );
}

fn produce(topic: &str) -> ProduceMessageRequest {
    ProduceMessageRequest {
        topic: topic.to_owned(),
        record: Some(Record {
            value: b"v".to_vec().into(),
            ..Record::default()
        }),
        required_acks: 1,
        ..ProduceMessageRequest::default()
    }
}

#[tokio::test]
async fn tenants_never_see_one_anothers_topics_and_groups() {
    let tenants = Tenants::start(&[]);
    let (mut acme, mut globex) = (tenants.topics("acme").await, tenants.topics("globex").await);
    let made = tenants
        .rest(
            "acme",
            "POST",
            "/api/v1/topics",
            r#"{"name":"acme.orders"}"#,
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let create = |name: &str| CreateTopicRequest {
        name: name.to_owned(),
        ..CreateTopicRequest::default()
    };
    let made = globex.create_topic(create("globex.orders")).await.unwrap();
    assert!(made.into_inner().success);

    // A name of another tenant is refused, whether or not it exists.
    for name in ["globex.orders", "globex.none"] {
        let body = format!(r#"{{"name":"{name}"}}"#);
        let rest = tenants.rest("acme", "POST", "/api/v1/topics", &body).await;
        let grpc = acme.create_topic(create(name)).await.unwrap_err();
        assert_denied(&rest, &grpc, &format!("topics:admin:{name}"));

        let path = format!("/api/v1/topics/{name}");
        let rest = tenants.rest("acme", "GET", &path, "").await;
        let get = GetTopicRequest {
            name: name.to_owned(),
        };
        let grpc = acme.get_topic(get).await.unwrap_err();
        assert_denied(&rest, &grpc, &format!("topics:consume:{name}"));

        let records = r#"{"records":[{"value":"v"}]}"#;
        let rest = tenants
            .rest("acme", "POST", &format!("{path}/records"), records)
            .await;
        let grpc = acme.produce_message(produce(name)).await.unwrap_err();
        assert_denied(&rest, &grpc, &format!("topics:produce:{name}"));

        let rest = tenants
            .rest("acme", "GET", &format!("{path}/partitions/0/records"), "")
            .await;
        let consume = ConsumeMessagesRequest {
            topic: name.to_owned(),
            ..ConsumeMessagesRequest::default()
        };
        let grpc = acme.consume_messages(consume).await.unwrap_err();
        assert_denied(&rest, &grpc, &format!("topics:consume:{name}"));
    }
    let listed = tenants.rest("acme", "GET", "/api/v1/topics", "").await;
    assert_eq!(listed.json()["topics"], serde_json::json!(["acme.orders"]));
    let listed = globex.list_topics(ListTopicsRequest {}).await.unwrap();
    assert_eq!(listed.into_inner().topics, ["globex.orders"]);
    let described = globex
        .describe_topics(DescribeTopicsRequest::default())
        .await;
    let described = described.unwrap().into_inner().topics;
    assert_eq!(described.len(), 1);
    assert_eq!(described[0].name, "globex.orders");

    let commit = CommitOffsetRequest {
        group_id: "acme.g".to_owned(),
        offsets: Vec::new(),
    };
    let rest = tenants
        .rest("globex", "GET", "/api/v1/groups/acme.g", "")
        .await;
    let describe = DescribeConsumerGroupRequest {
        group_id: "acme.g".to_owned(),
    };
    let grpc = globex.describe_consumer_group(describe).await.unwrap_err();
    assert_denied(&rest, &grpc, "groups:use:acme.g");
    let rest = tenants
        .rest(
            "globex",
            "PUT",
            "/api/v1/groups/acme.g/offsets",
            r#"{"offsets":[]}"#,
        )
        .await;
    let grpc = globex.commit_offset(commit).await.unwrap_err();
    assert_denied(&rest, &grpc, "groups:use:acme.g");
    let offsets = r#"{"offsets":[{"topic":"acme.orders","partition":0,"offset":0}]}"#;
    let committed = tenants
        .rest("acme", "PUT", "/api/v1/groups/acme.g/offsets", offsets)
        .await;
    assert_eq!(committed.status, 200, "{}", committed.text());
    let groups = acme
        .list_consumer_groups(ListConsumerGroupsRequest {})
        .await;
    assert_eq!(groups.unwrap().into_inner().groups.len(), 1);
    let groups = globex
        .list_consumer_groups(ListConsumerGroupsRequest {})
        .await;
    assert_eq!(groups.unwrap().into_inner().groups.len(), 0);

    let metrics = tenants.rest("acme", "GET", "/metrics", "").await;
    assert_eq!(metrics.status, 403);
    let log = tenants.service.log();
    assert!(!log.contains("token-of"), "{log}");
}

#[tokio::test]
async fn a_stream_of_messages_refuses_those_to_others_and_goes_on() {
    let tenants = Tenants::start(&[]);
    for name in ["acme", "globex"] {
        let body = format!(r#"{{"name":"{name}.orders"}}"#);
        let made = tenants.rest(name, "POST", "/api/v1/topics", &body).await;
        assert_eq!(made.status, 201);
    }
    let messages = ["acme.orders", "globex.orders", "acme.orders"].map(produce);
    let answers = tenants
        .topics("acme")
        .await
        .produce_message_stream(futures_util::stream::iter(messages))
        .await;
    let mut answers = answers.unwrap().into_inner();
    let mut errors = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        errors.push(answer.error);
    }
    let refused = "the right topics:produce:globex.orders is missing";
    assert_eq!(errors, ["", refused, ""]);
}

#[tokio::test]
async fn tenants_never_see_one_anothers_chains() {
    let tenants = Tenants::start(&[]);
    let (mut acme, mut globex) = (tenants.chains("acme").await, tenants.chains("globex").await);
    let append = |partition: &str| AppendRequest {
        partition: partition.to_owned(),
        data: "{}".to_owned(),
    };
    assert!(
        acme.append(append("acme-a"))
            .await
            .unwrap()
            .into_inner()
            .success
    );
    for partition in ["acme-a", "acme-none"] {
        let path = format!("/api/v1/logs/{partition}");
        let rest = tenants.rest("globex", "POST", &path, "{}").await;
        let grpc = globex.append(append(partition)).await.unwrap_err();
        assert_denied(&rest, &grpc, &format!("chains:append:{partition}"));
        let right = format!("chains:read:{partition}");
        for end in ["", "/last", "/verify", "/tail"] {
            let rest = tenants
                .rest("globex", "GET", &format!("{path}{end}"), "")
                .await;
            let last = GetLastEntryRequest {
                partition: partition.to_owned(),
            };
            let grpc = globex.get_last_entry(last).await.unwrap_err();
            assert_denied(&rest, &grpc, &right);
        }
        let verify = VerifyRequest {
            partition: partition.to_owned(),
        };
        let denied = globex.verify(verify).await.unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied);
    }
    let listed = globex
        .list_partitions(ListPartitionsRequest {})
        .await
        .unwrap();
    assert!(listed.into_inner().partitions.is_empty());
    let listed = tenants.rest("acme", "GET", "/api/v1/logs", "").await;
    assert_eq!(listed.json()["partitions"], serde_json::json!(["acme-a"]));
}

#[tokio::test]
async fn the_streams_of_a_deleted_user_end() {
    let tenants = Tenants::start(&[]);
    let made = tenants
        .rest("acme", "POST", "/api/v1/logs/acme-a", "{}")
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let tail = TailRequest {
        partition: "acme-a".to_owned(),
        start_seq: Some(0),
        follow: true,
    };
    let mut open = tenants
        .chains("acme")
        .await
        .tail(tail)
        .await
        .unwrap()
        .into_inner();
    assert!(open.message().await.unwrap().is_some());
    let mut sse = Connection::open(tenants.service.http()).await;
    let head = "GET /api/v1/logs/acme-a/tail HTTP/1.1\r\nhost: x\r\nauthorization: Bearer token-of-acme\r\n\r\n";
    sse.send(head.as_bytes()).await.unwrap();

    write_principals(tenants.folder.path(), &["globex"]);
    let ended = tokio::time::timeout(Duration::from_secs(20), open.message()).await;
    let ended = ended.expect("in time").unwrap_err();
    assert_eq!(ended.code(), Code::Unauthenticated, "{ended:?}");
    let answer = sse.receive(false).await.expect("the end of the body");
    assert_eq!(answer.status, 200);
    let after = tenants.rest("acme", "GET", "/api/v1/logs", "").await;
    assert_eq!(after.status, 401);
}

/// Runs the command line; whether it succeeded, and what it printed.
fn run(arguments: &[&str]) -> (bool, String) {
    let output = std::process::Command::new(BINARY)
        .args(arguments)
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).unwrap())
}

#[tokio::test]
async fn the_command_line_comes_over_tls_with_a_token() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new();
    let (cert, key) = authority.issue(folder.path(), "server", "localhost");
    let ca = authority.write(folder.path(), "own");
    let [cert, key, ca] = [cert, key, ca].map(|path| path.to_str().unwrap().to_owned());
    let tenants = Tenants::start(&[("TLS_CERT", &cert), ("TLS_KEY", &key)]);
    let address = format!("https://localhost:{}", tenants.service.grpc().port());
    let (good, bad) = (tenants.token_file("acme"), tenants.token_file("nobody"));
    let append = |token: &Path| {
        let token = token.to_str().unwrap();
        run(&[
            "append",
            "--addr",
            &address,
            "--tls-ca",
            &ca,
            "--token-file",
            token,
            "acme-a",
            "{}",
        ])
    };
    let (succeeded, printed) = append(&good);
    assert!(succeeded && printed.contains("\"seq\":0"), "{printed}");
    let (succeeded, printed) = append(&bad);
    assert!(
        !succeeded && printed.contains("credentials are not valid"),
        "{printed}"
    );
    assert!(!printed.contains("token-of"), "{printed}");
    let (succeeded, printed) = run(&["list", "--addr", &address]);
    assert!(
        !succeeded,
        "the machine's authorities do not know this one: {printed}"
    );

    // The health command comes with the server's own certificate.
    let port = tenants.service.http().port().to_string();
    let settings = [
        ("SERVER_PORT", &*port),
        ("TLS_CERT", &cert),
        ("TLS_KEY", &key),
    ];
    let mut health = Service::spawn(BINARY, &["health"], &settings);
    assert!(health.wait().success(), "{}", health.log());
}

#[test]
fn a_new_token_comes_with_the_line_for_the_principals_file() {
    let (succeeded, printed) = run(&["token", "new"]);
    assert!(succeeded, "{printed}");
    let (token, line) = printed.trim_end().split_once('\n').unwrap();
    let hash = TokenHash::of(token.as_bytes()).to_hex();
    assert_eq!(line, format!("token_sha256 = [\"{hash}\"]"));
    let (_, other) = run(&["token", "new"]);
    assert!(!other.contains(token), "each is new");
}

#[test]
fn both_ports_are_hardened_as_openssl_sees_them() {
    let folder = TempDir::new().unwrap();
    let number = std::cell::Cell::new(0);
    testkit::openssl::hardened(&[Face::Grpc, Face::Http], |settings| {
        // A directory has one server at a time.
        number.set(number.get() + 1);
        serve(&folder.path().join(number.get().to_string()), settings)
    });
}
