//! Runs in the metrics database.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use metrics_db::{MetricsDbConfig, RunStatus, Store};
use testkit::postgres::Database;
use tokio::process::Command;

use crate::http_server;
use crate::seen::Treatment;

/// The settings under which a test's database is reached.
pub(crate) fn config(database: &Database) -> MetricsDbConfig {
    let url: tokio_postgres::Config = database.url().parse().unwrap();
    let tokio_postgres::config::Host::Tcp(host) = &url.get_hosts()[0] else {
        panic!("no TCP host in {}", database.url())
    };
    MetricsDbConfig {
        host: host.clone(),
        port: url.get_ports()[0],
        name: database.name().into(),
        user: url.get_user().unwrap_or("postgres").into(),
        password: String::from_utf8(url.get_password().unwrap_or(b"unused").to_vec()).unwrap(),
        ..MetricsDbConfig::default()
    }
}

fn benchmark(config: &MetricsDbConfig, url: &str, run_id: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_benchmark"));
    command
        .args([
            "--duration=300ms",
            "--warmup=100ms",
            "--concurrency=3",
            "--progress=none",
        ])
        .args([
            "--record",
            "--url",
            url,
            "--run-id",
            run_id,
            "--db-connect-timeout=5s",
        ])
        .env("DB_HOST", &config.host)
        .env("DB_PORT", config.port.to_string())
        .env("DB_NAME", &config.name)
        .env("DB_USER", &config.user)
        .env("DB_PASSWORD", &config.password)
        .kill_on_drop(true);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_run_has_figures_phase_and_histogram() {
    let database = Database::fresh().await;
    let config = config(&database);
    let (address, _) = http_server::start(|_| Treatment::Store).await;
    let output = benchmark(&config, &format!("http://{address}"), "rec-1")
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let store = Store::connect(&config).await.unwrap();
    let run = store.run_by_label("rec-1").await.unwrap().unwrap();
    assert_eq!(run.driver, "benchmark");
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(
        (run.protocol.as_str(), run.scenario.as_str()),
        ("rest", "ingest")
    );
    assert!(run.measured_from.is_some());
    assert!((run.duration_seconds.unwrap() - 0.3).abs() < 0.05);
    let session = store
        .session(&run.session_id.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert!(session.completed_at.is_some());
    // As sessions of `weir run` record it.
    assert_eq!(session.fingerprint.len(), 64, "{}", session.fingerprint);
    assert!(session.environment["machine"]["cores"].as_u64() > Some(0));
    assert!(session.environment["benchmark"]["binary_sha256"].is_string());

    let figures = store.performance(run.id).await.unwrap().unwrap();
    assert!(figures.successful_requests > 50);
    assert_eq!(figures.failed_requests, 0);
    assert!(figures.bytes_sent.unwrap() > figures.successful_requests * 390);
    let histogram: Histogram<u64> = Deserializer::new()
        .deserialize(&mut figures.histogram.unwrap().as_slice())
        .unwrap();
    assert_eq!(histogram.len() as i64, figures.successful_requests);
    let p99 = histogram.value_at_quantile(0.99) as f64 / 1000.0;
    assert!((figures.latency.p99.unwrap() - p99).abs() < 1e-6);

    let phases = store.phases(run.id).await.unwrap();
    assert_eq!(phases.len(), 1);
    assert_eq!(phases[0].target_vus, 3);
    assert!(phases[0].generator_cpu_seconds.unwrap() > 0.0);
    // The target is this process.
    if cfg!(target_os = "linux") {
        assert!(phases[0].target_cpu_seconds.unwrap() >= 0.0);
        assert!(phases[0].target_memory_peak_mb.unwrap() > 0.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_could_not_begin_is_recorded_as_failed() {
    let database = Database::fresh().await;
    let config = config(&database);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let output = benchmark(&config, &url, "rec-2").output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let store = Store::connect(&config).await.unwrap();
    let run = store.run_by_label("rec-2").await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Failed);
    assert!(run.error_message.unwrap().contains("cannot connect"));
}
