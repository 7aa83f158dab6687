//! What subscribers get: replay, live, rate, limit, account, resume.

use std::time::{Duration, Instant};

use api::benchmark::StreamRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Event, Frame, Sse};
use crate::support::{
    EPOCH, Fixture, assert_dense, from_the_first, ids, insert, insert_at, insert_many, insert_row,
    metric, numbered, sequences,
};

#[tokio::test]
async fn an_event_carries_what_was_inserted_on_both_faces() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    let before = now_us();
    writer
        .execute(
            "INSERT INTO transactions (tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp)
             VALUES ('0.0.5@17 \"ü\"', '0.0.5', '0.0.6', -9007199254740993, 'contract_call',
                     '2026-03-04 05:06:07.089012+02')",
            &[],
        )
        .await
        .unwrap();
    let over_sse = fixture
        .sse(&format!("since={EPOCH}&limit=1"))
        .await
        .rest()
        .await;
    let request = StreamRequest {
        limit: 1,
        ..from_the_first()
    };
    let over_grpc = fixture.grpc(request).await.rest().await;
    let after = now_us();
    for events in [&over_sse, &over_grpc] {
        let [event] = &events[..] else {
            panic!("{events:?}")
        };
        assert!((before..=after).contains(&event.emitted_at_us), "{event:?}");
        let expected = Event {
            tx_id: "0.0.5@17 \"ü\"".into(),
            from: "0.0.5".into(),
            to: "0.0.6".into(),
            amount: -9_007_199_254_740_993,
            r#type: "contract_call".into(),
            timestamp: "2026-03-04T03:06:07.089012Z".into(),
            sequence: 1,
            emitted_at_us: event.emitted_at_us,
        };
        assert_eq!(*event, expected);
    }
}

#[tokio::test]
async fn replay_goes_over_into_live_without_gap_or_repeat() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    insert_many(&writer, "old", 1000).await;
    let mut sse = fixture.sse(&format!("since={EPOCH}")).await;
    let mut grpc = fixture.grpc(from_the_first()).await;
    // While both are reading what there was.
    for n in 0..200 {
        insert(&writer, &format!("new-{n}")).await;
    }
    let (sse, grpc) = (sse.take(1200).await, grpc.take(1200).await);
    assert_dense(&sse, 1);
    assert_eq!(ids(&sse), ids(&grpc));
    assert_eq!(sequences(&sse), sequences(&grpc));
    assert_eq!(sse[0].tx_id, "old-1");
    assert_eq!(sse[999].tx_id, "old-1000");
    let new: Vec<String> = (0..200).map(|n| format!("new-{n}")).collect();
    assert_eq!(ids(&sse[1000..]), new);
}

#[tokio::test]
async fn live_begins_with_what_comes_after_it() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    for round in 0..20 {
        // Committed before the stream is opened, maybe not numbered yet.
        insert(&writer, &format!("before-{round}")).await;
        let mut sse = fixture.sse("").await;
        insert(&writer, &format!("between-{round}")).await;
        let mut grpc = fixture.grpc(StreamRequest::default()).await;
        insert(&writer, &format!("after-{round}")).await;
        let between = format!("between-{round}");
        let after = format!("after-{round}");
        assert_eq!(ids(&sse.take(2).await), [&between, &after]);
        assert_eq!(ids(&grpc.take(1).await), [&after]);
    }
}

#[tokio::test]
async fn since_is_inclusive_and_goes_by_the_timestamp() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    for (id, timestamp) in [
        ("late", "2026-01-01T00:00:09Z"),
        ("early", "2026-01-01T00:00:01Z"),
        ("exact", "2026-01-01T00:00:05Z"),
        ("just before", "2026-01-01T00:00:04.999999Z"),
        ("just after", "2026-01-01T00:00:05.000001Z"),
        ("for ever", "infinity"),
        ("never", "-infinity"),
    ] {
        insert_at(&writer, id, timestamp).await;
    }
    numbered(&writer, 7).await;
    for (since, expected) in [
        (
            "2026-01-01T00:00:05Z",
            &["late", "exact", "just after", "for ever"][..],
        ),
        (
            "2026-01-01T01:00:05%2B01:00",
            &["late", "exact", "just after", "for ever"],
        ),
        (
            "2026-01-01T00:00:05.0000001Z",
            &["late", "just after", "for ever"],
        ),
        ("2026-01-01T00:00:10Z", &["for ever"]),
        (
            EPOCH,
            &[
                "late",
                "early",
                "exact",
                "just before",
                "just after",
                "for ever",
            ],
        ),
    ] {
        let limit = expected.len();
        let events = fixture.sse(&format!("since={since}&limit={limit}")).await;
        assert_eq!(ids(&events.rest().await), expected, "{since}");
        let request = StreamRequest {
            since_timestamp: since.replace("%2B", "+"),
            limit: limit as u64,
            ..Default::default()
        };
        let events = fixture.grpc(request).await.rest().await;
        assert_eq!(ids(&events), expected, "{since}");
    }
    let mut later = fixture
        .sse("since=2100-01-01T00:00:00Z&account=0.0.1")
        .await;
    assert_eq!(
        later.take(1).await[0].timestamp,
        "9999-12-31T23:59:59.999999Z"
    );
    insert_at(&writer, "too early", "2099-12-31T23:59:59Z").await;
    insert_at(&writer, "in time", "2100-01-01T00:00:00Z").await;
    assert_eq!(later.take(1).await[0].tx_id, "in time");
}

#[tokio::test]
async fn an_account_is_either_side() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    let rows = [
        ("1", "a", "b"),
        ("2", "b", "c"),
        ("3", "c", "d"),
        ("4", "d", "a"),
    ];
    for (id, from, to) in rows {
        insert_row(&writer, id, from, to, "2026-01-01T00:00:00Z").await;
    }
    let mut replayed = fixture.sse(&format!("since={EPOCH}&account=a")).await;
    let mut live = fixture
        .grpc(StreamRequest {
            filter_account: "a".into(),
            ..Default::default()
        })
        .await;
    let mut resumed = Sse::resume(fixture.service.http(), "account=a", 1).await;
    for (id, from, to) in rows {
        let id = format!("live-{id}");
        insert_row(&writer, &id, from, to, "2026-01-01T00:00:00Z").await;
    }
    assert_eq!(ids(&replayed.take(4).await), ["1", "4", "live-1", "live-4"]);
    assert_eq!(ids(&live.take(2).await), ["live-1", "live-4"]);
    assert_eq!(ids(&resumed.take(3).await), ["4", "live-1", "live-4"]);
}

#[tokio::test]
async fn a_rate_is_kept_and_a_limit_ends_the_stream() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    insert_many(&writer, "t", 500).await;
    numbered(&writer, 500).await;
    let begun = Instant::now();
    let query = format!("since={EPOCH}&rate=50&limit=40");
    let sse = tokio::spawn(fixture.sse(&query).await.rest());
    let grpc = fixture.grpc(StreamRequest {
        rate_limit: 50,
        limit: 40,
        ..from_the_first()
    });
    let grpc = grpc.await.rest().await;
    let sse = sse.await.unwrap();
    let took = begun.elapsed();
    // 39 pauses of 20 ms.
    assert!(took >= Duration::from_millis(770), "{took:?}");
    for events in [sse, grpc] {
        assert_eq!(events.len(), 40);
        assert_dense(&events, 1);
        let (first, last) = (events[0].emitted_at_us, events[39].emitted_at_us);
        // Who was late with the first may catch up for 20 ms, beside the event that was due.
        assert!(last - first >= 740_000, "{}", last - first);
    }
}

#[tokio::test]
async fn a_stream_goes_on_after_the_event_that_is_named() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    insert_many(&writer, "t", 100).await;
    numbered(&writer, 100).await;
    // Wins over since, which would begin elsewhere.
    let query = "since=2026-01-01T00:01:30Z&limit=5";
    let sse = Sse::resume(fixture.service.http(), query, 40).await;
    assert_eq!(sequences(&sse.rest().await), [41, 42, 43, 44, 45]);
    let all = Sse::resume(fixture.service.http(), "limit=3", 0).await;
    assert_eq!(sequences(&all.rest().await), [1, 2, 3]);
    let grpc = fixture.grpc(StreamRequest {
        after_sequence: 97,
        since_timestamp: EPOCH.into(),
        ..Default::default()
    });
    let mut grpc = grpc.await;
    assert_eq!(sequences(&grpc.take(3).await), [98, 99, 100]);
    // A number that is not given yet is waited for.
    let mut ahead = Sse::resume(fixture.service.http(), "", 102).await;
    for n in 101..=103 {
        insert(&writer, &format!("t-{n}")).await;
    }
    assert_eq!(sequences(&grpc.take(3).await), [101, 102, 103]);
    assert_eq!(sequences(&ahead.take(1).await), [103]);
}

#[tokio::test]
async fn silence_is_broken_by_comments() {
    let fixture = Fixture::start_with(&[("HEARTBEAT_INTERVAL", "300ms")]).await;
    let mut sse = fixture.sse("account=nobody").await;
    let begun = Instant::now();
    let writer = fixture.writer().await;
    let busy = tokio::spawn(async move {
        for n in 0..30 {
            // What is filtered out is silence too; it comes at a pace that outlasts three heartbeats.
            insert(&writer, &format!("t-{n}")).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    for _ in 0..3 {
        assert!(matches!(sse.frame().await, Some(Frame::Comment(_))));
    }
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(850), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    busy.await.unwrap();
}

#[tokio::test]
async fn a_hundred_thousand_are_replayed() {
    const COUNT: usize = 100_000;
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    insert_many(&writer, "t", COUNT as i32).await;
    let query = format!("since={EPOCH}&limit={COUNT}");
    let sse = tokio::spawn(fixture.sse(&query).await.rest());
    let request = StreamRequest {
        limit: COUNT as u64,
        ..from_the_first()
    };
    let grpc = fixture.grpc(request).await.rest().await;
    let sse = sse.await.unwrap();
    for events in [sse, grpc] {
        assert_eq!(events.len(), COUNT);
        assert_dense(&events, 1);
        // One statement's rows come in the order of their time.
        for (event, n) in events.iter().zip(1..) {
            assert_eq!(event.tx_id, format!("t-{n}"));
        }
    }
}

#[tokio::test]
async fn who_reads_nothing_for_long_misses_nothing() {
    const COUNT: usize = 60_000;
    // Larger than what sockets and buffers hold, and than the ring.
    let fixture = Fixture::start_with(&[("RING_EVENTS", "1000")]).await;
    let mut sse = fixture.sse("").await;
    let mut grpc = fixture.grpc(StreamRequest::default()).await;
    let mut brisk = fixture.sse("").await;
    let writer = fixture.writer().await;
    let begun = Instant::now();
    let mut written = 0;
    while written < COUNT {
        insert_many(&writer, &format!("t-{written}"), 100).await;
        written += 100;
    }
    // The others are not held up.
    let seen: Vec<Event> = brisk.take(COUNT).await;
    assert_dense(&seen, 1);
    // Time itself is tested.
    let left = Duration::from_secs(10).saturating_sub(begun.elapsed());
    tokio::time::sleep(left).await;
    let sse = sse.take(COUNT).await;
    let grpc = grpc.take(COUNT).await;
    assert_dense(&sse, 1);
    assert_dense(&grpc, 1);
    assert_eq!(ids(&sse), ids(&seen));
    assert_eq!(ids(&grpc), ids(&seen));
    let pages = metric(&fixture.service, "stream_replay_pages_total").await;
    assert!(pages > 10.0, "they were behind the ring: {pages} pages");
}

/// Slow is not stalled: who takes something now and then is kept.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_that_takes_nothing_is_closed() {
    const COUNT: usize = 60_000;
    let fixture = Fixture::start_with(&[("STALL_TIMEOUT", "2s")]).await;
    let writer = fixture.writer().await;
    insert_many(&writer, "t", COUNT as i32).await;
    numbered(&writer, COUNT as i64).await;
    let stalled = "stream_subscribers{face=\"sse\"}";
    let mut slow = fixture.sse(&format!("since={EPOCH}&limit={COUNT}")).await;
    let request =
        format!("GET /api/v1/transactions/stream?since={EPOCH} HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut connection = tokio::net::TcpStream::connect(fixture.service.http())
        .await
        .unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut silent = fixture.sse("account=nobody").await;
    let begun = Instant::now();
    let mut read = Vec::new();
    while metric(&fixture.service, stalled).await > 2.0 || begun.elapsed() < Duration::from_secs(4)
    {
        assert!(begun.elapsed() < Duration::from_secs(30), "still open");
        read.extend(slow.take(500).await);
        // The pace of a client that is slow on purpose.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    // Neither who reads slowly nor who has nothing to read is closed.
    read.extend(slow.rest().await);
    assert_eq!(read.len(), COUNT);
    assert_dense(&read, 1);
    writer
        .batch_execute(
            "INSERT INTO transactions VALUES ('x', 'nobody', 'b', 1, 'transfer', '2026-01-01Z')",
        )
        .await
        .unwrap();
    assert_eq!(ids(&silent.take(1).await), ["x"]);
    // The stalled one was reset: what the kernel holds may be read, then the connection is gone.
    let mut bytes = vec![0; 65536];
    let end = loop {
        match connection.read(&mut bytes).await {
            Ok(0) => panic!("a clean end"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
}

fn now_us() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since_1970.unwrap().as_micros()).unwrap()
}
