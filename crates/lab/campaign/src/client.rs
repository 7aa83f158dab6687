//! HTTP/1.1 over one kept connection. It sends nothing twice, and tells what was not sent from what nobody knows.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Sent {
    /// A status, and a body.
    Answer(u16, Bytes),
    /// No connection: nothing was sent.
    Nothing,
    /// It may have been worked on.
    Unknown,
}

#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    limit: Duration,
    kept: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// Waits for each answer for `limit` at most.
    pub(crate) fn new(address: SocketAddr, limit: Duration) -> Self {
        Self {
            address,
            limit,
            kept: None,
        }
    }

    /// Sends one request; `body` goes as application/json.
    pub(crate) async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Sent {
        let Some(mut sender) = self.connection().await else {
            return Sent::Nothing;
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "campaign")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(body));
        let Ok(request) = request else {
            return Sent::Nothing;
        };
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>((status, body))
        };
        match tokio::time::timeout(self.limit, exchange).await {
            Ok(Ok((status, body))) => {
                self.kept = Some(sender);
                Sent::Answer(status, body)
            }
            Ok(Err(_)) | Err(_) => Sent::Unknown,
        }
    }

    /// A GET that may be asked twice: once more where the kept connection was closed meanwhile.
    pub(crate) async fn get(&mut self, path: &str) -> Option<(u16, Bytes)> {
        for _ in 0..2 {
            if let Sent::Answer(status, body) = self.send(Method::GET, path, Bytes::new()).await {
                return Some((status, body));
            }
        }
        None
    }

    async fn connection(&mut self) -> Option<SendRequest<Full<Bytes>>> {
        if let Some(mut kept) = self.kept.take()
            && kept.ready().await.is_ok()
        {
            return Some(kept);
        }
        let opening = async {
            let stream = TcpStream::connect(self.address).await.ok()?;
            stream.set_nodelay(true).ok()?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
            // Ends with its sender, or with the server; then the request that waits has the error.
            drop(tokio::spawn(connection));
            Some(sender)
        };
        tokio::time::timeout(self.limit, opening).await.ok()?
    }
}
