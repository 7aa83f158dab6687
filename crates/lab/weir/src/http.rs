//! One HTTP/1.1 request: the contract checks, the counters of a service and k6's control interface need no more.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Sends a GET request with further headers on a connection of its own.
pub async fn get(
    host: &str,
    port: u16,
    path: &str,
    headers: &[(&str, &str)],
    limit: Duration,
) -> Result<(StatusCode, Bytes)> {
    send(host, port, Method::GET, path, headers, None, limit).await
}

/// Sends one request on a connection of its own; `body` goes as application/json.
pub async fn request(
    host: &str,
    port: u16,
    method: Method,
    path: &str,
    body: Option<Bytes>,
    limit: Duration,
) -> Result<(StatusCode, Bytes)> {
    send(host, port, method, path, &[], body, limit).await
}

async fn send(
    host: &str,
    port: u16,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Bytes>,
    limit: Duration,
) -> Result<(StatusCode, Bytes)> {
    let place = format!("{method} http://{host}:{port}{path}");
    tokio::time::timeout(limit, exchange(host, port, method, path, headers, body))
        .await
        .with_context(|| format!("{place}: no answer within {} s", limit.as_secs_f64()))?
        .with_context(|| place.clone())
}

async fn exchange(
    host: &str,
    port: u16,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Bytes>,
) -> Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::HOST, format!("{host}:{port}"))
        .header(http::header::CONNECTION, "close");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if body.is_some() {
        request = request.header(http::header::CONTENT_TYPE, "application/json");
    }
    let response = sender
        .send_request(request.body(Full::new(body.unwrap_or_default()))?)
        .await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    connection.abort();
    Ok((status, bytes))
}
