//! The database goes away and comes back; the service has one connection; a client's network fails.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use api::benchmark::StreamRequest;
use api::benchmark::health_check_response::ServingStatus;
use api::benchmark::health_client::HealthClient;
use testkit::http;
use testkit::postgres::{Database, Server, lock_table};
use testkit::proxy::Proxy;
use tonic::Code;

use crate::client::{self, Grpc, Http, Sse};
use crate::support::{
    EPOCH, Fixture, assert_dense, from_the_first, ids, insert, insert_many, numbered, sequences,
    serve,
};

#[tokio::test]
async fn open_streams_survive_the_restart_of_the_database() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = Database::fresh_on(&server).await;
    let settings = [
        ("HEARTBEAT_INTERVAL", "500ms"),
        ("DATABASE_ACQUIRE_TIMEOUT", "500ms"),
    ];
    let service = serve(database.url(), &settings);
    let mut live = Sse::open(service.http(), "").await;
    let mut grpc = Grpc::open(service.grpc(), from_the_first()).await;
    // Reads from the database, not from the ring, while it is gone.
    let slow = "rate=10&since=2026-01-01T00:00:00Z";
    let mut replaying = Sse::open(service.http(), slow).await;
    let writer = database.client().await;
    insert_many(&writer, "before", 30).await;
    numbered(&writer, 30).await;
    assert_eq!(live.take(30).await.len(), 30);
    assert_eq!(grpc.take(30).await.len(), 30);
    replaying.take(3).await;
    for (round, kill) in [false, true].into_iter().enumerate() {
        if kill {
            server.kill();
        } else {
            server.stop();
        }
        // New ones are told to come again.
        let refused = client::request(service.http(), "", None, Http::One).await;
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "1");
        let refused = Grpc::try_open(service.grpc(), StreamRequest::default()).await;
        let status = refused.err().expect("no stream");
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert_eq!(http::get(service.http(), "/health").await.status, 503);
        assert_eq!(serving(&service.grpc()).await, ServingStatus::NotServing);
        // Open ones live on.
        for _ in 0..2 {
            let heartbeat = live.frame().await;
            assert!(
                matches!(heartbeat, Some(client::Frame::Comment(_))),
                "{heartbeat:?}"
            );
        }
        server.start_again();
        let writer = database.client().await;
        insert(&writer, &format!("after-{round}")).await;
        let number = 31 + round as u64;
        for events in [live.take(1).await, grpc.take(1).await] {
            assert_eq!(ids(&events), [format!("after-{round}")]);
            assert_dense(&events, number);
        }
        until_health(service.http(), 200).await;
        assert_eq!(serving(&service.grpc()).await, ServingStatus::Serving);
    }
    assert_eq!(
        sequences(&replaying.take(29).await),
        (4..=32).collect::<Vec<_>>()
    );
    // What the crash emptied is made anew by whoever writes next.
    let all = Sse::open(service.http(), &format!("since={EPOCH}&limit=32")).await;
    assert_dense(&all.rest().await, 1);
}

async fn serving(address: &SocketAddr) -> ServingStatus {
    let mut client = HealthClient::new(client::channel(*address).await);
    let answer = client.check(api::benchmark::HealthCheckRequest::default());
    answer.await.unwrap().into_inner().status()
}

/// The way from the service to its database.
async fn proxy_of(server: &Server) -> (Proxy, String, Database) {
    let database = Database::fresh_on(server).await;
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    let proxy = Proxy::start(target).await.unwrap();
    let url = database.url().replace(
        &format!(":{}/", server.port()),
        &format!(":{}/", proxy.address().port()),
    );
    (proxy, url, database)
}

// The proxy must run while the service starts.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_to_the_database_costs_nothing() {
    let server = tokio::task::spawn_blocking(testkit::postgres::shared)
        .await
        .unwrap();
    let (proxy, url, database) = proxy_of(server).await;
    let service = serve(&url, &[("DATABASE_ACQUIRE_TIMEOUT", "500ms")]);
    let writer = database.client().await;
    let mut sse = Sse::open(service.http(), "").await;
    let mut grpc = Grpc::open(service.grpc(), StreamRequest::default()).await;
    for round in 0..5 {
        for n in 0..20 {
            insert(&writer, &format!("{round}-{n}")).await;
            if n == 10 {
                proxy.cut();
            }
        }
        let expected: Vec<String> = (0..20).map(|n| format!("{round}-{n}")).collect();
        let (over_sse, over_grpc) = (sse.take(20).await, grpc.take(20).await);
        assert_eq!(ids(&over_sse), expected);
        assert_eq!(ids(&over_grpc), expected);
        assert_dense(&over_sse, round * 20 + 1);
    }
    // Frozen: neither answers nor errors.
    proxy.freeze();
    insert(&writer, "held back").await;
    let refused = client::request(service.http(), "", None, Http::One).await;
    assert_eq!(refused.status(), 503);
    proxy.open();
    assert_eq!(ids(&sse.take(1).await), ["held back"]);
}

#[tokio::test]
async fn one_connection_is_enough() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = Database::fresh_on(&server).await;
    let settings = [("DATABASE_POOL_SIZE", "1"), ("RING_EVENTS", "100")];
    let service = serve(database.url(), &settings);
    until_health(service.http(), 200).await;
    let writer = database.client().await;
    let mut live = Sse::open(service.http(), "").await;
    insert_many(&writer, "t", 5000).await;
    let query = format!("since={EPOCH}&limit=5000");
    let one = tokio::spawn(Sse::open(service.http(), &query).await.rest());
    let two = tokio::spawn(
        Grpc::open(service.grpc(), from_the_first())
            .await
            .some(5000),
    );
    assert_dense(&live.take(5000).await, 1);
    assert_dense(&one.await.unwrap(), 1);
    assert_dense(&two.await.unwrap(), 1);
    let connections = writer
        .query_one(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(connections.get::<_, i64>(0), 1);
    server.stop();
    assert_eq!(http::get(service.http(), "/health").await.status, 503);
    server.start_again();
    insert(&database.client().await, "after").await;
    assert_eq!(ids(&live.take(1).await), ["after"]);
    until_health(service.http(), 200).await;
}

/// A client whose connection is cut comes back with the last event that it has.
#[tokio::test]
async fn a_client_that_is_cut_off_resumes() {
    let fixture = Fixture::start().await;
    let proxy = Proxy::start(fixture.service.http()).await.unwrap();
    let grpc_proxy = Proxy::start(fixture.service.grpc()).await.unwrap();
    let writer = fixture.writer().await;
    let writing = tokio::spawn(async move {
        for n in 0..600 {
            insert(&writer, &format!("t-{n}")).await;
            // A pace at which the cuts fall between the events.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    let mut over_sse = Vec::new();
    let mut over_grpc = Vec::new();
    let mut cuts = 0;
    while over_sse.len() < 600 || over_grpc.len() < 600 {
        let mut sse = Sse::resume(proxy.address(), "", over_sse.len() as u64).await;
        let after = over_grpc.len() as u64;
        let request = StreamRequest {
            after_sequence: after,
            since_timestamp: if after == 0 {
                EPOCH.to_owned()
            } else {
                String::new()
            },
            ..Default::default()
        };
        let mut grpc = Grpc::open(grpc_proxy.address(), request).await;
        let some = 100.min(600 - over_sse.len().min(over_grpc.len()));
        for _ in 0..some {
            if over_sse.len() < 600 {
                over_sse.push(sse.next().await.unwrap());
            }
            if over_grpc.len() < 600 {
                over_grpc.push(grpc.next().await.unwrap());
            }
        }
        proxy.cut();
        grpc_proxy.cut();
        cuts += 1;
        // Whatever was on its way is thrown away with the connection.
        while let Ok(Some(_)) = sse.try_frame().await {}
        while let Ok(Some(_)) = grpc.try_next().await {}
    }
    writing.await.unwrap();
    assert!(cuts >= 6, "{cuts}");
    for events in [over_sse, over_grpc] {
        assert_dense(&events, 1);
        let expected: Vec<String> = (0..600).map(|n| format!("t-{n}")).collect();
        assert_eq!(ids(&events), expected);
    }
}

/// Green is who can stream: not while transactions cannot be numbered, nor while they cannot be read.
#[tokio::test]
async fn health_is_not_green_while_nothing_can_be_streamed() {
    let fixture = Fixture::start().await;
    let (http, grpc) = (fixture.service.http(), fixture.service.grpc());
    let admin = fixture.writer().await;
    let mut live = Sse::open(http, "").await;
    insert(&admin, "before").await;
    live.take(1).await;
    until_health(http, 200).await;
    let database = fixture.database.name();
    // Sessions keep what they were opened with, so those that are open are ended.
    let end_sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let read_only = format!("ALTER DATABASE {database} SET default_transaction_read_only = on");
    admin.batch_execute(&read_only).await.unwrap();
    admin.execute(end_sessions, &[]).await.unwrap();
    until_health(http, 503).await;
    assert_eq!(serving(&grpc).await, ServingStatus::NotServing);
    let cause = fixture
        .service
        .wait_for_log("read-only", Duration::from_secs(10));
    assert!(cause.is_some(), "{}", fixture.service.log());
    let writable = format!("ALTER DATABASE {database} RESET default_transaction_read_only");
    admin.batch_execute(&writable).await.unwrap();
    insert(&admin, "between").await;
    assert_eq!(ids(&live.take(1).await), ["between"], "healed by itself");
    until_health(http, 200).await;

    let hide = "ALTER TABLE transaction_log RENAME TO hidden";
    admin.batch_execute(hide).await.unwrap();
    until_health(http, 503).await;
    let show = "ALTER TABLE hidden RENAME TO transaction_log";
    admin.batch_execute(show).await.unwrap();
    insert(&admin, "after").await;
    assert_eq!(ids(&live.take(1).await), ["after"]);
    until_health(http, 200).await;

    // What a session has prepared no longer fits: it is replaced.
    admin
        .batch_execute("ALTER TABLE transaction_log ALTER COLUMN tx_type TYPE varchar(80)")
        .await
        .unwrap();
    insert(&admin, "changed").await;
    assert_eq!(ids(&live.take(1).await), ["changed"]);
    for _ in 0..3 {
        let query = format!("since={EPOCH}&limit=4");
        let all = Sse::open(http, &query).await.rest().await;
        assert_eq!(ids(&all), ["before", "between", "after", "changed"]);
    }
    until_health(http, 200).await;
}

/// A lock on the log that lasts is a cause that is named, and heals.
#[tokio::test]
async fn a_locked_log_is_told_and_survived() {
    let fixture = Fixture::start().await;
    let http = fixture.service.http();
    let mut live = Sse::open(http, "").await;
    let (mut locker, writer) = (fixture.writer().await, fixture.writer().await);
    insert(&writer, "before").await;
    live.take(1).await;
    let lock = lock_table(&mut locker, "transaction_log", "SHARE").await;
    insert(&writer, "held up").await;
    until_health(http, 503).await;
    let cause = fixture
        .service
        .wait_for_log("lock timeout", Duration::from_secs(10));
    assert!(cause.is_some(), "{}", fixture.service.log());
    lock.commit().await.unwrap();
    let events = live.take(1).await;
    assert_eq!(ids(&events), ["held up"]);
    assert_dense(&events, 2);
    until_health(http, 200).await;
}

async fn until_health(address: SocketAddr, status: u16) {
    testkit::eventually(&format!("health is {status}"), async || {
        http::get(address, "/health").await.status == status
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_create_is_enough_once_the_schema_is_there() {
    let first = Fixture::start().await;
    let database = first.database;
    drop(first.service);
    let role = format!("streamer_{}", database.name());
    let rights = format!(
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE {role} LOGIN; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; \
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
    );
    let writer = database.client().await;
    writer.batch_execute(&rights).await.unwrap();
    let url = database
        .url()
        .replace("postgres:password@", &format!("{role}@"));
    let service = serve(&url, &[]);
    let mut sse = Sse::open(service.http(), "").await;
    insert(&writer, "a").await;
    assert_eq!(ids(&sse.take(1).await), ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_in_transaction_mode_the_start_is_refused_with_the_reason() {
    let database = Database::fresh().await;
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, testkit::postgres::shared().port()));
    let mode = testkit::pooler::Mode::Transaction { sessions: 3 };
    let pooler = testkit::pooler::Pooler::start(server, mode).await;
    let url = format!(
        "postgresql://postgres@{}/{}",
        pooler.address(),
        database.name()
    );
    let ended = tokio::task::spawn_blocking(move || {
        let mut service =
            testkit::Service::spawn(crate::support::BINARY, &[], &[("DATABASE_URL", &url)]);
        let reason = "a connection pooler in transaction mode stands before PostgreSQL";
        let said = service.wait_for_log(reason, Duration::from_secs(20));
        assert!(said.is_some(), "{}", service.log());
        service.wait().code()
    });
    assert_eq!(ended.await.unwrap(), Some(1));
}
