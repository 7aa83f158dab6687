//! The services that a gRPC server offers: health and reflection, and those that are added.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Context;
use http::{Request, Response};
use prost::Message;
use prost_types::FileDescriptorSet;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tower::Service;

use crate::shutdown::InFlight;

const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: [&str; 2] = [
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// What a server offers beside the service that nearly all calls are for.
#[derive(Clone, Debug)]
pub struct Services {
    pub(super) routes: Routes,
    /// Paths of the methods to which a client sends a stream.
    pub(super) client_streams: Arc<HashSet<String>>,
}

impl Services {
    /// Adds one more service.
    #[must_use]
    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.routes = self.routes.add_service(service);
        self
    }
}

/// The result of [`health_and_reflection`].
pub struct Standard {
    /// `grpc.health.v1.Health` and reflection (v1 and v1alpha); add the service's own with `add_service`.
    pub services: Services,
    /// Sets the status that the health service reports; NOT_SERVING until it is set.
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
        .add_service(
            HealthServer::new(HealthService::from_health_reporter(reporter))
                .accept_compressed(CompressionEncoding::Gzip),
        )
        .add_service(
            reflection(REFLECTION[0])
                .build_v1()
                .context("the descriptors for reflection")?
                .accept_compressed(CompressionEncoding::Gzip),
        )
        .add_service(
            reflection(REFLECTION[1])
                .build_v1alpha()
                .context("the descriptors for reflection")?
                .accept_compressed(CompressionEncoding::Gzip),
        );
    let services = Services {
        routes,
        client_streams: Arc::new(client_streams(descriptor_sets)?),
    };
    Ok(Standard { services, health })
}

/// The paths of the methods to which clients send streams, those of reflection included.
fn client_streams(descriptor_sets: &[&[u8]]) -> anyhow::Result<HashSet<String>> {
    let mut paths: HashSet<String> = REFLECTION
        .iter()
        .map(|service| format!("/{service}/ServerReflectionInfo"))
        .collect();
    for set in descriptor_sets {
        let set = FileDescriptorSet::decode(*set).context("the descriptors of the services")?;
        for file in &set.file {
            for service in &file.service {
                let streams = service.method.iter().filter(|it| it.client_streaming());
                paths.extend(streams.map(|method| {
                    let (package, service) = (file.package(), service.name());
                    let dot = if package.is_empty() { "" } else { "." };
                    format!("/{package}{dot}{service}/{}", method.name())
                }));
            }
        }
    }
    Ok(paths)
}

/// Sets the status that `grpc.health.v1.Health` reports for the server and its services.
#[derive(Clone, Debug)]
pub struct GrpcHealth {
    reporter: HealthReporter,
    services: Vec<String>,
}

impl GrpcHealth {
    /// Sets all services to SERVING, or all to NOT_SERVING.
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

    /// Reports what `serving` says until the stop. Then it reports NOT_SERVING, and open `Watch` streams end once
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
