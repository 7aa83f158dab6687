//! Stores events that come over HTTP/1.1 as JSON: axum, sqlx.

mod answer;
mod routes;

use axum::serve::ListenerExt;
use ingest::service::{self, GRACE};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (listener, store) = service::start("SERVER_PORT", 8081).await?;
    tracing::info!(http.address = %listener.local_addr()?, "ready");
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    let served = axum::serve(listener, routes::routes(store.clone()))
        .with_graceful_shutdown(service::stopped());
    tokio::select! {
        served = served => served?,
        // What is not done at the end of the grace is cut off.
        () = async { service::stopped().await; tokio::time::sleep(GRACE).await } => {}
    }
    store.close().await;
    Ok(())
}
