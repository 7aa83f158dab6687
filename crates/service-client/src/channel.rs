//! tonic channels whose calls carry the client's token.

use std::io;

use anyhow::Context;
use http::Uri;
use hyper_util::rt::TokioIo;
use protect::ClientArgs;
use protect::tls::ClientTls;
use tokio::net::TcpStream;
use tokio_util::either::Either;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::access::{Access, H2};

/// A channel whose calls carry the client's token.
pub type ClientChannel = InterceptedService<Channel, Token>;

/// Adds a token to each call.
#[derive(Clone, Debug)]
pub struct Token(Option<MetadataValue<Ascii>>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            let metadata = request.metadata_mut();
            metadata.insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// Connects to `addr`: `host:port`, `http://host:port` or `https://host:port`. TLS is used for `https` and where `client` names
/// a file of TLS.
///
/// # Errors
/// What is wrong with the address or with which file; no connection.
pub async fn connect(addr: &str, client: &ClientArgs) -> anyhow::Result<ClientChannel> {
    let access = Access::new(client, addr.starts_with("https://"), H2)?;
    connect_with(addr, &access).await
}

/// [`connect`] with settings of TLS of another kind and without a token; `None`: without TLS.
///
/// # Errors
/// Those of [`connect`].
pub async fn connect_as(addr: &str, tls: Option<&ClientTls<'_>>) -> anyhow::Result<ClientChannel> {
    connect_with(addr, &Access::of_tls(tls, H2)?).await
}

async fn connect_with(addr: &str, access: &Access) -> anyhow::Result<ClientChannel> {
    let host_and_port = addr.split_once("://").map_or(addr, |(_, rest)| rest);
    let to = endpoint(host_and_port, access).with_context(|| format!("{addr} is no address"))?;
    let channel = access.channel(to).await;
    channel.with_context(|| format!("no connection to {addr}"))
}

/// The endpoint at `host_and_port`, with the origin that `access` needs, for whoever sets windows and times of its own.
///
/// # Errors
/// The address is none.
pub fn endpoint(host_and_port: &str, access: &Access) -> anyhow::Result<Endpoint> {
    // The connector decides about TLS: tonic's own would refuse the scheme https.
    let endpoint = Endpoint::from_shared(format!("http://{host_and_port}"))?;
    let origin: Uri = format!("{}://{host_and_port}", access.scheme()).parse()?;
    Ok(endpoint.origin(origin))
}

impl Access {
    /// Connects to an [`endpoint()`].
    ///
    /// # Errors
    /// No connection, or none that both sides believe.
    pub async fn channel(
        &self,
        endpoint: Endpoint,
    ) -> Result<ClientChannel, tonic::transport::Error> {
        let channel = match self.is_secure() {
            false => endpoint.connect().await?,
            true => endpoint.connect_with_connector(self.connector()).await?,
        };
        Ok(InterceptedService::new(channel, self.token()))
    }

    /// A channel to an [`endpoint()`] that connects when it is used.
    #[must_use]
    pub fn lazy_channel(&self, endpoint: Endpoint) -> ClientChannel {
        let channel = match self.is_secure() {
            false => endpoint.connect_lazy(),
            true => endpoint.connect_with_connector_lazy(self.connector()),
        };
        InterceptedService::new(channel, self.token())
    }

    fn token(&self) -> Token {
        let value = self.authorization().map(|value| {
            // A header value of a token is ASCII.
            let mut value = MetadataValue::try_from(value.as_bytes()).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Token(value.flatten())
    }

    fn connector(
        &self,
    ) -> impl tower::Service<
        Uri,
        Response = TokioIo<Either<TcpStream, tokio_rustls::client::TlsStream<TcpStream>>>,
        Error = io::Error,
        Future: Send,
    > + Send
    + 'static {
        let access = self.clone();
        tower::service_fn(move |uri: Uri| {
            let access = access.clone();
            async move {
                let host = uri.host().unwrap_or_default().to_owned();
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                let stream = TcpStream::connect((bare, uri.port_u16().unwrap_or(443))).await?;
                stream.set_nodelay(true)?;
                let stream = match access.secure(&host, stream) {
                    Ok(secure) => Either::Right(secure.await?),
                    Err(stream) => Either::Left(stream),
                };
                Ok::<_, io::Error>(TokioIo::new(stream))
            }
        })
    }
}
