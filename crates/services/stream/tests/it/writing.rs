//! What writers do to `transactions` besides plain inserts: the stream's own column is set by the database, and nothing is
//! left out in silence.

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::Client;

use crate::client::Sse;
use crate::support::{
    EPOCH, Fixture, assert_dense, ids, insert, insert_many, numbered, saved, serve,
};

/// Values in `written_in` that a row may bring with it: long ended, and far in the future.
const BROUGHT: [&str; 3] = ["3", "1000", "9000000000000000000"];

#[tokio::test]
async fn rows_that_bring_a_value_of_their_own_are_streamed() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    let mut sse = fixture.sse("").await;
    insert_many(&writer, "t", 3).await;
    assert_eq!(ids(&sse.take(3).await), ["t-1", "t-2", "t-3"]);
    writer
        .batch_execute(
            "CREATE TABLE staging AS SELECT * FROM transactions;
             UPDATE staging SET tx_id = 'staged-' || tx_id;
             INSERT INTO transactions SELECT * FROM staging",
        )
        .await
        .unwrap();
    let staged = ["staged-t-1", "staged-t-2", "staged-t-3"];
    assert_eq!(ids(&sse.take(3).await), staged);
    for (n, brought) in BROUGHT.into_iter().enumerate() {
        let by_insert = format!(
            "INSERT INTO transactions VALUES ('insert-{n}', 'a', 'b', 1, 'transfer', now(), '{brought}')"
        );
        writer.batch_execute(&by_insert).await.unwrap();
        assert_eq!(ids(&sse.take(1).await), [format!("insert-{n}")]);
        copy(
            &writer,
            &format!("copy-{n}\ta\tb\t1\ttransfer\t2026-01-01Z\t{brought}\n"),
        )
        .await;
        assert_eq!(ids(&sse.take(1).await), [format!("copy-{n}")]);
        // As logical replication applies it.
        let replicated = format!(
            "SET session_replication_role = replica;
             INSERT INTO transactions VALUES ('replica-{n}', 'a', 'b', 1, 'transfer', now(), '{brought}');
             SET session_replication_role = origin"
        );
        writer.batch_execute(&replicated).await.unwrap();
        assert_eq!(ids(&sse.take(1).await), [format!("replica-{n}")]);
        let upsert = format!(
            "INSERT INTO transactions VALUES ('upsert-{n}', 'a', 'b', 1, 'transfer', now(), '{brought}')
                 ON CONFLICT (tx_id) DO UPDATE SET written_in = excluded.written_in"
        );
        for _ in 0..2 {
            writer.batch_execute(&upsert).await.unwrap();
        }
        assert_eq!(ids(&sse.take(1).await), [format!("upsert-{n}")]);
    }
}

async fn copy(writer: &Client, line: &str) {
    let sink = writer
        .copy_in("COPY transactions FROM STDIN")
        .await
        .unwrap();
    let mut sink = std::pin::pin!(sink);
    sink.send(Bytes::copy_from_slice(line.as_bytes()))
        .await
        .unwrap();
    sink.close().await.unwrap();
}

#[tokio::test]
async fn an_update_hides_nothing_and_repeats_nothing() {
    let fixture = Fixture::start().await;
    let mut writer = fixture.writer().await;
    let mut sse = fixture.sse("").await;
    for brought in BROUGHT {
        let transaction = writer.transaction().await.unwrap();
        insert(&transaction, brought).await;
        let update = format!("UPDATE transactions SET written_in = '{brought}' WHERE tx_id = $1");
        transaction.execute(&update, &[&brought]).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(ids(&sse.take(1).await), [brought]);
    }
    // None of them comes again; a row under a new id is another transaction.
    writer
        .batch_execute(
            "UPDATE transactions SET written_in = pg_current_xact_id();
             UPDATE transactions SET tx_id = 'renamed', amount_tinybar = 9 WHERE tx_id = '3'",
        )
        .await
        .unwrap();
    insert(&writer, "last").await;
    let rest = sse.take(2).await;
    assert_eq!(ids(&rest), ["renamed", "last"]);
    assert_eq!(rest[0].amount, 9);
    assert_dense(&rest, 4);
}

#[tokio::test]
async fn tables_that_lose_rows_stall_nobody() {
    // Readers of the past read from the database.
    let fixture = Fixture::start_with(&[("RING_EVENTS", "10")]).await;
    let writer = fixture.writer().await;
    let mut live = fixture.sse("").await;
    insert_many(&writer, "t", 600).await;
    assert_dense(&live.take(600).await, 1);
    writer
        .batch_execute(
            "DELETE FROM transactions WHERE amount_tinybar % 2 = 0; TRUNCATE transactions",
        )
        .await
        .unwrap();
    // What was streamed stays.
    let all = fixture.sse(&format!("since={EPOCH}&limit=600")).await;
    assert_dense(&all.rest().await, 1);
    // The log is the stream's own. Who deletes there all the same, at page boundaries too, makes a gap, which is passed.
    writer
        .batch_execute("DELETE FROM transaction_log WHERE sequence IN (2, 256, 257, 258) OR sequence BETWEEN 300 AND 580")
        .await
        .unwrap();
    let replayed = fixture.sse(&format!("since={EPOCH}")).await.take(315).await;
    assert_eq!(replayed[314].sequence, 600);
    let resumed = Sse::resume(fixture.service.http(), "", 300)
        .await
        .take(20)
        .await;
    assert_dense(&resumed, 581);
    insert(&writer, "next").await;
    let next = live.take(1).await;
    assert_eq!((next[0].tx_id.as_str(), next[0].sequence), ("next", 601));
}

/// A database of the version before, in which rows were lost.
#[tokio::test]
async fn an_upgrade_finds_what_was_lost() {
    let Fixture { database, service } = Fixture::start().await;
    let writer = database.client().await;
    insert_many(&writer, "t", 100).await;
    numbered(&writer, 100).await;
    writer
        .batch_execute(
            "DROP TRIGGER transaction_written_in ON transactions;
             DROP TRIGGER transaction_kept_in ON transactions;
             DROP TRIGGER transaction_note_change ON transactions;
             DROP FUNCTION transaction_written_in();
             DELETE FROM stream_schema_history WHERE version = 3;
             CREATE TABLE staging AS SELECT * FROM transactions;
             UPDATE staging SET tx_id = 'staged-' || tx_id;
             INSERT INTO transactions SELECT * FROM staging;
             INSERT INTO transactions VALUES ('far', 'a', 'b', 1, 'transfer', '2030-01-01Z', '9000000000000000000')",
        )
        .await
        .unwrap();
    insert(&writer, "seen").await;
    numbered(&writer, 101).await;
    saved(&writer).await;
    // The new version comes while the old one still runs.
    let upgraded = serve(database.url(), &[]);
    numbered(&writer, 202).await;
    drop(service);
    insert(&writer, "after").await;
    let all = Sse::resume(upgraded.http(), "limit=203", 0)
        .await
        .rest()
        .await;
    assert_dense(&all, 1);
    assert_eq!(ids(&all[100..103]), ["seen", "staged-t-1", "staged-t-2"]);
    assert_eq!(ids(&all[200..]), ["staged-t-100", "far", "after"]);
}
