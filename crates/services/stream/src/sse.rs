//! The face for browsers and HTTP clients: server-sent events. Decodes, calls [`Transactions`], encodes.

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use runtime::http::{self, method_not_allowed};
use runtime::status::Failure;
use serde::Serialize;

use crate::clock::now_us;
use crate::error::StreamError;
use crate::event::Event;
use crate::handle::Transactions;
use crate::metrics::Face;
use crate::query;
use crate::subscriber::{Delivery, Subscriber};

/// A comment: clients skip it.
const HEARTBEAT: Bytes = Bytes::from_static(b": heartbeat\n\n");

/// The routes: the stream, health, metrics. The app's data must hold `Data` of [`Transactions`] and
/// [`runtime::metrics::Metrics`].
pub fn routes(config: &mut ServiceConfig) {
    let get = |path| web::resource(path).default_service(method_not_allowed("GET"));
    config
        .service(get("/api/v1/transactions/stream").route(web::get().to(transactions)))
        .service(get("/health").route(web::get().to(health)))
        .service(get("/metrics").route(web::get().to(http::metrics_page)));
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
    let subscriber = handle.subscribe(subscription, Face::Sse).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // nginx would hold events back.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body(subscriber)))
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
