//! A request over HTTP or gRPC on a connection of its own.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use api::benchmark::health_check_response::ServingStatus;
use api::benchmark::{HealthCheckRequest, HealthCheckResponse};
use http::uri::PathAndQuery;
use http::{Method, StatusCode};
use lab_model::endpoint::Endpoint;
use lab_model::targets::{Protocol, Target};
use prost::Message;
use service_client::ClientChannel;
use service_client::access::H2;
use service_client::channel::endpoint;
use tonic_prost::ProstCodec;

use crate::access::access;
use crate::http::request;

/// A good target answers within milliseconds; this is for one that hangs.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// How long a stream may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// The service that every gRPC server has beside its own; `benchmark.Health` has the same messages.
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// An error where the target does not say that it is healthy: the path of a REST target, the standard service over gRPC.
pub(super) async fn health(target: &Target, at: &Endpoint) -> Result<()> {
    if target.protocol == Protocol::Rest {
        let path = &target.rest.as_ref().context("[target.rest]")?.health;
        let (status, _) = request(at, Method::GET, path, None, LIMIT).await?;
        ensure!(status == StatusCode::OK, "GET {path} answered {status}");
        return Ok(());
    }
    let question = HealthCheckRequest {
        service: String::new(),
    };
    match unary::<_, HealthCheckResponse>(at, HEALTH, question).await? {
        Ok(answer) => ensure!(
            answer.status == i32::from(ServingStatus::Serving),
            "the health service says {:?}",
            answer.status()
        ),
        Err(status) => bail!(
            "the health service answered {:?}: {}",
            status.code(),
            status.message()
        ),
    }
    Ok(())
}

/// A unary call: the outer error is that of the transport, the inner one the answer.
pub(super) async fn unary<Q, A>(
    at: &Endpoint,
    path: &str,
    message: Q,
) -> Result<std::result::Result<A, tonic::Status>>
where
    Q: Message + Send + Sync + 'static,
    A: Message + Default + Send + Sync + 'static,
{
    unary_on(&connect(at).await?, path, message).await
}

/// The same on a connection that stands.
pub(super) async fn unary_on<Q, A>(
    channel: &ClientChannel,
    path: &str,
    message: Q,
) -> Result<std::result::Result<A, tonic::Status>>
where
    Q: Message + Send + Sync + 'static,
    A: Message + Default + Send + Sync + 'static,
{
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.context("the connection is gone")?;
    let codec: ProstCodec<Q, A> = ProstCodec::default();
    Ok(grpc
        .unary(
            tonic::Request::new(message),
            PathAndQuery::try_from(path)?,
            codec,
        )
        .await
        .map(tonic::Response::into_inner))
}

/// What a server streams until it ends the stream, or until `most` messages have come. The inner error is the answer.
pub(super) async fn stream_on<Q, A>(
    channel: &ClientChannel,
    path: &str,
    message: Q,
    most: usize,
) -> Result<std::result::Result<Vec<A>, tonic::Status>>
where
    Q: Message + Send + Sync + 'static,
    A: Message + Default + Send + Sync + 'static,
{
    let mut grpc = tonic::client::Grpc::new(channel.clone()).max_decoding_message_size(64 << 20);
    grpc.ready().await.context("the connection is gone")?;
    let codec: ProstCodec<Q, A> = ProstCodec::default();
    let opened = grpc
        .server_streaming(
            tonic::Request::new(message),
            PathAndQuery::try_from(path)?,
            codec,
        )
        .await;
    let mut stream = match opened {
        Ok(opened) => opened.into_inner(),
        Err(status) => return Ok(Err(status)),
    };
    let mut all = Vec::new();
    while all.len() < most {
        let next = tokio::time::timeout(SILENCE, stream.message()).await;
        match next.with_context(|| format!("no message within {} s", SILENCE.as_secs()))? {
            Ok(Some(one)) => all.push(one),
            Ok(None) => break,
            Err(status) => return Ok(Err(status)),
        }
    }
    Ok(Ok(all))
}

/// Connects over HTTP/2, as the endpoint says: in the clear or over TLS, with or without a token.
pub(super) async fn connect(at: &Endpoint) -> Result<ClientChannel> {
    let access = access(at, H2)?;
    let to = endpoint(&at.to_string(), &access)?
        .connect_timeout(LIMIT)
        // Until an answer begins.
        .timeout(SILENCE)
        .tcp_nodelay(true);
    access
        .channel(to)
        .await
        .with_context(|| format!("cannot connect to {}://{at}", access.scheme()))
}
