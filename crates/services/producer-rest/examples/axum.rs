//! The single event's route of producer-rest on axum instead of actix-web, over the same [`ingest`], so that the two can be
//! measured side by side. It takes the settings of producer-rest.
//!
//! Run it in place of producer-rest: `cargo run --release -p producer-rest --example axum`.

use std::net::TcpListener;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use domain::{Event, Kind};
use ingest::{Ingest, IngestError, Wait};
use producer_rest::Config;
use runtime::metrics::Metrics;
use runtime::postgres::Database;
use runtime::status;
use runtime::{http, open_files, shutdown, telemetry, threads, wakeups};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let config: Config = runtime::config::parse();
    telemetry::init(&config.telemetry)?;
    open_files::allow_most();
    threads::runtime(1)?.block_on(serve(&config))
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let stop = shutdown::on_signals()?;
    let database = Database::connect(&config.database, &stop).await?;
    let metrics = Metrics::new()?;
    let (ingest, writers) =
        Ingest::start(&config.ingest, database, &metrics, stop.child_token()).await?;
    let router = Router::new()
        .route("/api/v1/events", post(process_event))
        .route("/api/v1/events/health", get(health))
        .with_state(ingest);
    let listener = http::listen(&config.listen.host, config.server_port)?;
    listener.set_nonblocking(true)?;
    tracing::info!(http.address = %listener.local_addr()?, threads = config.threads.count(), "ready");
    let mut workers = Vec::new();
    for _ in 0..config.threads.count() {
        let worker = worker(listener.try_clone()?, router.clone(), stop.clone());
        workers.push(tokio::task::spawn_blocking(worker));
    }
    for worker in workers {
        worker.await??;
    }
    writers.finish().await;
    Ok(())
}

/// A thread with a runtime of its own, as each worker of actix-web has: answers that come from a writer then wake all of a
/// thread's requests at once.
fn worker(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> impl FnOnce() -> anyhow::Result<()> + Send {
    move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        LocalSet::new().block_on(&runtime, async {
            wakeups::open_on_this_thread();
            let listener = tokio::net::TcpListener::from_std(listener)?
                .tap_io(|socket| drop(socket.set_nodelay(true)));
            axum::serve(listener, router)
                .with_graceful_shutdown(stop.cancelled_owned())
                .await?;
            Ok(())
        })
    }
}

async fn process_event(State(ingest): State<Ingest>, request: Request<Body>) -> Response {
    let limit = ingest.config().max_event_bytes;
    let (head, body) = request.into_parts();
    let json = head.headers.get(header::CONTENT_TYPE);
    if !json.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json")) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let Ok(body) = to_bytes(body, limit as usize).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let outcome = match Event::from_json(&body) {
        Ok(event) => ingest.submit(event, Wait::Stored).await,
        Err(invalid) => Err(IngestError::from(invalid)),
    };
    match outcome {
        Ok(()) => ([(header::CONTENT_TYPE, "application/json")], STORED).into_response(),
        Err(error) => (status_of(error.kind()), error.to_string()).into_response(),
    }
}

const STORED: &str = r#"{"success":true,"message":"Event processed successfully"}"#;

async fn health(State(ingest): State<Ingest>) -> StatusCode {
    match ingest.ping().await {
        Ok(()) => StatusCode::OK,
        Err(error) => status_of(error.kind()),
    }
}

fn status_of(kind: Kind) -> StatusCode {
    StatusCode::from_u16(status::row(kind).http.as_u16())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
