//! Sinks and brokers killed under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use testkit::kafka::Kafka;
use testkit::postgres::Database;

use super::support::{count_merges, eventually, grows, merges, metric, producer, send, sink};

/// Kills of a run of all tests. `scripts/campaign.sh kafka 100` asks for more.
const KILLS: usize = 6;
const KILLS_VARIABLE: &str = "SINK_KILLS";
/// Events merged from one kill to the next: the load goes on, and whoever was killed is not missed for ever.
const MERGED_BETWEEN: i64 = 200;

fn kills_wanted() -> usize {
    std::env::var(KILLS_VARIABLE).map_or(KILLS, |number| number.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[allow(
    clippy::print_stderr,
    reason = "the figures of a long run; cargo shows them with --nocapture"
)]
async fn each_acknowledged_event_is_merged_once_while_sinks_and_brokers_are_killed() {
    let Some(kafka) = Kafka::start(3) else { return };
    let database = Database::fresh().await;
    let producer = producer(&kafka).await;
    let mut sinks = vec![sink(&kafka, &database), sink(&kafka, &database)];
    count_merges(&database).await;
    let begun = Instant::now();
    let done = Arc::new(AtomicBool::new(false));
    let writers = (0..4).map(|writer| {
        let (producer, done) = (producer.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                // An entity each: merged twice, it would be written twice.
                let id = format!("{writer}-{number}");
                number += 1;
                if send(&producer, &id, r#"{"n":1}"#).await {
                    acknowledged.push(id);
                }
            }
            (acknowledged, number)
        })
    });
    let writers: Vec<_> = writers.collect();
    let (mut of_sinks, mut of_brokers, mut down) = (0, 0, None);
    for round in 0.. {
        if of_sinks + of_brokers >= kills_wanted() {
            break;
        }
        grows(&database, MERGED_BETWEEN).await;
        // In turn: a sink, a broker, a sink while that broker is away; then the broker comes back.
        if round % 3 == 1 {
            let broker = 1 + of_brokers % 3;
            kafka.kill(broker);
            down = Some(broker);
            of_brokers += 1;
            continue;
        }
        if let Some(broker) = down.take_if(|_| round % 3 == 0) {
            kafka.start_again(broker);
        }
        let victim = of_sinks % sinks.len();
        sinks[victim].kill();
        sinks[victim] = sink(&kafka, &database);
        of_sinks += 1;
    }
    if let Some(broker) = down {
        kafka.start_again(broker);
    }
    done.store(true, Ordering::Relaxed);
    let (mut acknowledged, mut sent) = (Vec::new(), 0);
    for writer in writers {
        let (ids, number) = writer.await.unwrap();
        acknowledged.extend(ids);
        sent += number;
    }
    assert!(acknowledged.len() >= 1000, "{}", acknowledged.len());
    eventually("all acknowledged events are merged", async || {
        let merges = merges(&database).await;
        acknowledged.iter().all(|id| merges.contains_key(id))
    })
    .await;
    let merges = merges(&database).await;
    let twice: Vec<_> = merges.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    eventually("the lag is zero", async || {
        let mut lag = 0.0;
        for sink in &sinks {
            lag += metric(sink, "sink_lag_records").await;
        }
        lag == 0.0
    })
    .await;
    eprintln!(
        "{of_sinks} sinks and {of_brokers} brokers killed in {:.0} s: {sent} events sent, {} acknowledged, {} merged, \
         0 acknowledged lost, 0 merged twice",
        begun.elapsed().as_secs_f64(),
        acknowledged.len(),
        merges.len(),
    );
}
