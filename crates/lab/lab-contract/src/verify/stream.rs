//! The cases of the transaction stream: replays of what `weir seed` makes.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use api::benchmark::{StreamRequest, Transaction};
use http::StatusCode;
use lab_model::endpoint::Endpoint;
use lab_model::targets::{Protocol, Target};
use prost::Message;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tonic::Code;

use super::finding::Finding;
use super::wire::{connect, health, stream_on};
use crate::application_db::{ApplicationDb, TransactionRow};
use crate::http::get;

/// A service that has just been started may still have to number 100,000 transactions.
const LIMIT: Duration = Duration::from_secs(40);

/// Within the day of the seeded transactions.
const SINCE: &str = "2025-01-01T06:00:00Z";

/// What is asked for.
#[derive(Clone, Debug, Default)]
struct Question {
    since: String,
    account: String,
    after: u64,
    limit: u64,
    rate: i64,
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    sequence: u64,
    row: TransactionRow,
}

/// What came back.
enum Answer {
    /// And the bytes of their texts or messages, without headers and framing.
    Events(Vec<Event>, usize),
    /// 400 or INVALID_ARGUMENT.
    Invalid,
    Other(String),
}

/// Runs every case. Without `database` events are not compared with the table.
pub(super) async fn cases(
    target: &Target,
    at: &Endpoint,
    database: Option<&ApplicationDb>,
) -> Result<Vec<Finding>> {
    let subscriber = Subscriber { target, at };
    Ok(vec![
        Finding::of("health answers", health(target, at).await),
        Finding::of(
            "a replay has every transaction since a time, in order, and ends at its limit",
            replay(&subscriber, database).await,
        ),
        Finding::of(
            "a replay begins at its time, inclusively",
            inclusive(&subscriber).await,
        ),
        Finding::of(
            "an account's stream has its transactions alone",
            filtered(&subscriber, database).await,
        ),
        Finding::of(
            "a stream goes on after an event",
            resumed(&subscriber).await,
        ),
        Finding::of("a wrong time is refused", wrong_time(&subscriber).await),
        Finding::of("a wrong rate is refused", wrong_rate(&subscriber).await),
    ])
}

/// Bytes of an event's text or message, without headers and framing: the mean of a thousand.
pub(crate) async fn event_bytes(target: &Target, at: &Endpoint) -> Result<f64> {
    let subscriber = Subscriber { target, at };
    match subscriber.ask(&since(SINCE, 1000)).await? {
        Answer::Events(events, bytes) if !events.is_empty() => {
            Ok(bytes as f64 / events.len() as f64)
        }
        _ => bail!("no event came"),
    }
}

async fn replay(subscriber: &Subscriber<'_>, database: Option<&ApplicationDb>) -> Result<()> {
    let events = subscriber.read(&since(SINCE, 200)).await?;
    ensure!(events.len() == 200, "{} events came, not 200", events.len());
    dense(&events)?;
    if let Some(database) = database {
        let from = OffsetDateTime::parse(SINCE, &Rfc3339)?;
        same(
            &events,
            &database.transactions_since(from, None, 200).await?,
        )?;
    }
    Ok(())
}

async fn inclusive(subscriber: &Subscriber<'_>) -> Result<()> {
    let events = subscriber.read(&since(SINCE, 3)).await?;
    let third = events.last().context("no event came")?;
    let again = subscriber
        .read(&since(&third.row.timestamp.format(&Rfc3339)?, 1))
        .await?;
    ensure!(
        again.first() == Some(third),
        "{again:?} came, not {third:?}"
    );
    Ok(())
}

async fn filtered(subscriber: &Subscriber<'_>, database: Option<&ApplicationDb>) -> Result<()> {
    let first = subscriber.read(&since(SINCE, 1)).await?;
    let account = first.first().context("no event came")?.row.from.clone();
    let question = Question {
        account: account.clone(),
        ..since(SINCE, 4)
    };
    let events = subscriber.read(&question).await?;
    for event in &events {
        ensure!(
            event.row.from == account || event.row.to == account,
            "{event:?} is not of {account}"
        );
    }
    let rising = events.is_sorted_by(|a, b| a.sequence < b.sequence);
    ensure!(events.len() == 4 && rising, "{events:?} came");
    if let Some(database) = database {
        let from = OffsetDateTime::parse(SINCE, &Rfc3339)?;
        same(
            &events,
            &database.transactions_since(from, Some(&account), 4).await?,
        )?;
    }
    Ok(())
}

async fn resumed(subscriber: &Subscriber<'_>) -> Result<()> {
    let events = subscriber.read(&since(SINCE, 20)).await?;
    ensure!(events.len() == 20, "{} events came, not 20", events.len());
    let question = Question {
        after: events[9].sequence,
        limit: 10,
        ..Question::default()
    };
    let rest = subscriber.read(&question).await?;
    ensure!(
        rest == events[10..],
        "after {} came {rest:?}",
        question.after
    );
    Ok(())
}

async fn wrong_time(subscriber: &Subscriber<'_>) -> Result<()> {
    subscriber.refuses(&since("yesterday", 1)).await
}

async fn wrong_rate(subscriber: &Subscriber<'_>) -> Result<()> {
    let question = Question {
        rate: -1,
        ..since(SINCE, 1)
    };
    subscriber.refuses(&question).await
}

fn since(time: &str, limit: u64) -> Question {
    Question {
        since: time.into(),
        limit,
        ..Question::default()
    }
}

/// An error where a number is missing, comes twice or comes late.
fn dense(events: &[Event]) -> Result<()> {
    for pair in events.windows(2) {
        ensure!(
            pair[1].sequence == pair[0].sequence + 1,
            "{} came after {}",
            pair[1].sequence,
            pair[0].sequence
        );
    }
    Ok(())
}

fn same(events: &[Event], rows: &[TransactionRow]) -> Result<()> {
    ensure!(
        events.len() == rows.len(),
        "{} came, the table has {}",
        events.len(),
        rows.len()
    );
    for (event, row) in events.iter().zip(rows) {
        ensure!(
            event.row == *row,
            "{:?} came, the table has {row:?}",
            event.row
        );
    }
    Ok(())
}

/// A client of one target.
struct Subscriber<'a> {
    target: &'a Target,
    at: &'a Endpoint,
}

impl Subscriber<'_> {
    async fn read(&self, question: &Question) -> Result<Vec<Event>> {
        match self.ask(question).await? {
            Answer::Events(events, _) => Ok(events),
            Answer::Invalid => bail!("a good request was refused: {question:?}"),
            Answer::Other(what) => bail!("a good request was answered with {what}"),
        }
    }

    async fn refuses(&self, question: &Question) -> Result<()> {
        let right = match self.target.protocol {
            Protocol::Rest => "400",
            Protocol::Grpc => "INVALID_ARGUMENT",
        };
        match self.ask(question).await? {
            Answer::Invalid => Ok(()),
            Answer::Events(..) => bail!("answered with events, not with {right}"),
            Answer::Other(what) => bail!("answered with {what}, not with {right}"),
        }
    }

    async fn ask(&self, question: &Question) -> Result<Answer> {
        let asked = async {
            match self.target.protocol {
                Protocol::Rest => self.ask_sse(question).await,
                Protocol::Grpc => self.ask_grpc(question).await,
            }
        };
        tokio::time::timeout(LIMIT, asked)
            .await
            .with_context(|| format!("no end within {} s: {question:?}", LIMIT.as_secs()))?
    }

    async fn ask_sse(&self, question: &Question) -> Result<Answer> {
        let path = &self.target.rest.as_ref().context("[target.rest]")?.path;
        let mut parameters = vec![format!("limit={}", question.limit)];
        for (name, value) in [("since", &question.since), ("account", &question.account)] {
            if !value.is_empty() {
                parameters.push(format!("{name}={value}"));
            }
        }
        if question.rate != 0 {
            parameters.push(format!("rate={}", question.rate));
        }
        let path = format!("{path}?{}", parameters.join("&"));
        let after = question.after.to_string();
        let headers = [("Last-Event-ID", after.as_str())];
        let headers = if question.after > 0 {
            &headers[..]
        } else {
            &[]
        };
        let (status, body) = get(self.at, &path, headers, LIMIT).await?;
        let text = String::from_utf8_lossy(&body);
        Ok(match status {
            StatusCode::OK => Answer::Events(events_of(&text)?, body.len()),
            StatusCode::BAD_REQUEST => Answer::Invalid,
            other => Answer::Other(format!("{other} {text}")),
        })
    }

    async fn ask_grpc(&self, question: &Question) -> Result<Answer> {
        let grpc = self.target.grpc.as_ref().context("[target.grpc]")?;
        let request = StreamRequest {
            since_timestamp: question.since.clone(),
            rate_limit: i32::try_from(question.rate)?,
            filter_account: question.account.clone(),
            after_sequence: question.after,
            limit: question.limit,
        };
        let channel = connect(self.at).await?;
        let path = format!("/{}/{}", grpc.service, grpc.method);
        // One more than asked for would be noticed.
        let most = usize::try_from(question.limit)? + 1;
        Ok(
            match stream_on::<_, Transaction>(&channel, &path, request, most).await? {
                Ok(all) => {
                    let bytes = all.iter().map(Message::encoded_len).sum();
                    let events = all.into_iter().map(event_from).collect::<Result<_>>()?;
                    Answer::Events(events, bytes)
                }
                Err(status) if status.code() == Code::InvalidArgument => Answer::Invalid,
                Err(status) => Answer::Other(format!("{:?}: {}", status.code(), status.message())),
            },
        )
    }
}

/// The events of a body of `text/event-stream`, whose `id` must be the sequence.
fn events_of(body: &str) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    let blocks = body.split("\n\n").filter(|block| block.contains("data:"));
    for block in blocks {
        let field = |name: &str| {
            let found = block.lines().find_map(|line| line.strip_prefix(name));
            found.with_context(|| format!("an event without '{name}': {block}"))
        };
        let data: Value = serde_json::from_str(field("data: ")?)?;
        let text = |key: &str| {
            let found = data[key].as_str();
            found.with_context(|| format!("\"{key}\" is missing or no text in {data}"))
        };
        let number = |key: &str| {
            let found = data[key].as_i64();
            found.with_context(|| format!("\"{key}\" is no whole number in {data}"))
        };
        let event = Event {
            sequence: u64::try_from(number("sequence")?)?,
            row: TransactionRow {
                id: text("tx_id")?.into(),
                from: text("from")?.into(),
                to: text("to")?.into(),
                amount: number("amount")?,
                kind: text("type")?.into(),
                timestamp: OffsetDateTime::parse(text("timestamp")?, &Rfc3339)?,
            },
        };
        let id: u64 = field("id: ")?.parse().context("id is no number")?;
        ensure!(
            id == event.sequence,
            "id {id} beside sequence {}",
            event.sequence
        );
        ensure!(
            number("emitted_at_us")? > 0,
            "emitted_at_us is no time in {data}"
        );
        events.push(event);
    }
    Ok(events)
}

fn event_from(found: Transaction) -> Result<Event> {
    ensure!(
        found.emitted_at_us > 0,
        "emitted_at_us is no time in {found:?}"
    );
    let timestamp = OffsetDateTime::parse(&found.timestamp, &Rfc3339)
        .with_context(|| format!("timestamp {:?} is no RFC 3339 time", found.timestamp))?;
    Ok(Event {
        sequence: found.sequence,
        row: TransactionRow {
            id: found.tx_id,
            from: found.from_account,
            to: found.to_account,
            amount: found.amount_tinybar,
            kind: found.tx_type,
            timestamp,
        },
    })
}
