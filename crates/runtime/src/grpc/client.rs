//! Channels of our own clients, in the clear or over TLS, with or without a token.

use std::io;
use std::sync::Arc;

use anyhow::Context;
use http::Uri;
use hyper_util::rt::TokioIo;
use protect::ClientArgs;
use protect::tls::ClientTls;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// What HTTP/2 is called in ALPN.
const H2: &[u8] = b"h2";

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
    let tls = addr.starts_with("https://") || client.names_tls();
    let tls = if tls { Some(client.tls(&[H2])?) } else { None };
    let token = client.authorization()?.map(|value| {
        let mut value: MetadataValue<Ascii> =
            value.parse().context("--token-file holds no token")?;
        value.set_sensitive(true);
        anyhow::Ok(value)
    });
    let token = Token(token.transpose()?);
    let channel = channel(addr, tls).await?;
    Ok(InterceptedService::new(channel, token))
}

/// [`connect`] with settings of TLS of another kind; `None`: without TLS.
pub(crate) async fn connect_as(addr: &str, tls: Option<&ClientTls<'_>>) -> anyhow::Result<Channel> {
    let tls = tls.map(|tls| tls.config(&[H2])).transpose()?;
    channel(addr, tls).await
}

async fn channel(addr: &str, tls: Option<ClientConfig>) -> anyhow::Result<Channel> {
    let host_and_port = addr.split_once("://").map_or(addr, |(_, rest)| rest);
    // The connector decides about TLS: tonic's own would refuse the scheme https.
    let endpoint = Endpoint::from_shared(format!("http://{host_and_port}"))
        .with_context(|| format!("{addr} is no address"))?;
    let channel = match tls {
        None => endpoint.connect().await,
        Some(config) => {
            let origin = format!("https://{host_and_port}");
            let origin: Uri = origin
                .parse()
                .with_context(|| format!("{addr} is no address"))?;
            let connector = TlsConnector::from(Arc::new(config));
            let connect = tower::service_fn(move |uri: Uri| over_tls(uri, connector.clone()));
            endpoint
                .origin(origin)
                .connect_with_connector(connect)
                .await
        }
    };
    channel.with_context(|| format!("no connection to {addr}"))
}

async fn over_tls(
    uri: Uri,
    connector: TlsConnector,
) -> io::Result<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>> {
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(443))).await?;
    stream.set_nodelay(true)?;
    let name = host.to_owned().try_into();
    let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    Ok(TokioIo::new(connector.connect(name, stream).await?))
}
