//! What holds a sink up, and for how long.

use testkit::Service;
use testkit::kafka::Kafka;
use testkit::postgres::Database;

use super::support::{BINARY, count_merges, eventually, merged, metric, producer, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_does_not_end_and_a_locked_partition_hold_a_sink_up_no_longer_than_its_limits()
 {
    let Some(kafka) = Kafka::start(1) else { return };
    let database = Database::fresh().await;
    let producer = producer(&kafka).await;
    let environment = [
        ("DATABASE_URL", database.url()),
        ("KAFKA_BROKERS", kafka.brokers()),
        ("REQUEST_TIMEOUT", "2s"),
    ];
    let sink = Service::start(BINARY, &environment);
    count_merges(&database).await;
    let mut client = database.client().await;
    let hangs = "
        CREATE TABLE hangs (id text);
        CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF EXISTS (SELECT FROM hangs) THEN PERFORM pg_sleep(3600); END IF;
                RETURN NEW;
            END $$;
        CREATE TRIGGER hang BEFORE INSERT ON car_entities FOR EACH ROW EXECUTE FUNCTION hang();
        INSERT INTO hangs VALUES ('yes');";
    client.batch_execute(hangs).await.unwrap();
    let tried = async |more: f64| metric(&sink, "sink_retries_total").await >= more;
    assert!(send(&producer, "slow", "{}").await);
    eventually("the statement is given up, twice", async || {
        tried(2.0).await
    })
    .await;
    client.batch_execute("DELETE FROM hangs").await.unwrap();
    eventually("it is merged", async || merged(&database).await == 1).await;

    // As another sink holds them that was cut off in the middle.
    let held = client.transaction().await.unwrap();
    let lock = "SELECT count(*) FROM (SELECT FROM sink_offsets FOR UPDATE) AS locked";
    held.query(lock, &[]).await.unwrap();
    let before = metric(&sink, "sink_retries_total").await;
    assert!(send(&producer, "slow", "{}").await);
    eventually("the lock is not waited for", async || {
        tried(before + 2.0).await
    })
    .await;
    held.rollback().await.unwrap();
    // An upsert of a row that is there fires for the insert and for the update.
    eventually("it is merged, once", async || merged(&database).await == 3).await;
}
