//! Only events of locked entities wait, and none overtakes another of its lane.

use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::caller::{Answer, Caller};
use crate::error::Outcome;

fn event(ids: &[&str]) -> Event {
    let entities: Vec<String> = ids
        .iter()
        .map(|id| format!(r#"{{"entityType":"Car","entityId":"{id}"}}"#))
        .collect();
    let json = format!(
        r#"{{"eventHeader":{{"eventName":"Test"}},"eventBody":{{"entities":[{}]}}}}"#,
        entities.join(",")
    );
    Event::from_json(json.as_bytes()).expect("a valid event")
}

fn single(ids: &[&str]) -> (Waiting, oneshot::Receiver<Outcome>) {
    let (sender, receiver) = oneshot::channel();
    let deadline = Instant::now() + Duration::from_secs(10);
    let waiting = Waiting {
        event: event(ids),
        caller: Caller::new(Answer::One(sender), deadline),
    };
    (waiting, receiver)
}

fn on_lane(sender: &mpsc::Sender<(u64, Outcome)>, index: u64, ids: &[&str]) -> Waiting {
    Waiting {
        event: event(ids),
        caller: Caller::new(
            Answer::OfMany(index, sender.clone()),
            Instant::now() + Duration::from_secs(10),
        ),
    }
}

fn ids(events: &[Waiting]) -> Vec<&str> {
    events
        .iter()
        .map(|waiting| waiting.event.entities()[0].entity_id())
        .collect()
}

/// `freed` for what is parked, where these ids are still locked.
fn freed(parked: &mut Parked, locked: &[&str], limit: usize) -> Vec<Waiting> {
    let keys = parked.keys();
    let locked: Vec<bool> = keys
        .iter()
        .map(|(_, id)| locked.contains(&id.as_str()))
        .collect();
    parked.freed(&keys, &locked, limit)
}

#[test]
fn only_events_of_a_locked_entity_are_held() {
    let mut parked = Parked::default();
    let (locked, _kept) = single(&["locked", "free"]);
    assert!(!parked.holds(&locked), "nothing is parked");
    parked.lock([("Car", "locked")]);
    assert!(parked.holds(&locked), "before the first event is parked");
    parked.park(locked, None);
    let (stranger, _kept) = single(&["stranger"]);
    assert!(!parked.holds(&stranger));
    let (same, _kept) = single(&["other", "locked"]);
    assert!(parked.holds(&same));
    // Another entity of the parked event is not locked.
    let (free, _kept) = single(&["free"]);
    assert!(!parked.holds(&free));
}

#[test]
fn an_event_does_not_overtake_one_of_its_lane() {
    let mut parked = Parked::default();
    let (sender, _kept) = mpsc::channel(8);
    parked.lock([("Car", "locked")]);
    parked.park(on_lane(&sender, 0, &["locked", "free"]), None);
    assert!(parked.holds(&on_lane(&sender, 1, &["free"])));
    assert!(!parked.holds(&on_lane(&sender, 1, &["stranger"])));
    let (another, _kept) = mpsc::channel(8);
    assert!(!parked.holds(&on_lane(&another, 0, &["free"])));

    parked.park(on_lane(&sender, 1, &["free"]), None);
    assert_eq!(freed(&mut parked, &["locked"], 10).len(), 0);
    assert_eq!(ids(&freed(&mut parked, &[], 10)), ["locked", "free"]);
    assert!(parked.is_empty() && parked.named.is_empty() && parked.locked.is_empty());
}

#[test]
fn what_is_freed_goes_in_order_and_in_batches() {
    let mut parked = Parked::default();
    let (sender, mut receiver) = mpsc::channel(8);
    for (index, id) in (0..).zip(["a", "b", "a", "c"]) {
        parked.park(on_lane(&sender, index, &[id]), None);
    }
    let mut first = freed(&mut parked, &["b"], 2);
    assert_eq!(ids(&first), ["a", "a"]);
    let mut then = freed(&mut parked, &["b"], 2);
    assert_eq!(ids(&then), ["c"]);
    assert_eq!(parked.keys(), [("Car".to_owned(), "b".to_owned())]);
    for waiting in first.iter_mut().chain(&mut then) {
        waiting.caller.answer(Ok(()));
    }
    let order: Vec<u64> = std::iter::from_fn(|| receiver.try_recv().ok())
        .map(|(index, _)| index)
        .collect();
    assert_eq!(order, [0, 2, 3]);
}

#[test]
fn callers_expire_with_the_reason_and_leave_no_key_behind() {
    let mut parked = Parked::default();
    parked.lock([("Car", "a")]);
    let (waiting, mut receiver) = single(&["a"]);
    let deadline = waiting.caller.deadline();
    parked.park(waiting, None);
    parked.expire(deadline - Duration::from_millis(1));
    assert!(receiver.try_recv().is_err());
    parked.expire(deadline);
    assert_eq!(
        receiver.try_recv(),
        Ok(Err(IngestError::Database(Cause::Locked)))
    );
    let (next, _kept) = single(&["a"]);
    assert!(!parked.holds(&next));
}

#[test]
fn an_event_that_is_tried_alone_keeps_its_turn() {
    let mut parked = Parked::default();
    let now = Instant::now();
    let (sender, _kept) = mpsc::channel(8);
    parked.park_alone(on_lane(&sender, 0, &["a"]), None, Cause::Conflict, now);
    parked.park_alone(on_lane(&sender, 1, &["a"]), None, Cause::Conflict, now);
    parked.park_alone(on_lane(&sender, 2, &["b"]), None, Cause::Conflict, now);
    assert!(parked.next_alone(now).is_none(), "not yet due");
    let due = now + FIRST_PAUSE;
    let (first, turn) = parked.next_alone(due).expect("the first");
    assert_eq!(ids(std::slice::from_ref(&first)), ["a"]);
    parked.failed_again(first, turn, Cause::Conflict, due);
    // The second of the same entity waits behind it; another entity does not.
    let (other, _) = parked.next_alone(due).expect("the third");
    assert_eq!(ids(&[other]), ["b"]);
    assert!(parked.next_alone(due).is_none());
    let (first, _) = parked
        .next_alone(due + FIRST_PAUSE * 2)
        .expect("the first again");
    drop(first);
    assert!(parked.next_alone(due).is_some(), "then the second");
}
