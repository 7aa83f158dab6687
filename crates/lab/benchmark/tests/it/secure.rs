//! Targets over TLS that ask for a client certificate and a token, over every interface.

use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use protect::principals::tokens::TokenHash;
use serde_json::Value;
use tempfile::TempDir;
use testkit::Database;
use testkit::process::Service;
use testkit::tls::Authority;

use crate::process::{command, json};
use crate::services::{self, build, root};

const TOKEN: &str = "weir_of_the_load_s3cret";
const RIGHTS: &str = r#"["ingest:write", "balance:read", "stream:read", "topics:admin", "topics:produce", "topics:consume", "chains:append", "chains:read"]"#;

/// Certificates and principals of a test.
struct Secrets {
    folder: TempDir,
    authority: Authority,
}

impl Secrets {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        authority.issue(folder.path(), "server", "localhost");
        authority.issue(folder.path(), "client", "load.example");
        authority.write(folder.path(), "own");
        let hash = TokenHash::of(TOKEN.as_bytes()).to_hex();
        let principals = format!(
            "[[principal]]\nname = \"load\"\ntoken_sha256 = [\"{hash}\"]\nrights = {RIGHTS}\n"
        );
        std::fs::write(folder.path().join("principals.toml"), principals).unwrap();
        Self { folder, authority }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// What a service is told that shows itself, asks for a certificate and for a token.
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("TLS_CERT", self.file("server.pem")),
            ("TLS_KEY", self.file("server.key")),
            ("TLS_CLIENT_CA", self.file("own.ca.pem")),
            ("TLS_CLIENT_AUTH", "required".to_owned()),
            ("PRINCIPALS_FILE", self.file("principals.toml")),
        ]
    }

    /// The options of a client that the service believes; the token is not among them.
    fn options(&self) -> Vec<String> {
        [
            ("--tls-ca", "own.ca.pem"),
            ("--tls-cert", "client.pem"),
            ("--tls-key", "client.key"),
        ]
        .iter()
        .flat_map(|(option, file)| [(*option).to_owned(), self.file(file)])
        .collect()
    }
}

/// A service with its database, if it has one.
struct Secured {
    service: Service,
    secrets: Secrets,
    _database: Option<Database>,
}

impl Secured {
    async fn start(name: &'static str, seed: Option<&'static str>) -> Self {
        let secrets = Secrets::new();
        let mut settings = secrets.settings();
        let database = match name {
            "event-log" => None,
            _ => Some(Database::fresh().await),
        };
        match &database {
            Some(database) => settings.push(("DATABASE_URL", database.url().to_owned())),
            None => settings.push(("EVENT_LOG_DIR", "data".into())),
        }
        let service = tokio::task::spawn_blocking(move || {
            let binary: PathBuf = build(&[name]).join(name);
            let settings: Vec<_> = settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let arguments: &[&str] = if name == "event-log" { &["serve"] } else { &[] };
            let service = Service::spawn(binary, arguments, &settings);
            let ready = service.wait_for_log("ready", Duration::from_secs(40));
            assert!(ready.is_some(), "{}", service.log());
            service
        });
        let service = service.await.unwrap();
        if let (Some(table), Some(database)) = (seed, &database) {
            let seed = std::fs::read_to_string(root().join(format!("postgres/seed/{table}.sql")));
            let client = database.client().await;
            client.batch_execute(&seed.unwrap()).await.unwrap();
            if table == "transactions" {
                services::numbered(&client).await;
            }
        }
        Self {
            service,
            secrets,
            _database: database,
        }
    }

    fn url(&self, protocol: &str) -> String {
        let address = match protocol {
            "rest" => self.service.http(),
            _ => self.service.grpc(),
        };
        format!("https://localhost:{}", address.port())
    }

    /// Runs `benchmark` with the token in its environment.
    async fn run(
        &self,
        protocol: &str,
        options: &[&str],
        secret: &[String],
        token: &str,
    ) -> Output {
        let mut command = command(&["--json=-", "--progress=none", "--warmup=0s"]);
        command
            .args(["--url", &self.url(protocol), "--protocol", protocol])
            .args(options)
            .args(secret)
            .env_remove("WEIR_TOKEN");
        if !token.is_empty() {
            command.env("WEIR_TOKEN", token);
        }
        command.output().await.unwrap()
    }

    /// Runs it as a client that the service believes, and gives its result.
    async fn good(&self, protocol: &str, options: &[&str]) -> Value {
        let options_of_tls = self.secrets.options();
        let output = self.run(protocol, options, &options_of_tls, TOKEN).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{protocol} {options:?}: {errors}"
        );
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &errors;
        assert!(!text.contains(TOKEN) && !text.contains("s3cret"), "{text}");
        let result = json(&output);
        assert_eq!(result["url"], self.url(protocol), "as it was called");
        result
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_over_tls_with_a_certificate_and_a_token() {
    for (name, protocol) in [("producer-rest", "rest"), ("producer-grpc", "grpc")] {
        let secured = Secured::start(name, None).await;
        let load = ["--duration=1s", "--concurrency=4", "--connections=4"];
        let result = secured.good(protocol, &load).await;
        assert!(
            result["events"]["acknowledged"].as_u64().unwrap() > 0,
            "{result}"
        );
        assert_eq!(result["requests"]["failed"], 0, "{result}");
        assert_eq!(result["connectionsOpened"], 4, "{result}");
        // In batches too, which have a head of their own.
        let batch = [
            "--duration=1s",
            "--concurrency=2",
            "--keys=1000",
            "--batch=10",
        ];
        let result = secured.good(protocol, &batch).await;
        assert_eq!(result["events"]["failed"], 0, "{result}");

        // Tickets that a server sends after the handshake are no reason to replace an idle connection.
        let idle = ["--rate=10", "--duration=2s", "--concurrency=4"];
        let result = secured.good(protocol, &idle).await;
        assert_eq!(result["connectionsReplaced"], 0, "{result}");

        // Without a token the service answers, and every answer is a refusal.
        let options = secured.secrets.options();
        let load = ["--duration=500ms", "--concurrency=1"];
        for token in ["", "another"] {
            let output = secured.run(protocol, &load, &options, token).await;
            assert_eq!(output.status.code(), Some(1));
            let result = json(&output);
            let refusal = match protocol {
                "rest" => "http 401",
                _ => "grpc UNAUTHENTICATED",
            };
            assert!(result["errors"][refusal].as_u64().unwrap() > 0, "{result}");
        }
        // Without its certificate, or without the authority, there is no connection.
        let stranger = Authority::new();
        stranger.write(secured.secrets.folder.path(), "stranger");
        let strange = [
            "--tls-ca".to_owned(),
            secured.secrets.file("stranger.ca.pem"),
        ];
        for secret in [&options[..2], &strange[..], &[]] {
            let output = secured.run(protocol, &load, secret, TOKEN).await;
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{secret:?}: {errors}");
            assert!(!errors.contains(TOKEN), "{errors}");
        }
        drop(secured.secrets.authority);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_balances_go_over_tls() {
    let secured = Secured::start("stream", Some("transactions")).await;
    let replay = [
        "--scenario=stream",
        "--clients=3",
        "--limit=500",
        "--duration=20s",
    ];
    for protocol in ["rest", "grpc"] {
        let result = secured.good(protocol, &replay).await;
        assert_eq!(result["passed"], true, "{result}");
    }
    let secured = Secured::start("balance", Some("accounts")).await;
    let load = ["--scenario=balance", "--duration=500ms", "--concurrency=2"];
    for protocol in ["rest", "grpc"] {
        let result = secured.good(protocol, &load).await;
        assert_eq!(result["requests"]["failed"], 0, "{result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_log_goes_over_tls() {
    let secured = Secured::start("event-log", None).await;
    for scenario in ["append", "tail", "verify", "produce"] {
        let scenario = format!("--scenario={scenario}");
        let load = [
            &scenario,
            "--duration=500ms",
            "--concurrency=2",
            "--entries=200",
        ];
        let result = secured.good("grpc", &load).await;
        assert_eq!(result["passed"], true, "{result}");
        assert_eq!(result["failed"], 0, "{result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_wrong_are_named_before_the_load() {
    for (option, file) in [
        ("--tls-ca", "/no/such/ca.pem"),
        ("--token-file", "/no/such/token"),
    ] {
        let output = command(&[option, file, "--url=https://127.0.0.1:1"])
            .output()
            .await;
        let output = output.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(errors.contains(option) && errors.contains(file), "{errors}");
    }
}
