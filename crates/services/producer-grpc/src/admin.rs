//! Metrics and health over HTTP, on a port of their own.

use std::io;
use std::net::TcpListener;

use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse};
use ingest::{Ingest, IngestError};
use runtime::http::{self, Running, method_not_allowed};
use runtime::metrics::Metrics;
use runtime::status::Failure;

/// Serves `GET /metrics` and `GET /health` with one thread.
pub(crate) fn server(
    listener: TcpListener,
    ingest: &Ingest,
    metrics: &Metrics,
) -> io::Result<Running> {
    let ingest = Data::new(ingest.clone());
    let metrics = Data::new(metrics.clone());
    let app = move || {
        let get = |path| web::resource(path).default_service(method_not_allowed("GET"));
        App::new()
            .app_data(ingest.clone())
            .app_data(metrics.clone())
            .service(get("/metrics").route(web::get().to(http::metrics_page)))
            .service(get("/health").route(web::get().to(health)))
            .default_service(web::to(http::not_found))
    };
    http::server(app, listener, 1)
}

async fn health(ingest: Data<Ingest>) -> Result<HttpResponse, Failure> {
    let pinged = ingest.ping().await.map_err(IngestError::from);
    pinged.map_err(|error| Failure::new(error.kind(), error.to_string()))?;
    Ok(HttpResponse::Ok().json(serde_json::json!({"status": "healthy"})))
}
