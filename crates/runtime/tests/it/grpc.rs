use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use runtime::connection::{ConnectionPolicy, Connections};
use runtime::grpc::{self, GrpcHealth, Services, health_and_reflection};
use runtime::health::Health;
use runtime::metrics::Metrics;
use runtime::shutdown::{Ending, InFlight};
use runtime::{http, status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::Service;

/// A service with the shape of the health service, whose `check` waits as many milliseconds as it is told.
#[derive(Clone)]
struct Waiter(InFlight);

impl grpc::Unary for Waiter {
    const PATH: &'static str = "/grpc.health.v1.Health/Check";
    type Request = HealthCheckRequest;
    type Response = HealthCheckResponse;

    async fn call(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.check(request).await
    }
}

/// The largest message that [`Waiter`] takes, bytes.
const MESSAGE_BYTES: usize = 4 * 1024 * 1024;

#[tonic::async_trait]
impl HealthService for Waiter {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if request.metadata().contains_key("test-refuse") {
            return Err(Status::permission_denied("as the metadata asks for"));
        }
        let wait = request.into_inner().service.parse().map_err(|_| {
            Status::from(status::Failure::new(
                status::Kind::InvalidArgument,
                "no number",
            ))
        })?;
        let answer = self.0.run(tokio::time::sleep(Duration::from_millis(wait)));
        answer.await.map_err(status::Failure::from)?;
        Ok(Response::new(HealthCheckResponse { status: 1 }))
    }

    type WatchStream = futures_util::stream::Pending<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(futures_util::stream::pending()))
    }
}

/// A service that nobody calls.
#[derive(Clone)]
struct Nothing;

impl NamedService for Nothing {
    const NAME: &'static str = "test.Nothing";
}

impl Service<::http::Request<Body>> for Nothing {
    type Response = ::http::Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<::http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: ::http::Request<Body>) -> Self::Future {
        std::future::ready(Ok(Status::unimplemented("nothing").into_http()))
    }
}

pub(crate) struct Face {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    pub(crate) in_flight: InFlight,
    health: Health,
    pub(crate) metrics: Metrics,
    pub(crate) connections: Connections,
    running: JoinHandle<(Ending, anyhow::Result<()>)>,
}

/// With [`Waiter`] alone, under `policy`; its `check` is answered straight from the bytes of a call.
pub(crate) async fn start_waiter(policy: ConnectionPolicy) -> Face {
    let services = health_and_reflection(&["test.Service"], &[]).await.unwrap();
    let waiter = |in_flight| {
        let waiter = Waiter(in_flight);
        let generated = HealthServer::new(waiter.clone());
        grpc::Direct::new(waiter, generated, MESSAGE_BYTES)
    };
    let connections = Connections::new(policy);
    let grace = Duration::from_secs(5);
    start_with(
        grace,
        waiter,
        services.services,
        services.health,
        connections,
    )
}

/// With the standard services, or with [`Waiter`] alone, as it was generated.
pub(crate) async fn start(grace: Duration, standard: bool) -> Face {
    let services = health_and_reflection(&["test.Service"], &[]).await.unwrap();
    let routes = services.services;
    let connections = Connections::new(ConnectionPolicy::default());
    if standard {
        start_with(grace, |_| Nothing, routes, services.health, connections)
    } else {
        let waiter = |in_flight| HealthServer::new(Waiter(in_flight));
        start_with(grace, waiter, routes, services.health, connections)
    }
}

fn start_with<M: grpc::Face>(
    grace: Duration,
    first: impl FnOnce(InFlight) -> M,
    routes: Services,
    grpc_health: GrpcHealth,
    connections: Connections,
) -> Face {
    let listener = http::listen("127.0.0.1", 0).unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let in_flight = InFlight::new(stop.clone());
    let metrics = Metrics::new().unwrap();
    let health = Health::new();
    let first = first(in_flight.clone());
    let running = tokio::spawn({
        let (in_flight, metrics, serving) =
            (in_flight.clone(), metrics.clone(), health.subscribe());
        let connections = connections.clone();
        async move {
            let (ending, served, ()) = tokio::join!(
                in_flight.drain(grace),
                grpc::serve(
                    None,
                    listener,
                    first,
                    routes,
                    &metrics,
                    &connections,
                    &in_flight
                ),
                grpc_health.follow(serving, &in_flight),
            );
            (ending, served)
        }
    });
    Face {
        address,
        stop,
        in_flight,
        health,
        metrics,
        connections,
        running,
    }
}

async fn client(address: SocketAddr) -> HealthClient<Channel> {
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await;
    HealthClient::new(channel.unwrap())
}

fn service(name: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: name.to_owned(),
    }
}

#[tokio::test]
async fn health_follows_the_service_by_every_name() {
    let face = start(Duration::from_secs(5), true).await;
    let mut client = client(face.address).await;
    for (serving, status) in [(true, 1), (false, 2), (true, 1)] {
        face.health.set(serving);
        for name in ["", "test.Service"] {
            let mut watch = client.watch(service(name)).await.unwrap().into_inner();
            while watch.message().await.unwrap().unwrap().status != status {}
            assert_eq!(
                client
                    .check(service(name))
                    .await
                    .unwrap()
                    .into_inner()
                    .status,
                status
            );
        }
    }
    let unknown = client.check(service("no.Such")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);

    let text = face.metrics.render().unwrap();
    let line = r#"grpc_requests_total{code="OK",method="/grpc.health.v1.Health/Check"} 6"#;
    assert!(text.contains(line), "{text}");
    let line = r#"grpc_requests_total{code="NOT_FOUND",method="/grpc.health.v1.Health/Check"} 1"#;
    assert!(text.contains(line), "{text}");
}

#[tokio::test]
async fn the_health_command_asks_the_server() {
    let face = start(Duration::from_secs(1), true).await;
    let port = face.address.port();
    let is = |code: ExitCode, expected: ExitCode| format!("{code:?}") == format!("{expected:?}");
    assert!(is(
        runtime::health::check_grpc("0.0.0.0", port, &protection()).await,
        ExitCode::FAILURE
    ));
    face.health.set(true);
    let mut watch = client(face.address)
        .await
        .watch(service(""))
        .await
        .unwrap()
        .into_inner();
    while watch.message().await.unwrap().unwrap().status != 1 {}
    assert!(is(
        runtime::health::check_grpc("0.0.0.0", port, &protection()).await,
        ExitCode::SUCCESS
    ));
    assert!(is(
        runtime::health::check_grpc("127.0.0.1", 1, &protection()).await,
        ExitCode::FAILURE
    ));
}

#[tokio::test]
async fn reflection_names_the_services() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let face = start(Duration::from_secs(1), true).await;
    let channel = Endpoint::from_shared(format!("http://{}", face.address))
        .unwrap()
        .connect()
        .await;
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let mut client = ServerReflectionClient::new(channel.unwrap());
    let answer = client
        .server_reflection_info(futures_util::stream::iter([request]))
        .await
        .unwrap();
    let answer = answer.into_inner().message().await.unwrap();
    let Some(MessageResponse::ListServicesResponse(listed)) = answer.unwrap().message_response
    else {
        panic!("no list");
    };
    let mut names: Vec<_> = listed.service.into_iter().map(|it| it.name).collect();
    names.sort();
    let here = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "test.Service",
    ];
    assert_eq!(names, here);
}

#[tokio::test]
async fn watches_and_silent_connections_do_not_hold_up_the_stop() {
    let face = start(Duration::from_secs(20), true).await;
    let mut client = client(face.address).await;
    let mut watch = client.watch(service("")).await.unwrap().into_inner();
    watch.message().await.unwrap();
    let mut silent = TcpStream::connect(face.address).await.unwrap();
    let begun = Instant::now();
    face.stop.cancel();
    let (ending, served) = face.running.await.unwrap();
    served.unwrap();
    assert_eq!(ending, Ending::Clean);
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    assert!(matches!(silent.read(&mut [0; 64]).await, Ok(_) | Err(_)));
    while let Ok(Some(_)) = watch.message().await {}
    assert!(TcpStream::connect(face.address).await.is_err());
}

#[tokio::test]
async fn at_the_stop_work_is_finished_and_the_rest_is_closed() {
    let face = start(Duration::from_secs(20), false).await;
    let mut busy = client(face.address).await;
    let mut second = busy.clone();
    let mut other = client(face.address).await;
    let mut endless = other.watch(service("")).await.unwrap().into_inner();
    let busy = tokio::spawn(async move { busy.check(service("700")).await });
    testkit::eventually("a request waits", async || face.in_flight.count() > 0).await;
    // A connection that has sent the beginning of HTTP/2 and nothing more.
    let mut half = TcpStream::connect(face.address).await.unwrap();
    half.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();

    let begun = Instant::now();
    face.stop.cancel();
    let late = second.check(service("1")).await;
    assert!(late.is_err(), "no new work");
    assert_eq!(busy.await.unwrap().unwrap().into_inner().status, 1);
    let (ending, served) = face.running.await.unwrap();
    served.unwrap();
    assert_eq!(ending, Ending::Clean);
    assert!(
        begun.elapsed() < Duration::from_millis(2000),
        "{:?}",
        begun.elapsed()
    );
    assert!(endless.message().await.is_err());
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(1), half.read_to_end(&mut rest)).await;
    assert!(closed.is_ok());
}

#[tokio::test]
async fn what_waits_at_the_end_of_the_grace_is_unavailable() {
    let face = start(Duration::from_millis(300), false).await;
    let mut client = client(face.address).await;
    let waiting = tokio::spawn(async move { client.check(service("60000")).await });
    testkit::eventually("a request waits", async || face.in_flight.count() > 0).await;
    let begun = Instant::now();
    face.stop.cancel();
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.message().contains("shutting down"), "{error:?}");
    let (ending, served) = face.running.await.unwrap();
    served.unwrap();
    assert_eq!(ending, Ending::GraceExpired);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

fn protection() -> protect::ProtectionConfig {
    crate::protection::off()
}
