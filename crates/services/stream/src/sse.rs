//! The face for browsers and HTTP clients: server-sent events. Decodes, calls [`Transactions`], encodes.

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use runtime::http::{self, resource};
use runtime::protection::http_caller;
use runtime::status::Failure;
use serde::Serialize;

use crate::access;
use crate::clock::now_us;
use crate::error::StreamError;
use crate::event::Event;
use crate::handle::Transactions;
use crate::metrics::Face;
use crate::query;
use crate::subscriber::{Delivery, Subscriber};

/// A comment: clients skip it.
const HEARTBEAT: Bytes = Bytes::from_static(b": heartbeat\n\n");

/// The routes: the stream, health, metrics. The app's data must hold `Data` of [`Transactions`].
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/transactions/stream").get(transactions))
        .service(resource("/health").get(health))
        .service(resource("/metrics").get(http::metrics_page));
}

async fn transactions(
    request: HttpRequest,
    handle: Data<Transactions>,
) -> Result<HttpResponse, Failure> {
    let last_event_ids = request.headers().get_all("last-event-id");
    let subscription = query::subscription(
        request.query_string(),
        last_event_ids.map(header::HeaderValue::as_bytes),
    )
    .map_err(StreamError::from)?;
    access::check(&http_caller(&request), &subscription)?;
    let mut answer = HttpResponse::Ok();
    answer
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // nginx would hold events back.
        .insert_header(("x-accel-buffering", "no"));
    if http::wants_head_only(&request) {
        handle.could_subscribe(&subscription).await?;
        return Ok(answer.finish());
    }
    let subscriber = handle.subscribe(subscription, Face::Sse).await?;
    Ok(answer.streaming(body(subscriber)))
}

/// Ends at the limit and at the stop of the service.
fn body(subscriber: Subscriber) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(subscriber, |mut subscriber| async move {
        let chunk = match subscriber.next().await {
            Delivery::Events(events) => encode(&events),
            Delivery::Heartbeat => HEARTBEAT,
            Delivery::End | Delivery::ShuttingDown => return None,
        };
        Some((Ok(chunk), subscriber))
    })
}

fn encode(events: &[Arc<Event>]) -> Bytes {
    let bytes = events.iter().map(|event| event.sse_bytes()).sum();
    let mut chunk = BytesMut::with_capacity(bytes);
    // One chunk is sent at one time.
    let now = now_us();
    for event in events {
        event.write_sse(now, &mut chunk);
    }
    chunk.freeze()
}

#[derive(Serialize)]
struct Healthy {
    status: &'static str,
}

async fn health(handle: Data<Transactions>) -> Result<HttpResponse, Failure> {
    handle.ping().await?;
    Ok(HttpResponse::Ok().json(Healthy { status: "healthy" }))
}
