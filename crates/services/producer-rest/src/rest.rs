//! The REST face of ingestion. Decodes, calls [`Ingest`], encodes.

use std::sync::LazyLock;
use std::time::Instant;

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::{Event, Kind};
use ingest::{Ingest, IngestError, Outcome, Wait};
use protect::Caller;
use runtime::http::{self, resource};
use runtime::protection::http_caller;
use runtime::shutdown::InFlight;
use runtime::status::Failure;
use serde::Serialize;

/// The routes: events, bulk, health, metrics. The app's data must hold `Data` of [`Ingest`] and [`InFlight`].
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/events").post(process_event))
        .service(resource("/api/v1/events/bulk").post(process_bulk))
        .service(resource("/api/v1/events/health").get(health))
        .service(resource("/metrics").get(http::metrics_page));
}

#[derive(Serialize)]
struct Success<'a> {
    success: bool,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BulkResponse {
    success: bool,
    message: String,
    processed_count: usize,
    failed_count: usize,
    batch_id: String,
    processing_time_ms: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<BulkFailure>,
}

#[derive(Serialize)]
struct BulkFailure {
    /// Place in the request's array, from 0.
    index: u64,
    error: String,
}

async fn process_event(
    request: HttpRequest,
    payload: Payload,
    ingest: Data<Ingest>,
    in_flight: Data<InFlight>,
) -> Result<HttpResponse, Failure> {
    let limit = ingest.config().max_event_bytes;
    // read before anything is refused: the connection then serves the next request
    let body = http::body(&request, payload, limit as usize).await;
    http::require_json(&request)?;
    let _guard = in_flight.enter()?;
    let event = match body {
        Ok(body) => parse(&body, limit),
        Err(failure) if failure.kind == Kind::TooLarge => Err(IngestError::TooLarge { limit }),
        Err(failure) => return Err(failure),
    };
    let event = event.map_err(|error| refused(&ingest, error))?;
    let wait = wait(&request).map_err(|error| refused(&ingest, error))?;
    ingest.submit(event, wait).await.map_err(failure)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, JSON))
        .body(STORED.clone()))
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The body of the answer to an event that was stored.
static STORED: LazyLock<Bytes> = LazyLock::new(|| {
    let body = Success {
        success: true,
        message: ingest::STORED,
    };
    // a struct of a flag and a text always serializes
    serde_json::to_vec(&body).unwrap_or_default().into()
});

async fn process_bulk(
    request: HttpRequest,
    payload: Payload,
    ingest: Data<Ingest>,
    in_flight: Data<InFlight>,
) -> Result<HttpResponse, Failure> {
    let started = Instant::now();
    let body = http::body(&request, payload, ingest.config().max_bulk_bytes as usize).await;
    http::require_json(&request)?;
    let body = body?;
    let _guard = in_flight.enter()?;
    let wait = wait(&request).map_err(failure)?;
    let caller = http_caller(&request);
    let response = store_bulk(&body, &ingest, &caller, wait, started).await?;
    Ok(HttpResponse::Ok().json(response))
}

async fn store_bulk(
    body: &[u8],
    ingest: &Ingest,
    caller: &Caller,
    wait: Wait,
    started: Instant,
) -> Result<BulkResponse, Failure> {
    let elements = domain::parse_bulk(body).map_err(|invalid| failure(invalid.into()))?;
    caller.take_events(elements.len() as u64)?;
    let (mut events, mut failures) = (Vec::with_capacity(elements.len()), Vec::new());
    let limit = ingest.config().max_event_bytes;
    for (index, element) in (0..).zip(elements) {
        let event = if element.bytes() > limit as usize {
            Err(IngestError::TooLarge { limit })
        } else {
            element.event().map_err(IngestError::from)
        };
        match event {
            Ok(event) => events.push((index, event)),
            Err(error) => {
                ingest.metrics().refused(&error);
                failures.push((index, error));
            }
        }
    }
    let submitted = events.len();
    let outcomes = ingest.submit_bulk(events, wait).await;
    let stored = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_ok())
        .count();
    let unavailable = outcomes
        .iter()
        .find_map(|(_, outcome)| unavailable(outcome));
    if let (0, 1.., Some(error)) = (stored, submitted, unavailable) {
        return Err(failure(error.clone()));
    }
    failures.extend(
        outcomes
            .into_iter()
            .filter_map(|(index, outcome)| Some((index, outcome.err()?))),
    );
    failures.sort_unstable_by_key(|(index, _)| *index);
    Ok(BulkResponse {
        success: failures.is_empty(),
        message: if failures.is_empty() {
            format!("{stored} events processed successfully")
        } else {
            format!("{stored} events processed, {} failed", failures.len())
        },
        processed_count: stored,
        failed_count: failures.len(),
        batch_id: uuid::Uuid::new_v4().to_string(),
        processing_time_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        failures: failures
            .into_iter()
            .map(|(index, error)| BulkFailure {
                index,
                error: error.to_string(),
            })
            .collect(),
    })
}

async fn health(ingest: Data<Ingest>) -> Result<HttpResponse, Failure> {
    ingest.ping().await.map_err(failure)?;
    Ok(HttpResponse::Ok().json(Success {
        success: true,
        message: ingest::HEALTHY,
    }))
}

/// What the caller wants to be waited for.
fn wait(request: &HttpRequest) -> Result<Wait, IngestError> {
    Ok(Wait::of_query(request.query_string())?)
}

fn parse(body: &[u8], limit: u32) -> Result<Event, IngestError> {
    if body.len() > limit as usize {
        return Err(IngestError::TooLarge { limit });
    }
    Ok(Event::from_json(body)?)
}

fn unavailable(outcome: &Outcome) -> Option<&IngestError> {
    outcome
        .as_ref()
        .err()
        .filter(|error| error.kind() == Kind::Unavailable)
}

/// Counts an event that was refused before it was submitted.
fn refused(ingest: &Ingest, error: IngestError) -> Failure {
    ingest.metrics().refused(&error);
    failure(error)
}

fn failure(error: IngestError) -> Failure {
    Failure::new(error.kind(), error.to_string())
}
