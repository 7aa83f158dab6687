//! The three routes.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router, body::Bytes};
use ingest::event::{Event, Invalid};
use ingest::service::{MAX_BULK, MAX_EVENT, STORED};
use ingest::store::{Store, StoreError};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::answer::{Refusal, Success};

type Body = Result<Bytes, BytesRejection>;

pub fn routes(store: Store) -> Router {
    Router::new()
        .route(
            "/api/v1/events",
            post(one).layer(DefaultBodyLimit::max(MAX_EVENT)),
        )
        .route(
            "/api/v1/events/bulk",
            post(bulk).layer(DefaultBodyLimit::max(MAX_BULK)),
        )
        .route("/api/v1/events/health", get(health))
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path does not take this method",
            )
        })
        .with_state(store)
}

async fn one(
    State(store): State<Store>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Success>, Refusal> {
    let body = json(&headers, body)?;
    store.write(&Event::parse(&body)?).await?;
    Ok(success(STORED))
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Bulk {
    success: bool,
    message: String,
    processed_count: usize,
    failed_count: usize,
    batch_id: String,
    processing_time_ms: u128,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
struct Failure {
    index: usize,
    error: String,
}

/// Stores the events one after the other: those of one entity keep their order.
async fn bulk(
    State(store): State<Store>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Bulk>, Refusal> {
    let began = Instant::now();
    let body = json(&headers, body)?;
    let events: Vec<&RawValue> = serde_json::from_slice(&body).unwrap_or_default();
    if events.is_empty() {
        let problem = "the body must be a JSON array of at least one event";
        return Err(Invalid(problem.to_owned()).into());
    }
    let mut failures = Vec::new();
    let mut unavailable = false;
    for (index, json) in events.iter().enumerate() {
        let outcome = match Event::parse(json.get().as_bytes()) {
            Ok(event) => store.write(&event).await,
            Err(invalid) => Err(invalid.into()),
        };
        if let Err(error) = outcome {
            unavailable |= matches!(error, StoreError::Unavailable);
            let error = error.to_string();
            failures.push(Failure { index, error });
        }
    }
    let processed = events.len() - failures.len();
    if unavailable && processed == 0 {
        return Err(StoreError::Unavailable.into());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(Json(Bulk {
        success: failures.is_empty(),
        message: format!("{processed} events processed"),
        processed_count: processed,
        failed_count: failures.len(),
        batch_id: format!("{:x}", now.unwrap_or_default().as_nanos()),
        processing_time_ms: began.elapsed().as_millis(),
        failures,
    }))
}

async fn health(State(store): State<Store>) -> Result<Json<Success>, Refusal> {
    store.ping().await?;
    Ok(success("healthy"))
}

fn success(message: &str) -> Json<Success> {
    Json(Success {
        success: true,
        message: message.to_owned(),
    })
}

/// The body of a request that says that it is JSON, within its limit.
fn json(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("application/json") {
        let problem = "Content-Type must be application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem));
    }
    body.map_err(|rejection| Refusal::new(rejection.status(), rejection.body_text()))
}
