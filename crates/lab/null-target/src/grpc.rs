//! The gRPC face: the services of every scenario on one port.

use std::pin::Pin;
use std::sync::Arc;

use anyhow::Context;
use api::benchmark::balance_service_server::{BalanceService, BalanceServiceServer};
use api::benchmark::transaction_service_server::{TransactionService, TransactionServiceServer};
use api::benchmark::{
    BalanceRequest, BalanceResponse, BatchBalanceRequest, BatchBalanceResponse, StreamRequest,
    Transaction,
};
use api::event::event_service_server::{EventService, EventServiceServer};
use api::event::{EventOutcome, EventRequest, EventResponse, HealthRequest, HealthResponse};
use domain::Event;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::work::{Refused, TIMESTAMP, Work, finite, now_us};

mod log;

/// Messages up to this size: those of the largest records.
const MESSAGE_LIMIT: usize = 11 * 1024 * 1024;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The services over one state.
#[derive(Clone)]
struct Faces(Arc<Work>);

/// Serves until the stop.
pub(crate) async fn serve(
    listener: TcpListener,
    work: Arc<Work>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let faces = Faces(work);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_service_status("", tonic_health::ServingStatus::Serving)
        .await;
    // tonic leaves the option of connections that it is handed as it is.
    let incoming = TcpListenerStream::new(listener).map(|accepted| {
        let stream = accepted?;
        stream.set_nodelay(true)?;
        Ok::<_, std::io::Error>(stream)
    });
    Server::builder()
        .add_service(health)
        .add_service(
            EventServiceServer::new(faces.clone()).max_decoding_message_size(MESSAGE_LIMIT),
        )
        .add_service(BalanceServiceServer::new(faces.clone()))
        .add_service(TransactionServiceServer::new(faces.clone()))
        .add_service(log::topics(faces.0.clone()).max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(log::chains(faces.0).max_decoding_message_size(MESSAGE_LIMIT))
        .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
        .await
        .context("gRPC")
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid(message) => Self::invalid_argument(message),
            Refused::Failed(message) => Self::internal(message),
        }
    }
}

#[tonic::async_trait]
impl EventService for Faces {
    async fn process_event(
        &self,
        request: Request<EventRequest>,
    ) -> Result<Response<EventResponse>, Status> {
        self.0.take(Event::try_from(request.into_inner())).await?;
        Ok(Response::new(EventResponse {
            success: true,
            message: String::new(),
        }))
    }

    type ProcessEventsStream = Answers<EventOutcome>;

    async fn process_events(
        &self,
        request: Request<Streaming<EventRequest>>,
    ) -> Result<Response<Self::ProcessEventsStream>, Status> {
        let work = Arc::clone(&self.0);
        let mut index = 0;
        let outcomes = request.into_inner().then(move |event| {
            let work = Arc::clone(&work);
            let number = index;
            index += 1;
            async move {
                let taken = work.take(Event::try_from(event?)).await;
                let message = match taken {
                    Ok(()) => None,
                    Err(Refused::Invalid(message) | Refused::Failed(message)) => Some(message),
                };
                Ok(EventOutcome {
                    index: number,
                    success: message.is_none(),
                    message: message.unwrap_or_default(),
                })
            }
        });
        Ok(Response::new(Box::pin(outcomes)))
    }

    async fn health_check(
        &self,
        _: Request<HealthRequest>,
    ) -> Result<Response<HealthResponse>, Status> {
        Ok(Response::new(HealthResponse {
            healthy: true,
            message: String::new(),
        }))
    }
}

#[tonic::async_trait]
impl BalanceService for Faces {
    async fn get_balance(
        &self,
        request: Request<BalanceRequest>,
    ) -> Result<Response<BalanceResponse>, Status> {
        self.0.count(1);
        Ok(Response::new(balance(request.into_inner().account_id)))
    }

    async fn get_balances(
        &self,
        request: Request<BatchBalanceRequest>,
    ) -> Result<Response<BatchBalanceResponse>, Status> {
        self.0.count(1);
        let ids = request.into_inner().account_ids;
        Ok(Response::new(BatchBalanceResponse {
            balances: ids.into_iter().map(balance).collect(),
        }))
    }
}

fn balance(account_id: String) -> BalanceResponse {
    BalanceResponse {
        account_id,
        balance_tinybar: 1,
        timestamp: TIMESTAMP.into(),
    }
}

#[tonic::async_trait]
impl TransactionService for Faces {
    type StreamTransactionsStream = Answers<Transaction>;

    async fn stream_transactions(
        &self,
        request: Request<StreamRequest>,
    ) -> Result<Response<Self::StreamTransactionsStream>, Status> {
        let asked = request.into_inner();
        let sequences = self.0.sequences(asked.after_sequence, finite(asked.limit));
        let work = Arc::clone(&self.0);
        let since = match asked.since_timestamp {
            since if since.is_empty() => TIMESTAMP.to_owned(),
            since => since,
        };
        let events = sequences.map(move |sequence| {
            work.count(1);
            Ok(Transaction {
                tx_id: format!("null-{sequence}"),
                from_account: "0.0.100000".into(),
                to_account: "0.0.100001".into(),
                amount_tinybar: 1,
                tx_type: "transfer".into(),
                timestamp: since.clone(),
                sequence,
                emitted_at_us: now_us(),
            })
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(events))))
    }
}
