//! Numbers: dense, in the order of commits, for good, whoever writes and however.

use std::time::{Duration, Instant};

use testkit::postgres::Database;

use crate::client::{Event, Sse};
use crate::support::{
    EPOCH, Fixture, assert_dense, from_the_first, ids, insert, insert_at, insert_many, numbered,
    saved, sequences, serve,
};

#[tokio::test]
async fn a_transaction_left_open_holds_nothing_up_and_is_not_skipped() {
    let fixture = Fixture::start().await;
    let mut writer = fixture.writer().await;
    let mut late = fixture.writer().await;
    let mut sse = fixture.sse("").await;
    let open = late.transaction().await.unwrap();
    insert(&open, "open-1").await;
    // Open for longer than any look, with others before, between and after its rows.
    for n in 0..20 {
        let begun = Instant::now();
        insert(&writer, &format!("quick-{n}")).await;
        let event = sse.take(1).await.remove(0);
        assert_eq!(event.tx_id, format!("quick-{n}"));
        assert!(begun.elapsed() < Duration::from_secs(2), "held up");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    insert(&open, "open-2").await;
    // The numberer changes while it is open: what the former one knew is not lost.
    let service = serve(fixture.database.url(), &[]);
    insert(&writer, "before").await;
    drop(fixture.service);
    let mut sse = Sse::resume(service.http(), "", 20).await;
    assert_eq!(ids(&sse.take(1).await), ["before"]);
    open.commit().await.unwrap();
    let rolled_back = writer.transaction().await.unwrap();
    insert(&rolled_back, "never").await;
    rolled_back.rollback().await.unwrap();
    insert(&writer, "after").await;
    let events = sse.take(3).await;
    assert_eq!(ids(&events), ["open-1", "open-2", "after"]);
    assert_dense(&events, 22);
}

/// A transaction that begins before others and commits right after one of them.
#[tokio::test]
async fn the_order_is_that_of_commits_within_one_look_too() {
    // So long that one look finds them all.
    let fixture = Fixture::start_with(&[("LOOK_INTERVAL", "1s")]).await;
    let (mut first, mut second) = (fixture.writer().await, fixture.writer().await);
    let third = fixture.writer().await;
    let mut sse = fixture.sse("").await;
    let mut expected = Vec::new();
    for round in 0..5 {
        let early = first.transaction().await.unwrap();
        insert_at(&early, &format!("{round}-early"), "2026-01-01T00:00:01Z").await;
        let middle = second.transaction().await.unwrap();
        insert_at(
            &middle,
            &format!("{round}-middle-1"),
            "2026-01-01T00:00:02Z",
        )
        .await;
        insert_at(&third, &format!("{round}-alone"), "2026-01-01T00:00:03Z").await;
        insert_at(
            &middle,
            &format!("{round}-middle-2"),
            "2026-01-01T00:00:04Z",
        )
        .await;
        middle.commit().await.unwrap();
        early.commit().await.unwrap();
        for name in ["alone", "middle-1", "middle-2", "early"] {
            expected.push(format!("{round}-{name}"));
        }
    }
    assert_eq!(ids(&sse.take(expected.len()).await), expected);
}

#[tokio::test]
async fn savepoints_triggers_off_and_foreign_ids_are_numbered_too() {
    let fixture = Fixture::start().await;
    let mut writer = fixture.writer().await;
    let mut sse = fixture.sse("").await;
    let mut outer = writer.transaction().await.unwrap();
    {
        let inner = outer.savepoint("a").await.unwrap();
        insert(&inner, "rolled back").await;
        inner.rollback().await.unwrap();
    }
    insert(&outer, "kept").await;
    {
        let inner = outer.savepoint("b").await.unwrap();
        insert(&inner, "released").await;
        inner.commit().await.unwrap();
    }
    outer.commit().await.unwrap();
    assert_eq!(ids(&sse.take(2).await), ["kept", "released"]);
    // As a logical replication does it.
    writer
        .batch_execute("SET session_replication_role = replica")
        .await
        .unwrap();
    insert(&writer, "without triggers").await;
    writer
        .batch_execute("SET session_replication_role = origin")
        .await
        .unwrap();
    assert_eq!(ids(&sse.take(1).await), ["without triggers"]);
    // A table that is changed and emptied under way: what has a number keeps it, the same id is the same transaction.
    writer
        .batch_execute(
            "UPDATE transactions SET amount_tinybar = 7; DELETE FROM transactions WHERE tx_id = 'kept'",
        )
        .await
        .unwrap();
    insert(&writer, "kept").await;
    writer.batch_execute("TRUNCATE transactions").await.unwrap();
    insert(&writer, "last").await;
    let last = sse.take(1).await.remove(0);
    assert_eq!((last.tx_id.as_str(), last.sequence), ("last", 4));
    let all = fixture
        .sse(&format!("since={EPOCH}&limit=4"))
        .await
        .rest()
        .await;
    assert_eq!(ids(&all), ["kept", "released", "without triggers", "last"]);
    assert!(all.iter().all(|event| event.amount == 5));
}

/// Anyone who may insert into `transactions` can, and knows of nothing else.
#[tokio::test]
async fn a_writer_needs_rights_on_transactions_alone() {
    let fixture = Fixture::start().await;
    let admin = fixture.writer().await;
    admin
        .batch_execute(
            "DROP ROLE IF EXISTS stream_test_writer; CREATE ROLE stream_test_writer;
             GRANT INSERT ON transactions TO stream_test_writer",
        )
        .await
        .unwrap();
    let mut sse = fixture.sse("").await;
    let writer = fixture.writer().await;
    writer
        .batch_execute("SET ROLE stream_test_writer; SET search_path = pg_catalog")
        .await
        .unwrap();
    writer
        .batch_execute(
            "INSERT INTO public.transactions
                    (tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp)
             VALUES ('x', 'a', 'b', 1, 'transfer', now())",
        )
        .await
        .unwrap();
    assert_eq!(ids(&sse.take(1).await), ["x"]);
    admin
        .batch_execute("DROP OWNED BY stream_test_writer; DROP ROLE stream_test_writer")
        .await
        .unwrap();
}

/// A table that another system made, with looser columns and rows in it.
#[tokio::test]
async fn rows_that_were_there_before_are_numbered_by_time() {
    let database = Database::fresh().await;
    let writer = database.client().await;
    writer
        .batch_execute(
            "CREATE TABLE transactions (tx_id varchar(100) PRIMARY KEY, from_account varchar(50),
                 to_account varchar(50), amount_tinybar bigint, tx_type varchar(50), timestamp timestamptz,
                 memo text);
             INSERT INTO transactions VALUES
                 ('c', 'x', 'y', 3, 'transfer', '2026-01-03Z', 'a column of its own'),
                 ('nulls', NULL, NULL, NULL, NULL, NULL, NULL),
                 ('a', 'x', 'y', 1, 'transfer', '2026-01-01Z', NULL),
                 ('b', 'x', 'y', 2, 'transfer', '2026-01-02Z', NULL)",
        )
        .await
        .unwrap();
    let service = serve(database.url(), &[]);
    let mut live = Sse::open(service.http(), "").await;
    let mut all = Sse::resume(service.http(), "", 0).await;
    let events = all.take(4).await;
    assert_eq!(ids(&events), ["nulls", "a", "b", "c"]);
    assert_dense(&events, 1);
    assert_eq!(events[0].timestamp, "0000-01-01T00:00:00Z");
    assert_eq!((events[0].from.as_str(), events[0].amount), ("", 0));
    insert(&writer, "new").await;
    assert_eq!(ids(&live.take(1).await), ["new"], "not what was there");
    assert_eq!(sequences(&all.take(1).await), [5]);
}

#[tokio::test]
async fn a_restart_changes_no_number() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    let mut sse = fixture.sse("").await;
    for n in 0..50 {
        insert(&writer, &format!("a-{n}")).await;
    }
    let mut seen = sse.take(50).await;
    let Fixture { database, service } = fixture;
    drop(service);
    // Nobody numbers meanwhile.
    for n in 0..50 {
        insert(&writer, &format!("b-{n}")).await;
    }
    let service = serve(database.url(), &[]);
    let mut sse = Sse::resume(service.http(), "", 50).await;
    seen.extend(sse.take(50).await);
    let all = Sse::resume(service.http(), "limit=100", 0)
        .await
        .rest()
        .await;
    assert_dense(&all, 1);
    assert_eq!(ids(&all), ids(&seen));
    let names: Vec<String> = ["a", "b"]
        .iter()
        .flat_map(|name| (0..50).map(move |n| format!("{name}-{n}")))
        .collect();
    assert_eq!(ids(&all), names);
}

/// Two processes on one database: one numbers, both stream, and the other takes over.
#[tokio::test]
async fn another_process_takes_over() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    let second = serve(fixture.database.url(), &[]);
    let mut one = fixture.sse("").await;
    let mut two = Sse::open(second.http(), "").await;
    for n in 0..100 {
        insert(&writer, &format!("t-{n}")).await;
    }
    let (one, seen) = (one.take(100).await, two.take(100).await);
    assert_eq!(ids(&one), ids(&seen));
    assert_eq!(sequences(&one), sequences(&seen));
    let Fixture {
        database,
        mut service,
    } = fixture;
    service.kill();
    for n in 100..200 {
        insert(&writer, &format!("t-{n}")).await;
    }
    let rest = two.take(100).await;
    assert_dense(&rest, 101);
    assert_eq!(rest[99].tx_id, "t-199");
    drop(database);
}

/// A dump brings ids of transactions from another cluster, which mean nothing here.
#[tokio::test]
async fn a_restored_dump_is_numbered() {
    let database = Database::fresh().await;
    let writer = database.client().await;
    {
        let service = serve(database.url(), &[]);
        insert_many(&writer, "dumped", 100).await;
        let mut sse = Sse::resume(service.http(), "limit=100", 0).await;
        sse.take(100).await;
        saved(&writer).await;
    }
    writer
        .batch_execute(
            "ALTER TABLE transactions DISABLE TRIGGER ALL;
             INSERT INTO transactions (tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp, written_in)
             VALUES ('far', 'a', 'b', 1, 'transfer', '2026-01-01Z', '9000000000000000000'),
                    ('past', 'a', 'b', 1, 'transfer', '2026-01-02Z', '3');
             ALTER TABLE transactions ENABLE TRIGGER ALL;
             INSERT INTO transaction_commits SELECT (pg_current_xact_id()::text::bigint + n)::text::xid8, 1
               FROM generate_series(1, 50) AS n;
             UPDATE transaction_numbering SET cluster = cluster + 1, snapshot = '8999999999999999999:8999999999999999999:'",
        )
        .await
        .unwrap();
    let service = serve(database.url(), &[]);
    numbered(&writer, 102).await;
    let mut sse = Sse::open(service.http(), "").await;
    for n in 0..20 {
        insert(&writer, &format!("new-{n}")).await;
        let event = sse.take(1).await.remove(0);
        assert_eq!((event.tx_id, event.sequence), (format!("new-{n}"), 103 + n));
    }
    let all: Vec<Event> = Sse::resume(service.http(), "limit=122", 0)
        .await
        .rest()
        .await;
    assert_dense(&all, 1);
}

#[tokio::test]
async fn bulk_and_single_writes_mix() {
    let fixture = Fixture::start().await;
    let (bulk, single) = (fixture.writer().await, fixture.writer().await);
    let mut sse = fixture.sse("").await;
    let loading = tokio::spawn(async move { insert_many(&bulk, "bulk", 100_000).await });
    let mut singles = 0;
    while !loading.is_finished() {
        insert(&single, &format!("single-{singles}")).await;
        singles += 1;
    }
    loading.await.unwrap();
    insert(&single, "last").await;
    let events = sse.take(100_000 + singles + 1).await;
    assert_dense(&events, 1);
    assert_eq!(events[events.len() - 1].tx_id, "last");
    let place = |id: &str| events.iter().position(|event| event.tx_id == id).unwrap();
    // One statement's rows are together.
    assert_eq!(place("bulk-100000") - place("bulk-1"), 99_999);
    for n in 1..singles {
        assert!(place(&format!("single-{n}")) > place(&format!("single-{}", n - 1)));
        if n > 200 {
            break;
        }
    }
    let again = fixture
        .grpc(from_the_first())
        .await
        .take(events.len())
        .await;
    assert_eq!(ids(&again), ids(&events));
}
