//! A plain HTTP/1.1 client over TCP: one keep-alive connection, no pool, and nothing that hides what was sent.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// One request on a connection of its own.
pub async fn get(address: SocketAddr, path: &str) -> Response {
    Connection::open(address)
        .await
        .request("GET", path, &[], b"")
        .await
}

/// One JSON request on a connection of its own.
pub async fn post_json(address: SocketAddr, path: &str, body: impl AsRef<[u8]>) -> Response {
    Connection::open(address).await.post_json(path, body).await
}

/// What a connection's bytes travel over: TCP, or TLS.
pub trait Wire: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin> Wire for T {}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: Box<dyn Wire>,
    /// Read and not yet consumed.
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Decoded, if it was sent in chunks.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(&self.body)))
    }
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        Self::try_open(address).await.expect("a connection")
    }

    /// Connects, if somebody listens.
    pub async fn try_open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// Over a stream that is open already.
    pub fn over(stream: impl Wire + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            buffer: Vec::new(),
        }
    }

    /// Sends a request with `Content-Type: application/json` and reads the answer.
    pub async fn post_json(&mut self, path: &str, body: impl AsRef<[u8]>) -> Response {
        self.request(
            "POST",
            path,
            &[("content-type", "application/json")],
            body.as_ref(),
        )
        .await
    }

    /// Sends a request and reads the answer.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.try_request(method, path, headers, body)
            .await
            .expect("an answer")
    }

    /// Sends a request and reads the answer; an error where the connection breaks.
    pub async fn try_request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Response> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" || method == "PUT" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.send(&bytes).await?;
        self.receive(method == "HEAD").await
    }

    /// Sends these bytes as they are: a part of a request, or nonsense.
    pub async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads one answer.
    pub async fn receive(&mut self, without_body: bool) -> std::io::Result<Response> {
        tokio::time::timeout(PATIENCE, self.receive_now(without_body)).await?
    }

    /// Waits until the server closes the connection; whether it did in that time.
    pub async fn is_closed_within(&mut self, patience: Duration) -> bool {
        let mut rest = Vec::new();
        tokio::time::timeout(patience, self.stream.read_to_end(&mut rest))
            .await
            .is_ok()
    }

    async fn receive_now(&mut self, without_body: bool) -> std::io::Result<Response> {
        let head = self.until(b"\r\n\r\n").await?;
        let head = String::from_utf8(head).expect("a head in UTF-8");
        let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut response = Response {
            status: status.expect("a status line"),
            headers,
            body: Vec::new(),
        };
        if without_body || matches!(response.status, 100..=199 | 204 | 304) {
            return Ok(response);
        }
        if response.header("transfer-encoding") == Some("chunked") {
            response.body = self.chunks().await?;
        } else if let Some(length) = response.header("content-length") {
            let length = length.parse().expect("a content length");
            response.body = self.exactly(length).await?;
        } else {
            self.stream.read_to_end(&mut self.buffer).await?;
            response.body = std::mem::take(&mut self.buffer);
        }
        Ok(response)
    }

    async fn chunks(&mut self) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.until(b"\r\n").await?;
            let size = std::str::from_utf8(&size).ok().and_then(|text| {
                usize::from_str_radix(text.split([';', '\r']).next()?.trim(), 16).ok()
            });
            let size = size.expect("the size of a chunk");
            let chunk = self.exactly(size + 2).await?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    async fn until(&mut self, end: &[u8]) -> std::io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self
                .buffer
                .windows(end.len())
                .position(|window| window == end)
            {
                return Ok(self.buffer.drain(..at + end.len()).collect());
            }
            self.read_more().await?;
        }
    }

    async fn exactly(&mut self, length: usize) -> std::io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.read_more().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn read_more(&mut self) -> std::io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// The sum of the series of a metrics page whose names begin so; 0 where there is none.
pub async fn metric(address: SocketAddr, name: &str) -> f64 {
    let page = get(address, "/metrics").await;
    let lines = page.text().lines().filter(|line| line.starts_with(name));
    let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    values.sum()
}
