//! One HTTP/1.1 request: the contract checks, the counters of a service and k6's control interface need no more.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use lab_model::endpoint::Endpoint;
use service_client::access::HTTP1;
use tokio::net::TcpStream;
use tokio_util::either::Either;

use crate::access::access;

/// Sends a GET request with further headers on a connection of its own.
pub async fn get(
    at: &Endpoint,
    path: &str,
    headers: &[(&str, &str)],
    limit: Duration,
) -> Result<(StatusCode, Bytes)> {
    send(at, Method::GET, path, headers, None, limit).await
}

/// Sends one request on a connection of its own; `body` goes as application/json.
pub async fn request(
    at: &Endpoint,
    method: Method,
    path: &str,
    body: Option<Bytes>,
    limit: Duration,
) -> Result<(StatusCode, Bytes)> {
    send(at, method, path, &[], body, limit).await
}

async fn send(
    at: &Endpoint,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Bytes>,
    limit: Duration,
) -> Result<(StatusCode, Bytes)> {
    let place = format!("{method} {}://{at}{path}", at.access.scheme());
    tokio::time::timeout(limit, exchange(at, method, path, headers, body))
        .await
        .with_context(|| format!("{place}: no answer within {} s", limit.as_secs_f64()))?
        .with_context(|| place.clone())
}

async fn exchange(
    at: &Endpoint,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Bytes>,
) -> Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect((at.host.as_str(), at.port)).await?;
    stream.set_nodelay(true)?;
    let access = access(at, HTTP1)?;
    let stream = match access.secure(&at.host, stream) {
        Ok(secure) => Either::Right(secure.await.context("no agreement on TLS")?),
        Err(stream) => Either::Left(stream),
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::HOST, at.to_string())
        .header(http::header::CONNECTION, "close");
    if let Some(value) = access.authorization() {
        request = request.header(http::header::AUTHORIZATION, value);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if body.is_some() {
        request = request.header(http::header::CONTENT_TYPE, "application/json");
    }
    let request = request.body(Full::new(body.unwrap_or_default()))?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok((status, bytes))
    };
    tokio::pin!(answer);
    // The connection moves the bytes; where it ends first, the answer is whole or says what is missing.
    tokio::select! {
        biased;
        answered = &mut answer => answered,
        ended = connection => {
            let answered = answer.await;
            match ended {
                Err(error) if answered.is_err() => Err(error.into()),
                _ => answered,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_listener_on_an_ipv6_address_is_reached_by_its_url() {
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer).await.unwrap();
            String::from_utf8(head).unwrap()
        });
        let at = Endpoint::parse(&format!("http://[::1]:{port}")).unwrap();
        let (status, body) = get(&at, "/health", &[], Duration::from_secs(10))
            .await
            .unwrap();
        assert_eq!((status, &body[..]), (StatusCode::OK, &b"ok"[..]));
        let head = answering.await.unwrap().to_ascii_lowercase();
        assert!(head.contains(&format!("host: [::1]:{port}\r\n")), "{head}");
    }
}
