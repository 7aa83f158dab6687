//! The queue and its lanes: every caller gets its own answer, at its own time, whatever the order of deadlines.

use std::time::Duration;

use domain::Event;
use proptest::prelude::*;
use runtime::metrics::Metrics;
use tokio::sync::{mpsc, oneshot};

use super::room::CAPACITY_KIB;
use super::*;
use crate::caller::{Answer, Caller};
use crate::error::Outcome;

fn metrics() -> IngestMetrics {
    IngestMetrics::register(&Metrics::new().expect("metrics"), 0).expect("counters")
}

fn event(attributes_bytes: usize) -> Event {
    let text = "x".repeat(attributes_bytes);
    let json = format!(
        r#"{{"eventHeader":{{"eventName":"Test"}},"eventBody":{{"entities":[
            {{"entityType":"Car","entityId":"a","updatedAttributes":{{"t":"{text}"}}}}]}}}}"#
    );
    Event::from_json(json.as_bytes()).expect("a valid event")
}

/// One of many, told apart by `index`.
fn one_of(sender: &mpsc::Sender<(u64, Outcome)>, index: u64, deadline: Instant) -> Waiting {
    Waiting {
        event: event(1),
        caller: Caller::new(Answer::OfMany(index, sender.clone()), deadline),
    }
}

fn single(deadline: Instant) -> (Waiting, oneshot::Receiver<Outcome>) {
    let (sender, receiver) = oneshot::channel();
    let waiting = Waiting {
        event: event(1),
        caller: Caller::new(Answer::One(sender), deadline),
    };
    (waiting, receiver)
}

fn all_outcomes(receiver: &mut mpsc::Receiver<(u64, Outcome)>) -> Vec<(u64, Outcome)> {
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

/// What is left in the queue, answered with success, in the order it was given.
fn written(shard: &mut Shard) -> usize {
    let mut number = 0;
    shard.take(usize::MAX, usize::MAX, |mut waiting, _| {
        number += 1;
        waiting.caller.answer(Ok(()));
        Some(0)
    });
    number
}

proptest! {
    /// Deadlines in any order, looked at any number of times: nobody is answered early, nobody is left out, nobody is
    /// answered twice, and the rest keeps its order.
    #[test]
    fn every_index_gets_its_own_answer_at_its_own_time(
        deadlines in prop::collection::vec(0u64..100, 1..200),
        looks in prop::collection::vec(0u64..120, 0..8),
        before in 0usize..200,
    ) {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let mut looks = looks;
        looks.sort_unstable();
        let (queues, mut shards) = queues(1, deadlines.len(), &metrics());
        let shard = &mut shards[0];
        let (sender, mut receiver) = mpsc::channel(deadlines.len());
        let mut late = Vec::new();
        let mut waits: Vec<u64> = (0..deadlines.len() as u64).collect();
        let mut looks = looks.into_iter();
        for (index, ms) in (0..).zip(&deadlines) {
            // Some come after a look.
            if index as usize == before && let Some(now) = looks.next() {
                shard.expire(at(now));
                let (due, rest) = waits.iter().partition(|&&i| {
                    i < index && deadlines[i as usize] <= now
                });
                waits = rest;
                late.extend::<Vec<u64>>(due);
            }
            queues.push(0, one_of(&sender, index, at(*ms)));
        }
        for now in looks {
            shard.expire(at(now));
            let (due, rest): (Vec<u64>, Vec<u64>) =
                waits.iter().partition(|&&i| deadlines[i as usize] <= now);
            waits = rest;
            late.extend(due);
            let mut told: Vec<u64> = all_outcomes(&mut receiver)
                .into_iter()
                .map(|(index, outcome)| {
                    assert_eq!(outcome, Err(IngestError::Timeout));
                    index
                })
                .collect();
            told.sort_unstable();
            late.sort_unstable();
            prop_assert_eq!(&told, &late);
            late.clear();
        }
        // Those of a look before the last event came.
        prop_assert_eq!(all_outcomes(&mut receiver).len(), late.len());
        prop_assert_eq!(written(shard), waits.len());
        let told: Vec<u64> = all_outcomes(&mut receiver).into_iter().map(|(index, outcome)| {
            assert_eq!(outcome, Ok(()));
            index
        }).collect();
        prop_assert_eq!(told, waits);
        // All room is there again.
        prop_assert_eq!(queues.room.events.available_permits(), deadlines.len());
        prop_assert_eq!(queues.room.kib.available_permits(), CAPACITY_KIB);
    }
}

#[tokio::test]
async fn singles_behind_a_late_bulk_keep_their_time() {
    let now = Instant::now();
    let (queues, mut shards) = queues(1, 10, &metrics());
    let (sender, mut bulk) = mpsc::channel(2);
    // A single event came first; the bulk is older and had waited for room.
    let (patient, mut patient_answer) = single(now + Duration::from_secs(2));
    queues.push(0, patient);
    queues.push(0, one_of(&sender, 0, now + Duration::from_secs(1)));
    queues.push(0, one_of(&sender, 1, now + Duration::from_secs(1)));
    let shard = &mut shards[0];
    shard.expire(now + Duration::from_secs(1));
    assert_eq!(
        all_outcomes(&mut bulk),
        [
            (0, Err(IngestError::Timeout)),
            (1, Err(IngestError::Timeout))
        ]
    );
    assert!(
        patient_answer.try_recv().is_err(),
        "answered before its time"
    );
    assert_eq!(written(shard), 1);
    assert_eq!(patient_answer.await, Ok(Ok(())));
}

#[tokio::test]
async fn a_full_queue_answers_singles_and_holds_back_lanes() {
    let metrics = metrics();
    let (queues, mut shards) = queues(2, 1, &metrics);
    let deadline = Instant::now() + Duration::from_secs(60);
    let (first, _first_answer) = single(deadline);
    queues.push(0, first);
    let (second, second_answer) = single(deadline);
    queues.push(1, second);
    assert_eq!(second_answer.await, Ok(Err(IngestError::QueueFull)));

    let (sender, mut lane) = mpsc::channel(2);
    queues
        .push_when_room(vec![(1, one_of(&sender, 0, Instant::now()))])
        .await;
    assert_eq!(all_outcomes(&mut lane), [(0, Err(IngestError::Timeout))]);

    let held_back = queues.push_when_room(vec![(1, one_of(&sender, 1, deadline))]);
    let ((), written_first) = tokio::join!(held_back, async { written(&mut shards[0]) });
    assert_eq!(written_first, 1);
    assert!(shards[1].arrival(true).await);
    assert_eq!(written(&mut shards[1]), 1);
    assert_eq!(all_outcomes(&mut lane), [(1, Ok(()))]);
}

#[tokio::test]
async fn a_batch_ends_at_its_bytes_and_nothing_is_lost() {
    let deadline = Instant::now() + Duration::from_secs(60);
    let (queues, mut shards) = queues(1, 10, &metrics());
    let (sender, mut receiver) = mpsc::channel(4);
    for (index, bytes) in (0..).zip([600, 600, 5000, 10]) {
        let mut waiting = one_of(&sender, index, deadline);
        waiting.event = event(bytes);
        queues.push(0, waiting);
    }
    let mut batches = Vec::new();
    for _ in 0..4 {
        let mut batch = 0;
        shards[0].take(10, 2000, |mut waiting, _| {
            batch += 1;
            waiting.caller.answer(Ok(()));
            Some(waiting.event.size_hint_bytes())
        });
        batches.push(batch);
    }
    assert_eq!(batches, [2, 1, 1, 0]);
    let order: Vec<u64> = all_outcomes(&mut receiver)
        .iter()
        .map(|(index, _)| *index)
        .collect();
    assert_eq!(order, [0, 1, 2, 3]);
}

#[tokio::test]
async fn what_waits_when_the_queue_closes_is_given_back() {
    let deadline = Instant::now() + Duration::from_secs(60);
    let (queues, mut shards) = queues(1, 10, &metrics());
    let (early, early_answer) = single(deadline);
    queues.push(0, early);
    let rest = shards[0].close().await;
    assert_eq!(rest.len(), 1);
    let (late, late_answer) = single(deadline);
    queues.push(0, late);
    assert_eq!(late_answer.await, Ok(Err(IngestError::ShuttingDown)));
    // A fault of the writer, not of the caller: it is told, and not told that the service stops.
    drop(rest);
    assert_eq!(early_answer.await, Ok(Err(IngestError::Internal)));
    drop(queues);
    assert!(!shards[0].arrival(true).await);
}

#[tokio::test]
async fn a_bulk_larger_than_the_queue_passes_in_chunks_and_in_order() {
    const EVENTS: u64 = 1000;
    let metrics = metrics();
    let (queues, mut shards) = queues(2, 64, &metrics);
    let deadline = Instant::now() + Duration::from_secs(60);
    let (sender, mut receiver) = mpsc::channel(EVENTS as usize);
    let events = (0..EVENTS).map(|index| {
        let writer = (index % 2) as usize;
        (writer, one_of(&sender, index, deadline))
    });
    let held_back = queues.push_when_room(events.collect());
    let writing = async {
        let mut left = EVENTS as usize;
        let mut most = 0;
        while left > 0 {
            for shard in &mut shards {
                let wrote = match tokio::time::timeout(Duration::ZERO, shard.arrival(true)).await {
                    Ok(_) => written(shard),
                    Err(_elapsed) => 0,
                };
                most = most.max(wrote);
                left -= wrote;
            }
            tokio::task::yield_now().await;
        }
        most
    };
    let ((), most) = tokio::join!(held_back, writing);
    assert!((2..=64).contains(&most), "{most} at once");
    let told = all_outcomes(&mut receiver);
    for parity in 0..2 {
        let its_own: Vec<u64> = told.iter().map(|(index, _)| *index).collect();
        let its_own: Vec<u64> = its_own.into_iter().filter(|i| i % 2 == parity).collect();
        assert_eq!(its_own.len() as u64, EVENTS / 2);
        assert!(its_own.is_sorted(), "{its_own:?}");
    }
    assert_eq!(queues.room.events.available_permits(), 64);
    assert_eq!(queues.room.kib.available_permits(), CAPACITY_KIB);
}

#[tokio::test]
async fn two_lead_and_what_comes_meanwhile_waits_for_the_writer() {
    let deadline = Instant::now() + Duration::from_secs(60);
    let (queues, mut shards) = queues(1, 10, &metrics());
    let shard = &mut shards[0];
    let lead = queues.lead(0, deadline).expect("nobody writes");
    let other = queues.lead(0, deadline).expect("two at a time");
    assert!(queues.lead(0, deadline).is_none(), "two at a time");
    let (follower, answer) = single(deadline);
    queues.push(0, follower);
    let early = tokio::time::timeout(Duration::ZERO, shard.arrival(true)).await;
    assert!(early.is_err(), "the writer waits for the leaders");
    drop(other);
    assert!(queues.lead(0, deadline).is_none(), "an event waits");
    let ((), came) = tokio::join!(async { drop(lead) }, shard.arrival(true));
    assert!(
        came && queues.lead(0, deadline).is_none(),
        "the writer's turn"
    );
    assert_eq!(written(shard), 1);
    assert_eq!(answer.await, Ok(Ok(())));
    // The writer has nothing left: it gives its turn back, and takes it again for what is parked.
    assert!(
        tokio::time::timeout(Duration::ZERO, shard.arrival(true))
            .await
            .is_err()
    );
    assert!(queues.lead(0, deadline).is_some());
    assert!(
        tokio::time::timeout(Duration::ZERO, shard.arrival(false))
            .await
            .is_err()
    );
    assert!(queues.lead(0, deadline).is_none(), "events are parked");
}

#[tokio::test]
async fn what_a_leader_cannot_write_goes_to_the_writer_first() {
    let deadline = Instant::now() + Duration::from_secs(60);
    let (queues, mut shards) = queues(1, 10, &metrics());
    let (sender, mut receiver) = mpsc::channel(2);
    let lead = queues.lead(0, deadline).expect("nobody writes");
    queues.push(0, one_of(&sender, 1, deadline));
    lead.hand_over(one_of(&sender, 0, deadline));
    assert!(shards[0].arrival(true).await);
    assert_eq!(written(&mut shards[0]), 2);
    let order: Vec<u64> = all_outcomes(&mut receiver)
        .iter()
        .map(|(i, _)| *i)
        .collect();
    assert_eq!(order, [0, 1]);
    assert_eq!(queues.room.events.available_permits(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_leader_ends_at_its_deadline_and_those_behind_it_at_theirs() {
    let (queues, mut shards) = queues(1, 10, &metrics());
    let now = Instant::now();
    let lead = queues
        .lead(0, now + Duration::from_secs(10))
        .expect("nobody writes");
    let (behind, answer) = single(now + Duration::from_secs(4));
    queues.push(0, behind);
    let shard = &mut shards[0];
    let leader = async {
        lead.overdue().await;
        drop(lead);
        now.elapsed()
    };
    let behind = async {
        assert_eq!(answer.await, Ok(Err(IngestError::Timeout)));
        now.elapsed()
    };
    let writer = tokio::time::timeout(Duration::from_secs(60), shard.arrival(true));
    let (leader, behind, writer) = tokio::join!(leader, behind, writer);
    assert!(writer.is_err(), "nothing is left to be written");
    for (took, seconds) in [(leader, 10), (behind, 4)] {
        let late = took - Duration::from_secs(seconds);
        assert!(late <= Duration::from_millis(100), "{took:?}");
    }
    // Nobody leads any more: the writer's watch has ended, and no timer wakes it.
    assert!(queues.lead(0, now).is_some());
}

#[tokio::test]
async fn a_queue_closes_when_its_leader_is_done() {
    let deadline = Instant::now() + Duration::from_secs(60);
    let (queues, mut shards) = queues(1, 10, &metrics());
    let lead = queues.lead(0, deadline).expect("nobody writes");
    let early = tokio::time::timeout(Duration::ZERO, shards[0].close()).await;
    assert!(early.is_err());
    let (rest, ()) = tokio::join!(shards[0].close(), async { drop(lead) });
    assert!(rest.is_empty());
    assert!(queues.lead(0, deadline).is_none());
}
