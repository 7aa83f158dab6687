//! What the gRPC face answers: decodes, calls [`Transactions`].

use api::benchmark::health_check_response::ServingStatus;
use api::benchmark::health_server::Health;
use api::benchmark::{HealthCheckRequest, HealthCheckResponse, StreamRequest};
use domain::{Subscription, SubscriptionDraft};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use runtime::protection::{denied, grpc_caller};
use runtime::status::Failure;
use tonic::{Request, Response, Status};

use super::outgoing::Outgoing;
use crate::access;
use crate::error::StreamError;
use crate::handle::Transactions;
use crate::metrics::Face;
use crate::subscriber::{Delivery, Subscriber};

/// The services that this process offers beside the standard ones, by full name.
pub const SERVICES: [&str; 2] = ["benchmark.TransactionService", "benchmark.Health"];

/// Both services; clones share the handle.
#[derive(Clone, Debug)]
pub struct Server(Transactions);

impl Server {
    /// Streams from `transactions`.
    pub fn new(transactions: Transactions) -> Self {
        Self(transactions)
    }

    pub(super) async fn stream_transactions(
        self,
        request: Request<StreamRequest>,
    ) -> Result<Response<BoxStream<'static, Result<Outgoing, Status>>>, Status> {
        let caller = grpc_caller(&request);
        let subscription = subscription(request.into_inner()).map_err(status)?;
        access::check(&caller, &subscription).map_err(denied)?;
        let subscriber = self.0.subscribe(subscription, Face::Grpc).await;
        Ok(Response::new(events(subscriber.map_err(status)?).boxed()))
    }
}

fn subscription(request: StreamRequest) -> Result<Subscription, StreamError> {
    Ok(Subscription::new(SubscriptionDraft {
        since: ("since_timestamp", request.since_timestamp),
        rate: ("rate_limit", request.rate_limit.into()),
        account: ("filter_account", request.filter_account),
        after: Some(request.after_sequence).filter(|sequence| *sequence > 0),
        limit: request.limit,
    })?)
}

/// Ends with OK at the limit, with UNAVAILABLE at the stop of the service.
fn events(
    subscriber: Subscriber,
) -> impl stream::Stream<Item = Result<Outgoing, Status>> + Send + 'static {
    let batches = stream::unfold(Some(subscriber), |subscriber| async move {
        let mut subscriber = subscriber?;
        loop {
            return match subscriber.next().await {
                Delivery::Events(events) => {
                    let events = events.into_iter().map(|event| Ok(Outgoing(event)));
                    Some((stream::iter(events.collect::<Vec<_>>()), Some(subscriber)))
                }
                // There are none on this face.
                Delivery::Heartbeat => continue,
                Delivery::End => None,
                Delivery::ShuttingDown => {
                    let end = Err(status(StreamError::ShuttingDown));
                    Some((stream::iter(vec![end]), None))
                }
            };
        }
    });
    batches.flatten()
}

fn status(error: StreamError) -> Status {
    Failure::from(error).into()
}

#[tonic::async_trait]
impl Health for Server {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        let status = if !service.is_empty() && !SERVICES.contains(&service.as_str()) {
            ServingStatus::Unknown
        } else if self.0.ping().await.is_ok() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        Ok(Response::new(HealthCheckResponse {
            status: status.into(),
        }))
    }
}
