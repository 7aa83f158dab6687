//! A writer on a real PostgreSQL.

use domain::Event;
use runtime::config::DatabaseConfig;
use runtime::metrics::Metrics;
use tokio::sync::oneshot;

use super::*;
use crate::caller::{Answer, Waiting};
use crate::queue;

fn event(id: &str) -> Event {
    let json = format!(
        r#"{{"eventHeader":{{"eventName":"Test"}},"eventBody":{{"entities":[
            {{"entityType":"Car","entityId":"{id}","updatedAttributes":{{}}}}]}}}}"#
    );
    Event::from_json(json.as_bytes()).expect("a valid event")
}

fn waiting(id: &str, deadline: Instant) -> (Waiting, oneshot::Receiver<crate::Outcome>) {
    let (sender, receiver) = oneshot::channel();
    let waiting = Waiting {
        event: event(id),
        caller: Caller::new(Answer::One(sender), deadline),
    };
    (waiting, receiver)
}

#[tokio::test]
async fn an_event_is_not_begun_after_its_deadline() {
    let fresh = testkit::Database::fresh().await;
    let config = DatabaseConfig {
        database_url: fresh.url().parse().expect("a URL"),
        database_pool_size: 1.try_into().expect("not zero"),
        database_acquire_timeout: Duration::from_secs(10),
    };
    let stop = CancellationToken::new();
    let database = Database::connect(&config, &stop).await.expect("a database");
    database.migrate(store::schema()).await.expect("the schema");
    let metrics = Metrics::new().expect("metrics");
    let metrics = IngestMetrics::register(&metrics, 0).expect("metrics");
    let (_queues, mut shards) = queue::queues(1, 10, &metrics);
    let mut writer = Writer {
        database: database.clone(),
        metrics,
        max_batch_events: 10,
        refuse: stop,
        trouble: Arc::new(Trouble::new(Duration::from_secs(1))),
        shard: shards.remove(0),
        parked: Parked::default(),
        try_parked_at: Instant::now(),
    };
    let now = Instant::now();
    let (early, told_early) = waiting("early", now + Duration::from_millis(100));
    let (late, told_late) = waiting("late", now + Duration::from_secs(30));
    let mut batch = Batch::from(early);
    batch.push(late);
    // The only connection is somebody else's until the first deadline has passed.
    let held = database.get().await.expect("a connection");
    let release = async {
        let told = told_early.await.expect("an answer");
        drop(held);
        told
    };
    let ((), told) = tokio::join!(writer.write(batch), release);
    assert_eq!(told, Err(IngestError::Timeout));
    assert_eq!(told_late.await, Ok(Ok(())));
    let client = fresh.client().await;
    let rows = client
        .query("SELECT id FROM car_entities", &[])
        .await
        .expect("rows");
    let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(ids, ["late"]);
}
