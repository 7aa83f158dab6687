use clap::Parser;

use super::*;
use crate::principals::tokens::TokenHash;
use crate::rights::Verb;

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    protection: ProtectionConfig,
}

fn access(call: Call<'_>) -> Demand {
    match call {
        Call::Rest {
            method: "POST",
            path: "/api/v1/events",
        } => Demand::right(Verb::IngestWrite),
        Call::Grpc { path: "/s/Tail" } => Demand::right(Verb::ChainsRead).streaming(),
        _ => Demand::OTHER,
    }
}

fn open(arguments: &[&str]) -> Protection {
    let arguments = std::iter::once("x").chain(arguments.iter().copied());
    let settings = Settings::try_parse_from(arguments).expect("settings");
    Protection::open(&settings.protection, access).expect("protection")
}

fn with_principals(text: &str) -> (Protection, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("principals.toml");
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("text");
    (open(&["--principals-file", path]), folder)
}

fn principals() -> String {
    let entry = |name: &str, rest: &str| {
        let hash = TokenHash::of(name.as_bytes()).to_hex();
        format!("[[principal]]\nname = \"{name}\"\ntoken_sha256 = [\"{hash}\"]\n{rest}\n")
    };
    entry(
        "writer",
        "rights = [\"ingest:write\"]\nlimits = { events_per_second = 2 }",
    ) + &entry(
        "reader",
        "rights = [\"chains:read:a\", \"metrics:read\"]\nlimits = { streams = 1 }",
    ) + &entry("nobody", "")
}

const POST: Call<'_> = Call::Rest {
    method: "POST",
    path: "/api/v1/events",
};

fn get(path: &str) -> Call<'_> {
    Call::Rest {
        method: "GET",
        path,
    }
}

fn ask(protection: &Protection, token: &str, call: Call<'_>) -> Result<Admitted, Refusal> {
    let authorization = format!("Bearer {token}");
    let credentials = Credentials {
        authorization: (!token.is_empty()).then_some(authorization.as_bytes()),
        certificate: &[],
    };
    protection.admit(call, credentials, None)
}

#[test]
fn off_it_decides_nothing() {
    let off = open(&[]);
    assert!(!off.decides() && off.tls().is_none());
    let admitted = ask(&off, "", POST).expect("everybody");
    assert!(admitted.caller.is_unrestricted());
    admitted
        .caller
        .check(Verb::TopicsAdmin, "x")
        .expect("everything");
}

#[test]
fn each_call_is_decided_by_who_calls_and_what_it_needs() {
    let (protection, _folder) = with_principals(&principals());
    assert!(protection.decides());
    let missing = |verb| Some(Refusal::missing(verb, ""));
    let health = Call::Grpc {
        path: "/grpc.health.v1.Health/Check",
    };
    let head = Call::Rest {
        method: "HEAD",
        path: "/metrics",
    };
    for (token, call, refused) in [
        ("", get("/health"), None),
        ("", health, None),
        ("wrong", get("/health"), None),
        ("", POST, Some(Refusal::NoCredentials)),
        ("wrong", POST, Some(Refusal::BadCredentials)),
        ("writer", POST, None),
        ("reader", POST, missing(Verb::IngestWrite)),
        ("nobody", POST, missing(Verb::IngestWrite)),
        ("", get("/metrics"), Some(Refusal::NoCredentials)),
        ("writer", get("/metrics"), missing(Verb::MetricsRead)),
        ("reader", get("/metrics"), None),
        ("writer", head, missing(Verb::MetricsRead)),
        ("", get("/no/such"), Some(Refusal::NoCredentials)),
        ("nobody", get("/no/such"), None),
    ] {
        let told = ask(&protection, token, call).err();
        assert_eq!(told, refused, "{token} {call:?}");
    }
}

#[test]
fn limits_hold_for_a_principal_over_all_its_calls() {
    let (protection, _folder) = with_principals(&principals());
    let first = ask(&protection, "writer", POST).expect("one");
    first.caller.take_events(1).expect("two");
    let refused = ask(&protection, "writer", POST).expect_err("three");
    assert_eq!(refused.retry_after_s(), Some(1));

    let tail = Call::Grpc { path: "/s/Tail" };
    let open = ask(&protection, "reader", tail).expect("one stream");
    assert!(open.stream);
    let refused = ask(&protection, "reader", tail).expect_err("two streams");
    assert_eq!(refused, Refusal::Streams { limit: 1 });
    drop(open);
    ask(&protection, "reader", tail).expect("one again");
}

#[test]
fn without_principals_limits_hold_for_an_address() {
    let protection = open(&["--peer-events-per-second", "1"]);
    let from = |address: &str| {
        let peer = address.parse().expect("ip");
        protection
            .admit(POST, Credentials::default(), Some(peer))
            .err()
    };
    assert_eq!(from("10.0.0.1"), None);
    assert!(from("10.0.0.1").is_some());
    assert_eq!(from("10.0.0.2"), None);
}

#[tokio::test(start_paused = true)]
async fn deleted_users_lose_access_at_once_and_their_streams_end() {
    let (protection, folder) = with_principals(&principals());
    let tail = Call::Grpc { path: "/s/Tail" };
    let open = ask(&protection, "reader", tail).expect("known");
    let stop = CancellationToken::new();
    let watching = {
        let (protection, stop) = (protection.clone(), stop.clone());
        tokio::spawn(async move { protection.keep_fresh(&stop).await })
    };
    let without = principals().replace(&TokenHash::of(b"reader").to_hex(), &"0".repeat(64));
    std::fs::write(folder.path().join("principals.toml"), without).expect("written");
    open.caller.clone().revoked().await;
    let told = ask(&protection, "reader", tail).err();
    assert_eq!(told, Some(Refusal::BadCredentials));
    stop.cancel();
    watching.await.expect("ended");
}
