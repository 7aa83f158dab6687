//! Scenario `stream` against the service, and against servers that make mistakes.

use std::net::SocketAddr;
use std::time::Duration;

use load_engine::criteria;
use load_engine::measure::measure;
use load_engine::outcome::LoadOutcome;
use load_engine::plan::{Route, Timing};
use load_engine::progress::Progress;
use load_engine::progress::ProgressMode;
use load_engine::protocol::{Endpoint, Protocol};
use load_engine::stop::Stop;
use load_stream::outcome::StreamOutcome;
use load_stream::plan::{LivePlan, SlowPlan, StreamPlan};
use load_stream::verdict::judge;
use metrics_db::{RunStatus, Store};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::postgres::Database;
use testkit::proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::process::{command, json};
use crate::services::{self, Seeded};

const BOTH: [Protocol; 2] = [Protocol::Rest, Protocol::Grpc];

fn address(stream: &Seeded, protocol: Protocol) -> SocketAddr {
    match protocol {
        Protocol::Rest => stream.service.http(),
        Protocol::Grpc => stream.service.grpc(),
    }
}

fn timing(threads: usize, duration_ms: u64) -> Timing {
    Timing {
        threads,
        warmup: Duration::ZERO,
        duration: Duration::from_millis(duration_ms),
    }
}

fn plan(protocol: Protocol, address: SocketAddr) -> StreamPlan {
    let path = match protocol {
        Protocol::Rest => "/api/v1/transactions/stream",
        Protocol::Grpc => "/benchmark.TransactionService/StreamTransactions",
    };
    StreamPlan {
        protocol,
        route: Route {
            endpoint: Endpoint::parse(&format!("http://{address}")).unwrap(),
            connections: if protocol == Protocol::Rest { 6 } else { 2 },
            timeout: Duration::from_secs(10),
        },
        timing: timing(1, 20_000),
        path: path.into(),
        run_id: "it".into(),
        clients: 6,
        measured_from: None,
        since: None,
        rate: None,
        limit: None,
        live: None,
        slow: None,
    }
}

async fn run(plan: StreamPlan) -> StreamOutcome {
    let run = tokio::task::spawn_blocking(move || load_stream::start(plan, &Stop::never()));
    let run = run.await.unwrap().unwrap();
    let mut progress = Progress::new(ProgressMode::None);
    measure(run, &mut progress, &Stop::never()).await.unwrap()
}

fn assert_faultless(outcome: &StreamOutcome) {
    let criteria = judge(outcome);
    assert!(criteria::passed(&criteria), "{criteria:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_read_to_its_limit() {
    let stream = services::start("stream", "transactions").await;
    for protocol in BOTH {
        let outcome = run(StreamPlan {
            since: Some("2025-01-01T00:00:00Z".into()),
            limit: Some(3000),
            timing: timing(2, 20_000),
            ..plan(protocol, address(&stream, protocol))
        })
        .await;
        assert_faultless(&outcome);
        assert_eq!(outcome.received, 18_000, "{protocol:?}");
        assert_eq!((outcome.fewest, outcome.most), (3000, 3000));
        // It ends with the streams, not with the planned time.
        assert!(outcome.window.seconds < 15.0 && !outcome.window.interrupted);
        assert!(outcome.rate() > 100.0);
        assert_eq!(outcome.tally.first_event.len(), 6);
        assert_eq!(outcome.tally.from_emitted.len(), 18_000);
        let connections = if protocol == Protocol::Rest { 6 } else { 2 };
        assert_eq!(outcome.connections_opened, connections);
        assert_eq!(outcome.tally.connect.len(), connections);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_transactions_are_timed_from_their_commits() {
    let stream = services::start("stream", "transactions").await;
    for protocol in BOTH {
        let outcome = run(StreamPlan {
            run_id: format!("live-{}", protocol.as_str()),
            timing: Timing {
                warmup: Duration::from_millis(500),
                ..timing(1, 2000)
            },
            live: Some(LivePlan {
                database_url: stream.database.url().parse().unwrap(),
                rate: 100.0,
                connections: 4,
            }),
            ..plan(protocol, address(&stream, protocol))
        })
        .await;
        assert_faultless(&outcome);
        let fed = outcome.fed.as_ref().unwrap();
        assert_eq!(fed.due, 250, "{protocol:?}");
        assert!(fed.committed >= 240, "{fed:?}");
        assert_eq!(outcome.received, 6 * fed.committed);
        // Those of the warm-up are in no figure.
        assert_eq!(outcome.tally.measured, outcome.tally.from_commit_sent.len());
        assert!((1100..=1206).contains(&outcome.tally.measured));
        // An event cannot come before its commit was sent, and takes longer from there than from the answer.
        let quantile = |histogram: &hdrhistogram::Histogram<u64>| histogram.value_at_quantile(0.5);
        let from_sent = quantile(&outcome.tally.from_commit_sent);
        assert!(from_sent >= quantile(&outcome.tally.from_commit_answered));
        assert!((50..2_000_000).contains(&from_sent), "{from_sent} us");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_fall_behind_and_hold_up_nobody() {
    let stream = services::start("stream", "transactions").await;
    for protocol in BOTH {
        let outcome = run(StreamPlan {
            run_id: format!("slow-{}", protocol.as_str()),
            timing: timing(1, 2000),
            live: Some(LivePlan {
                database_url: stream.database.url().parse().unwrap(),
                rate: 500.0,
                connections: 4,
            }),
            slow: Some(SlowPlan {
                clients: 2,
                events_per_second: 20.0,
            }),
            ..plan(protocol, address(&stream, protocol))
        })
        .await;
        assert_faultless(&outcome);
        // The others have all of it, and no event of a slow one is in their figures.
        let fed = outcome.fed.as_ref().unwrap();
        assert_eq!(outcome.received, 6 * fed.committed);
        assert_eq!(outcome.tally.delivered, outcome.received);
        let slow = outcome.slow.as_ref().unwrap();
        assert_eq!((slow.opened, slow.missed, slow.repeated), (2, 0, 0));
        // Two seconds make 40 events each; one read of gRPC brings up to 16 KiB, 140 events, beyond that.
        assert!((60..600).contains(&slow.received), "{slow:?}");
        assert!(slow.behind_events > 500, "{slow:?}");
        assert!(slow.behind > Duration::from_millis(500), "{slow:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_is_judged_and_stored() {
    let stream = services::start("stream", "transactions").await;
    let metrics = Database::fresh().await;
    let config = crate::record::config(&metrics);
    let url = format!("http://{}", stream.service.grpc());
    let output = command(&[
        "--workload=low",
        "--protocol=grpc",
        "--duration=3s",
        "--run-id=low-1",
        "--store",
        "--progress=none",
        "--json=-",
        "--url",
        &url,
    ])
    .env("DB_HOST", &config.host)
    .env("DB_PORT", config.port.to_string())
    .env("DB_NAME", &config.name)
    .env("DB_PASSWORD", &config.password)
    .output()
    .await
    .unwrap();
    let result = json(&output);
    assert_eq!(output.status.code(), Some(0), "{result}");
    assert_eq!(result["passed"], true);
    assert_eq!(result["workload"], "low");
    assert_eq!(result["rateAsked"], 10);
    assert_eq!(result["events"]["missed"], 0);
    let events = result["events"]["received"].as_u64().unwrap();
    assert!((28..=31).contains(&events), "{events}");

    let store = Store::connect(&config).await.unwrap();
    let run = store.run_by_label("low-1").await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(
        (run.scenario.as_str(), run.driver.as_str()),
        ("stream", "benchmark")
    );
    assert_eq!(run.scenario_stats.unwrap()["missed"], 0);
    let figures = store.performance(run.id).await.unwrap().unwrap();
    // An event that comes after the window's end is received, and in no figure.
    assert_eq!(result["events"]["measured"], figures.successful_requests);
    assert!(figures.histogram.is_some() && figures.latency.p99.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_goes_on_after_its_last_event() {
    let stream = services::start("stream", "transactions").await;
    for protocol in BOTH {
        let proxy = Proxy::start(address(&stream, protocol)).await.unwrap();
        let plan = StreamPlan {
            since: Some("2025-01-01T00:00:00Z".into()),
            rate: Some(500),
            limit: Some(1500),
            ..plan(protocol, proxy.address())
        };
        let sent = async || {
            testkit::http::metric(address(&stream, Protocol::Rest), "stream_events_sent_total")
                .await
        };
        let before = sent().await;
        let running = tokio::spawn(run(plan));
        testkit::eventually("some events have come", async || {
            sent().await >= before + 1000.0
        })
        .await;
        proxy.cut();
        let outcome = running.await.unwrap();
        assert!(outcome.tally.breaks > 0, "{protocol:?}");
        assert_eq!((outcome.missed, outcome.repeated), (0, 0), "{protocol:?}");
        assert_eq!(outcome.received, 9000);
        // Nothing is lost, and yet the connection was not stable.
        let criteria = judge(&outcome);
        let missed: Vec<&str> = criteria
            .iter()
            .filter(|criterion| !criterion.met)
            .map(|criterion| criterion.what.as_str())
            .collect();
        assert_eq!(missed, ["connections stable"], "{criteria:#?}");
    }
}

#[test]
fn plans_that_contradict_themselves_are_refused() {
    let plan = || plan(Protocol::Rest, "127.0.0.1:1".parse().unwrap());
    let live = || {
        Some(LivePlan {
            database_url: "postgresql://u@h/d".parse().unwrap(),
            rate: 100.0,
            connections: 1,
        })
    };
    for (plan, option) in [
        (
            StreamPlan {
                clients: 0,
                ..plan()
            },
            "--clients",
        ),
        (
            StreamPlan {
                route: Route {
                    connections: 2,
                    ..plan().route
                },
                ..plan()
            },
            "--connections",
        ),
        (
            StreamPlan {
                timing: timing(7, 20_000),
                ..plan()
            },
            "--threads",
        ),
        (
            StreamPlan {
                rate: Some(0),
                ..plan()
            },
            "--rate",
        ),
        (
            StreamPlan {
                limit: Some(5),
                live: live(),
                ..plan()
            },
            "--limit",
        ),
        (
            StreamPlan {
                rate: Some(99),
                live: live(),
                ..plan()
            },
            "--feed-rate",
        ),
    ] {
        let error = plan.check().unwrap_err().to_string();
        assert!(error.contains(option), "{error}");
    }
}

/// A server that streams events with these numbers to everyone, and how many have all of them on the way.
async fn serve(numbers: &'static [u64]) -> (SocketAddr, watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, served) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                let read = stream.read(&mut buffer).await.unwrap();
                assert!(buffer[..read].starts_with(b"GET /api/v1/transactions/stream?since="));
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
                stream.write_all(head.as_bytes()).await.unwrap();
                for n in numbers {
                    let event = format!(
                        "id: {n}\nevent: transaction\ndata: {{\"tx_id\":\"t{n}\",\"sequence\":{n},\"emitted_at_us\":1}}\n\n"
                    );
                    stream.write_all(event.as_bytes()).await.unwrap();
                }
                sender.send_modify(|served| *served += 1);
                std::future::pending::<()>().await;
            });
        }
    });
    (address, served)
}

/// Bytes of all connections with `port` that are on the way or wait to be read (the queues in /proc/net/tcp).
fn unread(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{port:04X}");
    let queued = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (sent, received) = fields.get(4)?.split_once(':')?;
        let ours = fields[1..3].iter().any(|end| end.ends_with(&port));
        // A socket that listens has its backlog there.
        let open = ours && fields[3] == "01";
        let bytes = |text| u64::from_str_radix(text, 16).unwrap();
        open.then(|| bytes(sent) + bytes(received))
    });
    queued.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_loses_repeats_and_swaps_is_found() {
    let (address, _) = serve(&[1, 2, 4, 6, 5, 6]).await;
    let output = command(&[
        "--scenario=stream",
        "--clients=2",
        "--duration=500ms",
        "--progress=none",
        "--json=-",
        "--url",
        &format!("http://{address}"),
    ])
    .output()
    .await
    .unwrap();
    let result = json(&output);
    assert_eq!(output.status.code(), Some(1), "{result}");
    let events = &result["events"];
    let faults = ["missed", "repeated", "outOfOrder"].map(|name| events[name].as_u64().unwrap());
    assert_eq!(faults, [2, 2, 2], "{events}");
    assert_eq!(result["passed"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_refused_ends_the_run() {
    let stream = services::start("stream", "transactions").await;
    let url = format!("http://{}", stream.service.http());
    // The path is not that of a stream.
    let targets = tempfile::NamedTempFile::new().unwrap();
    let entry = format!(
        "[[target]]\nname = \"wrong\"\nscenario = \"stream\"\nprotocol = \"rest\"\nurl = \"{url}\"\n\
         [target.rest]\npath = \"/nowhere\"\n"
    );
    std::fs::write(targets.path(), entry).unwrap();
    let output = command(&["--target=wrong", "--progress=none", "--targets"])
        .arg(targets.path())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("http 404"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_stream_gives_what_was_measured() {
    let (address, mut served) = serve(&[1, 2, 3]).await;
    let child = command(&[
        "--scenario=stream",
        "--duration=60s",
        "--progress=plain",
        "--json=-",
        "--url",
        &format!("http://{address}"),
    ])
    .spawn()
    .unwrap();
    served.wait_for(|served| *served == 1).await.unwrap();
    testkit::eventually("it has read all events", async || {
        unread(address.port()) == 0
    })
    .await;
    kill(Pid::from_raw(child.id().unwrap() as i32), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    let result = json(&output);
    assert_eq!(result["interrupted"], true);
    assert_eq!(result["events"]["received"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_subscribers_are_measured_one_after_the_other() {
    let stream = services::start("stream", "transactions").await;
    for (protocol, address) in [
        ("rest", stream.service.http()),
        ("grpc", stream.service.grpc()),
    ] {
        let url = format!("http://{address}");
        let output = command(&[
            "--scenario=stream",
            "--protocol",
            protocol,
            "--steps=2x1s,5x1s",
            "--pause=1s",
            "--live",
            "--feed-rate=50",
            "--run-id",
            &format!("steps-{protocol}"),
            "--progress=none",
            "--json=-",
            "--url",
            &url,
        ])
        .env("DATABASE_URL", stream.database.url())
        .output()
        .await
        .unwrap();
        let result = json(&output);
        assert_eq!(output.status.code(), Some(0), "{result}");
        assert_eq!(crate::schema::fault(&result), None);
        assert_eq!(result["schema"], "weir.benchmark-stream-levels/1");
        let levels = result["levels"].as_array().unwrap();
        let clients: Vec<u64> = levels
            .iter()
            .filter_map(|level| level["clients"].as_u64())
            .collect();
        assert_eq!(clients, [2, 5]);
        for level in levels {
            let events = &level["events"];
            let committed = events["committed"].as_u64().unwrap();
            assert_eq!(
                events["received"].as_u64(),
                Some(committed * level["clients"].as_u64().unwrap()),
                "{level}"
            );
            assert_eq!(level["connections"], level["clients"]);
            assert!(
                level["latencyMs"]["commitToReceipt"]["p99"].as_f64() > Some(0.0),
                "{level}"
            );
        }
    }
}
