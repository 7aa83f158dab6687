//! The REST face: HTTP/1.1, one task a connection.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use domain::Event;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::work::{Refused, TIMESTAMP, Work, finite, now_us};

type Answer = Response<Full<Bytes>>;

/// Serves until the stop.
pub(crate) async fn serve(
    listener: TcpListener,
    work: Arc<Work>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, _) = accepted.context("cannot accept")?;
        stream.set_nodelay(true)?;
        let (work, stop) = (Arc::clone(&work), stop.clone());
        connections.spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&work), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // A client that goes away is none of the target's business.
                _ = connection => {}
                () = stop.cancelled() => {}
            }
        });
    }
    connections.close();
    connections.wait().await;
    Ok(())
}

async fn answer(work: Arc<Work>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(text(StatusCode::BAD_REQUEST, "the body broke off"));
    };
    let body = body.to_bytes();
    let parts: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
    Ok(match (&head.method, &parts[..]) {
        (&Method::POST, ["api", "v1", "events"]) => event(&work, &body).await,
        (&Method::POST, ["api", "v1", "events", "bulk"]) => bulk(&work, &body).await,
        (&Method::GET, ["api", "v1", "accounts", id, "balance"]) => {
            work.count(1);
            let body = format!(r#"{{"account":"{id}","balance":1,"timestamp":"{TIMESTAMP}"}}"#);
            reply(StatusCode::OK, body)
        }
        (&Method::GET, ["api", "v1", "transactions", "stream"]) => {
            let query = head.uri.query().unwrap_or_default();
            let last = head.headers.get("last-event-id");
            stream(&work, query, last)
        }
        (&Method::POST, ["api", "v1", "topics", topic, "records"]) => records(&work, topic, &body),
        (&Method::POST, ["api", "v1", "topics"]) => topic(&work, &body),
        (&Method::POST, ["api", "v1", "logs", _]) => entry(&work, &body),
        (&Method::GET, ["api", "v1", "events", "health"] | ["health"]) => {
            reply(StatusCode::OK, r#"{"status":"healthy"}"#)
        }
        (&Method::GET, ["metrics"]) => {
            let body = format!("null_answered_total {}\n", work.answered());
            text(StatusCode::OK, body)
        }
        _ => failure(StatusCode::NOT_FOUND, "not_found", "no such path"),
    })
}

async fn event(work: &Work, body: &[u8]) -> Answer {
    match work.take(Event::from_json(body)).await {
        Ok(()) => reply(StatusCode::OK, r#"{"success":true,"message":"done"}"#),
        Err(Refused::Invalid(message)) => {
            failure(StatusCode::BAD_REQUEST, "invalid_argument", &message)
        }
        Err(Refused::Failed(message)) => {
            failure(StatusCode::INTERNAL_SERVER_ERROR, "internal", &message)
        }
    }
}

async fn bulk(work: &Work, body: &[u8]) -> Answer {
    let elements = match domain::parse_bulk(body) {
        Ok(elements) => elements,
        Err(invalid) => {
            let message = invalid.to_string();
            return failure(StatusCode::BAD_REQUEST, "invalid_argument", &message);
        }
    };
    let events = elements.len();
    let mut failures = Vec::new();
    for (index, element) in elements.into_iter().enumerate() {
        if let Err(Refused::Invalid(error) | Refused::Failed(error)) =
            work.take(element.event()).await
        {
            failures.push(json!({ "index": index, "error": error }));
        }
    }
    let body = json!({
        "success": failures.is_empty(), "message": "done", "processedCount": events - failures.len(),
        "failedCount": failures.len(), "batchId": "null", "processingTimeMs": 0, "failures": failures,
    });
    reply(StatusCode::OK, body.to_string())
}

/// All events of a stream at once: a null target has them.
fn stream(work: &Work, query: &str, last: Option<&HeaderValue>) -> Answer {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| value.parse::<u64>().ok())
    };
    let after = last
        .and_then(|id| id.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    let since = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("since="));
    let since = since.map_or_else(|| TIMESTAMP.to_owned(), |since| since.replace("%3A", ":"));
    let mut body = String::new();
    let mut count = 0;
    let now = now_us();
    for sequence in work.sequences(after, finite(value("limit").unwrap_or(0))) {
        count += 1;
        body += &format!(
            "id: {sequence}\nevent: transaction\ndata: {{\"tx_id\":\"null-{sequence}\",\"from\":\"0.0.100000\",\
             \"to\":\"0.0.100001\",\"amount\":1,\"type\":\"transfer\",\"timestamp\":\"{since}\",\
             \"sequence\":{sequence},\"emitted_at_us\":{now}}}\n\n"
        );
    }
    work.count(count);
    let mut answer = reply(StatusCode::OK, body);
    let kind = HeaderValue::from_static("text/event-stream");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

fn topic(work: &Work, body: &[u8]) -> Answer {
    let asked: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(name) = asked["name"].as_str() else {
        return failure(
            StatusCode::BAD_REQUEST,
            "invalid_argument",
            "name is missing",
        );
    };
    let partitions = asked["numPartitions"].as_i64().unwrap_or(1);
    work.create_topic(name, i32::try_from(partitions).unwrap_or(1));
    reply(StatusCode::CREATED, json!({ "name": name }).to_string())
}

fn records(work: &Work, topic: &str, body: &[u8]) -> Answer {
    let asked: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let mut done = Vec::new();
    for record in asked["records"].as_array().into_iter().flatten() {
        let partition = record["partition"].as_i64().unwrap_or(0);
        let value = record["value"].as_str().unwrap_or_default();
        let kept = api::takhin::Record {
            value: value.as_bytes().to_vec().into(),
            ..api::takhin::Record::default()
        };
        let partition = i32::try_from(partition).unwrap_or(0);
        let Some(offset) = work.produce(topic, partition, kept) else {
            return failure(StatusCode::NOT_FOUND, "not_found", "no such topic");
        };
        done.push(json!({ "partition": partition, "offset": offset, "timestamp": 0 }));
    }
    reply(StatusCode::OK, json!({ "records": done }).to_string())
}

fn entry(work: &Work, body: &[u8]) -> Answer {
    if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err() {
        return failure(
            StatusCode::BAD_REQUEST,
            "invalid_argument",
            "the body is no JSON",
        );
    }
    let body = json!({ "seq": work.append(), "ts": TIMESTAMP, "hash": "0" });
    reply(StatusCode::CREATED, body.to_string())
}

fn failure(status: StatusCode, error: &str, message: &str) -> Answer {
    let body = json!({ "success": false, "error": error, "message": message });
    reply(status, body.to_string())
}

fn reply(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = text(status, body);
    let kind = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer
}
