//! The services that every gRPC server offers: health and reflection.

use anyhow::Context;
use tokio::sync::watch;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::shutdown::InFlight;

const HEALTH: &str = "grpc.health.v1.Health";

/// [`health_and_reflection`]'s result.
pub struct Standard {
    /// `grpc.health.v1.Health` and reflection (v1 and v1alpha); add the service's own with `add_service`.
    pub routes: Routes,
    /// Sets what the health service says; NOT_SERVING until it is told otherwise.
    pub health: GrpcHealth,
}

/// The standard health service, for the empty name and each of `services` (full names, such as
/// `com.example.grpc.EventService`), and server reflection over the encoded file descriptor sets,
/// which lists these services and no others.
///
/// # Errors
/// A descriptor set does not decode.
pub async fn health_and_reflection(
    services: &[&str],
    descriptor_sets: &[&[u8]],
) -> anyhow::Result<Standard> {
    let reporter = HealthReporter::new();
    let health = GrpcHealth {
        reporter: reporter.clone(),
        services: std::iter::once("")
            .chain(services.iter().copied())
            .map(str::to_owned)
            .collect(),
    };
    health.set(false).await;
    // A descriptor set may describe services that another process offers: only what is here is listed.
    let listed = services.iter().copied().chain([HEALTH]);
    let reflection = |own: &'static str| {
        let described = descriptor_sets.iter().fold(
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET),
            |builder, set| builder.register_encoded_file_descriptor_set(set),
        );
        listed
            .clone()
            .chain([own])
            .fold(described, |builder, name| builder.with_service_name(name))
    };
    let routes = Routes::default()
        .add_service(HealthServer::new(HealthService::from_health_reporter(
            reporter,
        )))
        .add_service(
            reflection("grpc.reflection.v1.ServerReflection")
                .build_v1()
                .context("the descriptors for reflection")?,
        )
        .add_service(
            reflection("grpc.reflection.v1alpha.ServerReflection")
                .build_v1alpha()
                .context("the descriptors for reflection")?,
        );
    Ok(Standard { routes, health })
}

/// Sets what `grpc.health.v1.Health` says of the server and its services.
#[derive(Clone, Debug)]
pub struct GrpcHealth {
    reporter: HealthReporter,
    services: Vec<String>,
}

impl GrpcHealth {
    /// All services SERVING, or all NOT_SERVING.
    pub async fn set(&self, serving: bool) {
        let status = if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in &self.services {
            self.reporter.set_service_status(service, status).await;
        }
    }

    /// Passes on what `serving` says, until the stop: then NOT_SERVING, and open `Watch` streams end once
    /// nothing is in flight. Run it beside the faces.
    pub async fn follow(mut self, mut serving: watch::Receiver<bool>, in_flight: &InFlight) {
        loop {
            let now = *serving.borrow_and_update();
            self.set(now).await;
            tokio::select! {
                () = in_flight.stop().cancelled() => break,
                changed = serving.changed() => if changed.is_err() {
                    in_flight.stop().cancelled().await;
                    break;
                },
            }
        }
        self.set(false).await;
        in_flight.drained().cancelled().await;
        // A watch ends when its service is no longer known.
        for service in &self.services {
            self.reporter.clear_service_status(service).await;
        }
    }
}
