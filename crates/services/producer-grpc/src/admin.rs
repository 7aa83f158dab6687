//! Metrics and health over HTTP, on a port of their own.

use std::io;
use std::net::TcpListener;

use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig};
use ingest::Ingest;
use runtime::connection::Connections;
use runtime::http::{self, Running, resource};
use runtime::metrics::Metrics;
use runtime::status::Failure;

/// Serves `GET /metrics` and `GET /health` with one thread.
pub(crate) fn server(
    listener: TcpListener,
    ingest: &Ingest,
    metrics: &Metrics,
    connections: &Connections,
) -> io::Result<Running> {
    let ingest = Data::new(ingest.clone());
    let face = move |config: &mut ServiceConfig| {
        config
            .app_data(ingest.clone())
            .service(resource("/metrics").get(http::metrics_page))
            .service(resource("/health").get(health));
    };
    http::server(face, listener, 1, metrics, connections)
}

async fn health(ingest: Data<Ingest>) -> Result<HttpResponse, Failure> {
    ingest
        .ping()
        .await
        .map_err(|error| Failure::new(error.kind(), error.to_string()))?;
    Ok(HttpResponse::Ok().json(serde_json::json!({"status": "healthy"})))
}
