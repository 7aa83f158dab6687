//! Stores events that come over gRPC: tonic, sqlx.

mod service;

use ingest::service::{GRACE, MAX_EVENT, start, stopped};
use service::Events;
use service::proto::event_service_server::EventServiceServer;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (listener, store) = start("GRPC_SERVER_PORT", 9090).await?;
    let address = listener.local_addr()?;
    let (health_reporter, health) = tonic_health::server::health_reporter();
    health_reporter
        .set_serving::<EventServiceServer<Events>>()
        .await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(service::DESCRIPTORS)
        .build_v1()?;
    let events = EventServiceServer::new(Events::new(store.clone()))
        .max_decoding_message_size(MAX_EVENT + (64 << 10));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tracing::info!(grpc.address = %address, "ready");
    let served = Server::builder()
        .add_service(events)
        .add_service(health)
        .add_service(reflection)
        .serve_with_incoming_shutdown(incoming, stopped());
    tokio::select! {
        served = served => served?,
        // What is not done at the end of the grace is cut off.
        () = async { stopped().await; tokio::time::sleep(GRACE).await } => {}
    }
    store.close().await;
    Ok(())
}
