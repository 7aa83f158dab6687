//! `benchmark.TransactionService` without generated messages on the way out: events are encoded once for all
//! subscribers, where the generated server would have each of them clone and encode.

use std::convert::Infallible;
use std::task::{Context, Poll};

use api::benchmark::StreamRequest;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::header;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::{Request, Response, Status};
use tower::Service;

use super::calls::Server;
use super::outgoing::{EventCodec, Outgoing};

const STREAM_TRANSACTIONS: &str = "/benchmark.TransactionService/StreamTransactions";

/// The tonic service.
#[derive(Clone, Debug)]
pub struct TransactionServer(Server);

impl TransactionServer {
    /// Serves what `server` streams.
    pub fn new(server: Server) -> Self {
        Self(server)
    }
}

impl NamedService for TransactionServer {
    const NAME: &'static str = "benchmark.TransactionService";
}

impl Service<http::Request<Body>> for TransactionServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != STREAM_TRANSACTIONS {
            return Box::pin(async { Ok(unimplemented()) });
        }
        let method = StreamTransactions(self.0.clone());
        Box::pin(async move {
            Ok(Grpc::new(EventCodec)
                .accept_compressed(CompressionEncoding::Gzip)
                .server_streaming(method, request)
                .await)
        })
    }
}

fn unimplemented() -> http::Response<Body> {
    let mut response = Status::unimplemented("no such method").into_http();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, tonic::metadata::GRPC_CONTENT_TYPE);
    response
}

struct StreamTransactions(Server);

impl ServerStreamingService<StreamRequest> for StreamTransactions {
    type Response = Outgoing;
    type ResponseStream = BoxStream<'static, Result<Outgoing, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<StreamRequest>) -> Self::Future {
        Box::pin(self.0.clone().stream_transactions(request))
    }
}
