//! Sessions and checks of targets over TLS.

use std::fs;

use testkit::tls::Authority;

use crate::checkout::{Checkout, text};

#[test]
fn a_target_over_tls_is_measured_beside_the_same_in_the_clear() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let targets = "producer-rest,producer-rest-tls,producer-grpc-tls";
    let arguments = ["run", "smoke", targets, "default", "--runtime", "native"];
    let (status, said) = checkout.run(&arguments);
    assert_eq!(status, 0, "{said}");
    for target in ["producer-rest", "producer-rest-tls", "producer-grpc-tls"] {
        let done = format!("{target} default: 5 events acknowledged, 5 stored");
        assert!(said.contains(&done), "{said}");
    }
    let key = checkout.path(".weir/tls/server.key");
    if key.exists() {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let report = fs::read_to_string(checkout.reports()[0].with_extension("md")).unwrap();
    assert!(report.contains("producer-rest-tls"), "{report}");
}

/// A service that somebody else has started, over TLS and with principals.
struct Elsewhere {
    folder: tempfile::TempDir,
    service: testkit::Service,
    database: testkit::Database,
    producer: &'static str,
}

const TOKEN: &str = "weir_elsewhere_s3cret";

impl Elsewhere {
    async fn start(producer: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let (cert, key) = authority.issue(folder.path(), "server", "localhost");
        let ca = authority.write(folder.path(), "own");
        authority.issue(folder.path(), "client", "load.example");
        let hash = protect::principals::tokens::TokenHash::of(TOKEN.as_bytes()).to_hex();
        let principals = folder.path().join("principals.toml");
        let line = format!(
            "[[principal]]\nname = \"lab\"\ntoken_sha256 = [\"{hash}\"]\nrights = [\"ingest:write\"]\n"
        );
        fs::write(&principals, line).unwrap();
        fs::write(folder.path().join("token"), TOKEN).unwrap();
        let database = testkit::Database::fresh().await;
        let files = [cert, key, ca, principals].map(|path| path.to_str().unwrap().to_owned());
        let url = database.url().to_owned();
        let service = tokio::task::spawn_blocking(move || {
            let binary = crate::checkout::built(producer);
            let [cert, key, ca, principals] = files;
            testkit::Service::start(
                binary,
                &[
                    ("DATABASE_URL", &url),
                    ("TLS_CERT", &cert),
                    ("TLS_KEY", &key),
                    ("TLS_CLIENT_CA", &ca),
                    ("TLS_CLIENT_AUTH", "required"),
                    ("PRINCIPALS_FILE", &principals),
                ],
            )
        });
        Self {
            folder,
            service: service.await.unwrap(),
            database,
            producer,
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.port())
    }

    fn port(&self) -> u16 {
        match self.producer {
            "producer-rest" => self.service.http().port(),
            _ => self.service.grpc().port(),
        }
    }

    fn options(&self) -> Vec<String> {
        [
            ("--tls-ca", "own.ca.pem"),
            ("--tls-cert", "client.pem"),
            ("--tls-key", "client.key"),
            ("--token-file", "token"),
        ]
        .iter()
        .flat_map(|(option, file)| [(*option).to_owned(), self.file(file)])
        .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_comes_over_tls_with_a_certificate_and_a_token() {
    let elsewhere = Elsewhere::start("producer-rest").await;
    let weir = |options: Vec<String>| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_weir"));
        command
            .args(["verify", "producer-rest", "--url", &elsewhere.url()])
            .args(["--database-url", elsewhere.database.url()])
            .args(options)
            .env("WEIR_ROOT", crate::checkout::repository())
            .env_remove("WEIR_TOKEN");
        command
    };
    let run = |mut command: std::process::Command| {
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let output = run(weir(elsewhere.options())).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    // The token may come in the environment instead.
    let mut from_environment = weir(elsewhere.options()[..6].to_vec());
    from_environment.env("WEIR_TOKEN", TOKEN);
    let output = run(from_environment).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    // Without it, or without the certificate, the cases fail and nothing repeats the token.
    for (options, reason) in [
        (elsewhere.options()[..6].to_vec(), "401"),
        (elsewhere.options()[..2].to_vec(), "FAILED"),
    ] {
        let output = run(weir(options)).await.unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(reason) && !said.contains(TOKEN), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_measures_a_protected_service_elsewhere() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let elsewhere = Elsewhere::start("producer-rest").await;
    let list = checkout.path("load-test/targets.toml");
    let mut targets = fs::read_to_string(&list).unwrap();
    targets += &format!(
        "\n[[target]]\nname = \"elsewhere\"\nscenario = \"ingest\"\nprotocol = \"rest\"\nscript = \"rest-api-test.js\"\n\
         default = false\nurl = \"{}\"\n[target.rest]\npath = \"/api/v1/events\"\nhealth = \"/api/v1/events/health\"\n",
        elsewhere.url()
    );
    fs::write(&list, targets).unwrap();
    let arguments = [
        "run",
        "smoke",
        "elsewhere",
        "default",
        "--runtime",
        "native",
    ];
    let mut command = checkout.weir(&arguments);
    command.args(elsewhere.options());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let said = text(&output);
    // It writes to a database that is not the lab's, so the contract fails there, after health was reached over TLS: had it
    // not been, the session would say that it is not healthy.
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the contract is broken"), "{said}");
    assert!(!said.contains(TOKEN), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn k6_scripts_come_over_tls_with_a_certificate_and_a_token() {
    let repository = crate::checkout::repository();
    let Some(tools) = lab_host::tools::Tools::find(&repository) else {
        testkit::left_out("there is no k6: run scripts/native-tools.sh first");
        return;
    };
    for (producer, script) in [
        ("producer-rest", "rest-api-test.js"),
        ("producer-grpc", "grpc-api-test.js"),
    ] {
        let elsewhere = Elsewhere::start(producer).await;
        for (token, status, said) in [(TOKEN, 0, " 5 acknowledged"), ("", 99, " 0 acknowledged")] {
            let mut k6 = std::process::Command::new(&tools.k6);
            k6.args(["run", "--quiet", "--no-usage-report"])
                .arg(repository.join("load-test/k6").join(script))
                .env("PROTO_DIR", repository.join("proto"))
                .env("HOST", "localhost")
                .env("PORT", elsewhere.port().to_string())
                .env("SCHEME", "https")
                .env("SSL_CERT_FILE", elsewhere.file("own.ca.pem"))
                .env("TLS_CLIENT_CERT", elsewhere.file("client.pem"))
                .env("TLS_CLIENT_KEY", elsewhere.file("client.key"))
                .env("WEIR_TOKEN", token);
            let output = tokio::task::spawn_blocking(move || k6.output().unwrap());
            let output = output.await.unwrap();
            let answer = text(&output);
            assert_eq!(output.status.code(), Some(status), "{script}: {answer}");
            assert!(answer.contains(said), "{script}: {answer}");
            assert!(!answer.contains(TOKEN), "{script}: {answer}");
        }
    }
}
