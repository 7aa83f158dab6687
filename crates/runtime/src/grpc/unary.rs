//! One unary method of a generated service, answered straight from the bytes of its call.
//!
//! Of a call whose body comes whole in one piece, as nearly all do, the message is decoded where it lies and the answer is
//! encoded into a buffer of its size. tonic reads and writes any call as a stream of messages: two buffers of 8 KiB, a boxed
//! decoder and three boxed bodies for each. Every other call (in pieces, compressed, too large, not decodable) goes to the
//! generated service as it came.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::future::{BoxFuture, Either};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http_body::{Body as _, Frame};
use prost::Message;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};
use tower::Service;

use super::server::Face;

/// A flag and the length before each message.
const PREFIX: usize = 5;
const ENCODING: &str = "grpc-encoding";
const OK: HeaderValue = HeaderValue::from_static("0");

/// A method that takes one message and gives one.
pub trait Unary: Clone + Send + Sync + 'static {
    /// `/package.Service/Method`.
    const PATH: &'static str;
    /// What it takes.
    type Request: Message + Default + 'static;
    /// What it gives.
    type Response: Message + 'static;

    /// Answers a call.
    fn call(
        &self,
        request: Request<Self::Request>,
    ) -> impl Future<Output = Result<Response<Self::Response>, Status>> + Send;
}

/// A generated service, one of whose methods is answered by `U`.
#[derive(Clone, Debug)]
pub struct Direct<U, S> {
    method: U,
    service: S,
    limit: usize,
}

impl<U, S> Direct<U, S> {
    /// `limit` is the size of the largest message, bytes: that of `service`, which says what is larger.
    pub fn new(method: U, service: S, limit: usize) -> Self {
        Self {
            method,
            service,
            limit,
        }
    }
}

impl<U, S: NamedService> NamedService for Direct<U, S> {
    const NAME: &'static str = S::NAME;
}

impl<U: Unary, S: Face> Service<http::Request<Body>> for Direct<U, S> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Either<BoxFuture<'static, Result<http::Response<Body>, Infallible>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let is_plain = |encoding: &HeaderValue| encoding == "identity";
        if request.uri().path() != U::PATH || !request.headers().get(ENCODING).is_none_or(is_plain)
        {
            return Either::Right(self.service.call(request));
        }
        let (method, limit) = (self.method.clone(), self.limit);
        // A clone is ready at once, as generated services are.
        let mut service = self.service.clone();
        Either::Left(Box::pin(async move {
            let (head, mut body) = request.into_parts();
            let first = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            let message = whole(&first, &body, limit).and_then(|it| U::Request::decode(it).ok());
            let Some(message) = message else {
                let body = Body::new(Resumed { first, rest: body });
                return service.call(http::Request::from_parts(head, body)).await;
            };
            let metadata = MetadataMap::from_headers(head.headers);
            let request = Request::from_parts(metadata, head.extensions, message);
            let answer = method.call(request).await;
            Ok(answer.map_or_else(|status| status.into_http(), encode))
        }))
    }
}

type FirstFrame = Option<Result<Frame<Bytes>, Status>>;

/// The message, where the first piece of a body is all of it.
fn whole(first: &FirstFrame, rest: &Body, limit: usize) -> Option<Bytes> {
    let Some(Ok(frame)) = first else { return None };
    let data = frame.data_ref().filter(|_| rest.is_end_stream())?;
    let (prefix, message) = data.split_first_chunk::<PREFIX>()?;
    let [compressed, length @ ..] = *prefix;
    let is_whole = compressed == 0 && u32::from_be_bytes(length) as usize == message.len();
    (is_whole && message.len() <= limit).then(|| data.slice(PREFIX..))
}

/// A body whose first piece was read already, and is given again.
struct Resumed {
    /// What came first; taken when it is given again. `None` at the end of an empty body, which is then asked again.
    first: FirstFrame,
    rest: Body,
}

impl http_body::Body for Resumed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }
}

/// The answer with the message and the status of success.
fn encode<M: Message>(response: Response<M>) -> http::Response<Body> {
    let (metadata, message, extensions) = response.into_parts();
    let length = message.encoded_len();
    let mut data = BytesMut::with_capacity(PREFIX + length);
    data.put_u8(0);
    let fits = u32::try_from(length).map(|length| data.put_u32(length));
    if fits.is_err() || message.encode(&mut data).is_err() {
        return Status::internal("the answer is too large for a message").into_http();
    }
    let body = Body::new(OneMessage {
        data: Some(data.freeze()),
        is_over: false,
    });
    let mut answer = http::Response::new(body);
    *answer.headers_mut() = metadata.into_headers();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, tonic::metadata::GRPC_CONTENT_TYPE);
    *answer.extensions_mut() = extensions;
    answer
}

/// A message, followed by the status of success. It reports no exact size: HTTP would announce it as the content length.
struct OneMessage {
    data: Option<Bytes>,
    is_over: bool,
}

impl http_body::Body for OneMessage {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if std::mem::replace(&mut self.is_over, true) {
            return Poll::Ready(None);
        }
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(Status::GRPC_STATUS, OK);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(piece: &'static [u8], limit: usize, rest: Body) -> Option<Bytes> {
        let first = Some(Ok(Frame::data(Bytes::from_static(piece))));
        whole(&first, &rest, limit)
    }

    #[test]
    fn only_a_whole_message_within_the_limit_is_taken() {
        let message = b"\0\0\0\0\x03abc";
        assert_eq!(read(message, 3, Body::empty()), Some("abc".into()));
        assert_eq!(read(b"\0\0\0\0\0", 3, Body::empty()), Some(Bytes::new()));
        assert_eq!(read(message, 2, Body::empty()), None, "too large");
        assert_eq!(read(b"\x01\0\0\0\x03abc", 3, Body::empty()), None);
        for part in [&message[..4], &message[..7], b"\0\0\0\0\x03abcd"] {
            assert_eq!(read(part, 9, Body::empty()), None, "{part:?}");
        }
        let more = Body::new(Resumed {
            first: Some(Ok(Frame::data(Bytes::new()))),
            rest: Body::empty(),
        });
        assert_eq!(read(message, 3, more), None, "more may come");
        assert_eq!(whole(&None, &Body::empty(), 3), None);
    }
}
