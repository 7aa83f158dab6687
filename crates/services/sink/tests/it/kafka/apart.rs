//! A batch that PostgreSQL refuses is merged record by record; meanwhile some of its partitions went to another sink.

use std::collections::BTreeMap;

use testkit::kafka::Kafka;
use testkit::postgres::Database;

use super::support::{event, eventually, producer, sink};

/// Refuses some events, and takes its time: another transaction waits for the same rows by then.
const REFUSES: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.id LIKE 'refused-%' THEN
                PERFORM pg_sleep(2);
                RAISE EXCEPTION 'refused' USING ERRCODE = 'data_exception';
            END IF;
            RETURN NEW;
        END $$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON car_entities FOR EACH ROW EXECUTE FUNCTION refuse();";

#[tokio::test(flavor = "multi_thread")]
async fn what_another_sink_has_merged_takes_no_record_of_other_partitions_with_it() {
    let Some(kafka) = Kafka::start(1) else { return };
    let database = Database::fresh().await;
    // The tables are there once it has started.
    sink(&kafka, &database).terminate();
    let client = database.client().await;
    client.batch_execute(REFUSES).await.unwrap();
    let producer = producer(&kafka).await;
    let ids = (0..3).map(|n| format!("refused-{n}"));
    let ids = ids.chain((0..100).map(|n| format!("good-{n}")));
    let mut places = BTreeMap::new();
    for id in ids {
        let sent = producer.enqueue(&event(&id, "{}")).await.unwrap();
        places.insert(id, sent.acknowledged().await.unwrap());
    }
    // Where the partitions of those that are refused end.
    let mut ends = BTreeMap::new();
    for (id, place) in &places {
        if id.starts_with("refused") {
            ends.insert(place.partition, 0);
        }
    }
    for place in places.values() {
        if let Some(end) = ends.get_mut(&place.partition) {
            *end = place.offset.max(*end - 1) + 1;
        }
    }

    let _sink = sink(&kafka, &database);
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
    eventually("the batch is refused", async || {
        let row = client.query_one(sleeps, &[]).await.unwrap();
        row.get::<_, i64>(0) > 0
    })
    .await;
    // As another sink would that has these partitions now. It waits for the transaction that fails.
    let (partitions, ends): (Vec<i32>, Vec<i64>) = ends.into_iter().unzip();
    let moves = "
        UPDATE sink_offsets AS known SET next_offset = moved.next
          FROM unnest($1::int4[], $2::int8[]) AS moved (partition, next)
         WHERE known.partition = moved.partition";
    client.execute(moves, &[&partitions, &ends]).await.unwrap();

    let expected = places
        .iter()
        .filter(|(id, place)| id.starts_with("good") && !partitions.contains(&place.partition));
    let expected: Vec<&String> = expected.map(|(id, _)| id).collect();
    assert!(expected.len() > 20, "{} of 100 events", expected.len());
    eventually(
        "all events of the other partitions are merged",
        async || {
            let rows = client
                .query("SELECT id FROM car_entities", &[])
                .await
                .unwrap();
            let stored: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            expected.iter().all(|id| stored.contains(id))
        },
    )
    .await;
}
