//! The binary: health, SIGTERM, a database that is away.

use std::time::Duration;

use metrics_db::{NewRun, Role, Sampling, Store};
use testkit::postgres::Server;
use testkit::{Database, Service};

use crate::{config, of, us_from_now};

const BINARY: &str = env!("CARGO_BIN_EXE_stats-sidecar");

const PATIENCE: Duration = Duration::from_secs(5);

fn environment(port: &str, name: &str) -> Vec<(&'static str, String)> {
    vec![
        ("DB_HOST", "127.0.0.1".into()),
        ("DB_PORT", port.into()),
        ("DB_NAME", name.into()),
        ("DB_CONNECT_TIMEOUT", "20s".into()),
    ]
}

fn borrowed<'a>(environment: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_whether_a_sidecar_is_at_work_and_sigterm_stores_what_is_left() {
    let database = Database::fresh().await;
    let settings = config(&database);
    let environment = environment(&settings.port.to_string(), &settings.name);
    let health = || {
        let mut check = Service::spawn(BINARY, &["health"], &borrowed(&environment));
        (check.wait().code(), check)
    };
    let (code, check) = health();
    assert_eq!(code, Some(1), "{}", check.log());
    assert!(
        check.wait_for_log("no sidecar", PATIENCE).is_some(),
        "{}",
        check.log()
    );

    let mut sidecar = Service::start(BINARY, &borrowed(&environment));
    let (code, check) = health();
    assert_eq!(code, Some(0), "{}", check.log());

    let store = Store::connect(&settings).await.expect("connect");
    let run = NewRun {
        api_name: "rest".into(),
        run_label: "1".into(),
        ..Default::default()
    };
    let id = store.create_run(&run).await.expect("run");
    let sampling = Sampling {
        measured_from_us: Some(us_from_now(Duration::ZERO)),
        interval_s: 60.0,
        ..Default::default()
    };
    store.set_sampling(id, &sampling).await.expect("sampling");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while store.samples(id).await.expect("samples").is_empty() {
        assert!(std::time::Instant::now() < deadline, "{}", sidecar.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(sidecar.terminate().code(), Some(0), "{}", sidecar.log());
    let samples = store.samples(id).await.expect("samples");
    assert_eq!(
        of(&samples, Role::Host).len(),
        2,
        "the first and the last: {samples:#?}"
    );
    let log = sidecar.log();
    assert!(!log.contains("\"password\""), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sampling_goes_on_while_the_database_is_away() {
    let mut server = tokio::task::spawn_blocking(Server::start)
        .await
        .expect("server");
    let database = Database::fresh_on(&server).await;
    let port = server.port();
    let environment = environment(&port.to_string(), database.name());
    let mut sidecar = Service::start(BINARY, &borrowed(&environment));
    let settings = metrics_db::MetricsDbConfig {
        port,
        ..config(&database)
    };
    let store = Store::connect(&settings).await.expect("connect");
    let run = NewRun {
        api_name: "rest".into(),
        run_label: "1".into(),
        ..Default::default()
    };
    let id = store.create_run(&run).await.expect("run");
    let sampling = Sampling {
        measured_from_us: Some(us_from_now(Duration::ZERO)),
        interval_s: 0.25,
        ..Default::default()
    };
    store.set_sampling(id, &sampling).await.expect("sampling");
    let stored = |at_least: usize| {
        let store = store.clone();
        async move {
            let deadline = std::time::Instant::now() + Duration::from_secs(30);
            loop {
                let samples = store.samples(id).await.unwrap_or_default();
                if samples.len() >= at_least {
                    return samples;
                }
                assert!(
                    std::time::Instant::now() < deadline,
                    "{} samples",
                    samples.len()
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    stored(2).await;
    let mut server = tokio::task::spawn_blocking(move || {
        server.kill();
        server
    })
    .await
    .expect("killed");
    // Time itself is tested: samples of these two seconds must not be lost.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let server = tokio::task::spawn_blocking(move || {
        server.start_again();
        server
    })
    .await
    .expect("started again");
    let samples = stored(14).await;
    let gaps = samples
        .windows(2)
        .map(|pair| pair[1].elapsed_seconds - pair[0].elapsed_seconds);
    let longest = gaps.fold(0.0, f64::max);
    assert!(longest < 1.0, "a gap of {longest} s:\n{}", sidecar.log());
    assert_eq!(sidecar.terminate().code(), Some(0), "{}", sidecar.log());
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_at_the_start_is_named() {
    let environment = [
        ("DB_HOST", "127.0.0.1"),
        ("DB_PORT", "1"),
        ("DB_CONNECT_TIMEOUT", "300ms"),
    ];
    let mut sidecar = Service::spawn(BINARY, &[], &environment);
    assert_eq!(sidecar.wait().code(), Some(1), "{}", sidecar.log());
    assert!(
        sidecar.wait_for_log("127.0.0.1:1", PATIENCE).is_some(),
        "{}",
        sidecar.log()
    );
}
