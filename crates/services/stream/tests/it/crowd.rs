//! 8 writers whose transactions commit out of order, while 20 subscribers come and go.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use api::benchmark::StreamRequest;
use tokio_postgres::Client;

use crate::client::{Event, Grpc, Sse};
use crate::support::{Fixture, assert_dense, insert, sequences};

const WRITERS: usize = 8;
const SUBSCRIBERS: usize = 20;
const WRITING: Duration = Duration::from_secs(6);
/// Ids in a row that are in each transaction, every so often more.
const LAST: &str = "last";

/// A transaction of a writer, and when it was committed.
#[derive(Debug)]
struct Committed {
    ids: Vec<String>,
    /// Before the commit was sent.
    sent: Instant,
    /// After its answer was read.
    answered: Instant,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_subscriber_gets_every_event_once_in_the_order_of_commits() {
    // A ring so small that subscribers fall behind it.
    let fixture = Arc::new(Fixture::start_with(&[("RING_EVENTS", "64")]).await);
    let done = Arc::new(AtomicBool::new(false));
    let mut subscribers = Vec::new();
    for number in 0..SUBSCRIBERS {
        let subscriber = come_and_go(Arc::clone(&fixture), number, Arc::clone(&done));
        subscribers.push(tokio::spawn(subscriber));
    }
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let client = fixture.writer().await;
        writers.push(tokio::spawn(write(client, number)));
    }
    let mut committed = Vec::new();
    for writer in writers {
        committed.extend(writer.await.unwrap());
    }
    insert(&fixture.writer().await, LAST).await;
    done.store(true, Ordering::Release);

    let all = Sse::resume(fixture.service.http(), "", 0).await;
    let all = until_last(all).await;
    assert_dense(&all, 1);
    let place: HashMap<&str, u64> = all
        .iter()
        .map(|event| (event.tx_id.as_str(), event.sequence))
        .collect();
    let written: usize = committed.iter().map(|one| one.ids.len()).sum();
    assert_eq!(all.len(), written + 1, "nothing lost, nothing invented");
    assert_eq!(place.len(), all.len(), "nothing twice");
    in_the_order_of_commits(committed, &place);

    for subscriber in subscribers {
        let (begun, seen) = subscriber.await.unwrap();
        // Dense from where it began, over all its reconnections, to the end: so it has all, once, in one order.
        assert_dense(&seen, begun);
        let first = usize::try_from(begun).unwrap() - 1;
        assert_eq!(seen.len(), all.len() - first);
        for (its, everyones) in seen.iter().zip(&all[first..]) {
            assert_eq!(its.tx_id, everyones.tx_id);
        }
        assert_eq!(sequences(&seen), sequences(&all[first..]));
    }
}

/// Whoever had the answer to a commit before another commit was sent has the lower numbers.
fn in_the_order_of_commits(mut committed: Vec<Committed>, place: &HashMap<&str, u64>) {
    let numbers = |one: &Committed| -> Vec<u64> {
        let numbers = one.ids.iter().map(|id| place[id.as_str()]);
        numbers.collect()
    };
    committed.sort_by_key(|one| one.sent);
    let mut answered: Vec<(Instant, u64)> = committed
        .iter()
        .map(|one| (one.answered, *numbers(one).iter().max().unwrap()))
        .collect();
    answered.sort();
    let mut before = answered.into_iter().peekable();
    let mut highest = 0;
    let mut overtaken = 0;
    for one in &committed {
        while let Some((_, number)) = before.next_if(|(answered, _)| *answered < one.sent) {
            highest = highest.max(number);
        }
        let own = numbers(one);
        assert!(
            *own.iter().min().unwrap() > highest,
            "{:?} was committed after number {highest}, and has {own:?}",
            one.ids
        );
        let span = own[own.len() - 1] - own[0];
        overtaken += usize::from(span as usize != own.len() - 1);
    }
    assert_eq!(overtaken, 0, "the rows of a transaction are together");
}

/// Single inserts, transactions of several, some that sleep before they commit, some that are rolled back.
async fn write(mut client: Client, writer: usize) -> Vec<Committed> {
    let begun = Instant::now();
    let mut committed = Vec::new();
    for n in 0.. {
        if begun.elapsed() > WRITING {
            break;
        }
        let ids: Vec<String> = (0..n % 4 + 1)
            .map(|row| format!("{writer}-{n}-{row}"))
            .collect();
        let transaction = client.transaction().await.unwrap();
        for id in &ids {
            insert(&transaction, id).await;
        }
        if writer == 0 {
            tokio::time::sleep(Duration::from_millis(300)).await;
        } else if n % 5 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if n % 7 == 3 {
            transaction.rollback().await.unwrap();
            continue;
        }
        let sent = Instant::now();
        transaction.commit().await.unwrap();
        let answered = Instant::now();
        committed.push(Committed {
            ids,
            sent,
            answered,
        });
    }
    committed
}

enum Subscriber {
    Sse(Sse),
    Grpc(Grpc),
}

impl Subscriber {
    /// Live, or after the event that it had last.
    async fn open(fixture: &Fixture, over_grpc: bool, after: Option<u64>) -> Self {
        if over_grpc {
            let request = StreamRequest {
                after_sequence: after.unwrap_or_default(),
                ..Default::default()
            };
            return Self::Grpc(fixture.grpc(request).await);
        }
        Self::Sse(match after {
            Some(after) => Sse::resume(fixture.service.http(), "", after).await,
            None => fixture.sse("").await,
        })
    }

    async fn next(&mut self) -> Event {
        let next = match self {
            Self::Sse(sse) => sse.next().await,
            Self::Grpc(grpc) => grpc.next().await,
        };
        next.expect("a further event")
    }
}

/// Reads for a while, goes away, comes back where it was; the last time it stays until the last event. Gives the number
/// that it began with, and all that it got.
async fn come_and_go(
    fixture: Arc<Fixture>,
    number: usize,
    done: Arc<AtomicBool>,
) -> (u64, Vec<Event>) {
    let mut seen: Vec<Event> = Vec::new();
    let stay = 20 + number * 15;
    loop {
        let last = seen.last().map(|event| event.sequence);
        let mut subscriber = Subscriber::open(&fixture, number.is_multiple_of(2), last).await;
        for _ in 0..stay {
            let event = subscriber.next().await;
            let is_last = event.tx_id == LAST;
            seen.push(event);
            if is_last {
                return (seen[0].sequence, seen);
            }
        }
        drop(subscriber);
        if !done.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(7 * number as u64)).await;
        }
    }
}

async fn until_last(mut sse: Sse) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let event = sse.next().await.unwrap();
        let is_last = event.tx_id == LAST;
        events.push(event);
        if is_last {
            return events;
        }
    }
}
