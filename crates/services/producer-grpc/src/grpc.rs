//! The gRPC face of ingestion: `com.example.grpc.EventService`. Decodes, calls [`Ingest`], encodes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::event::event_service_server::EventService;
use api::event::{EventOutcome, EventRequest, EventResponse, HealthRequest, HealthResponse};
use domain::Event;
use futures_util::{Stream, stream};
use ingest::{Ingest, IngestError, Lane, Outcomes, Wait};
use prost::Message;
use protect::Caller;
use runtime::grpc::Unary;
use runtime::protection::grpc_caller;
use runtime::shutdown::{Guard, InFlight, ShuttingDown};
use runtime::status::Failure;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, Streaming};

/// Events of one `ProcessEvents` call that may wait for their outcome; beyond it the client is held back by HTTP/2
/// flow control.
const STREAM_WINDOW: usize = 1024;

/// The service; clones share the handle.
#[derive(Clone, Debug)]
pub struct Events {
    ingest: Ingest,
    in_flight: InFlight,
}

impl Events {
    /// The stop of `in_flight` ends open streams: no further event is read, and what was read is answered.
    pub fn new(ingest: Ingest, in_flight: InFlight) -> Self {
        Self { ingest, in_flight }
    }

    async fn process(
        &self,
        request: Request<EventRequest>,
    ) -> Result<Response<EventResponse>, Status> {
        let _guard = self.in_flight.enter().map_err(shutting_down)?;
        let wait = wait(&request);
        let parsed = self.parse(request.into_inner());
        let outcome = match parsed.and_then(|event| Ok((event, wait?))) {
            Ok((event, wait)) => self.ingest.submit(event, wait).await,
            Err(error) => {
                self.ingest.metrics().refused(&error);
                Err(error)
            }
        };
        outcome.map_err(|error| status(&error))?;
        Ok(Response::new(EventResponse {
            success: true,
            message: ingest::STORED.to_owned(),
        }))
    }

    /// The event of a request, or what is wrong with it.
    fn parse(&self, request: EventRequest) -> Result<Event, IngestError> {
        let limit = self.ingest.config().max_event_bytes;
        if request.encoded_len() > limit as usize {
            return Err(IngestError::TooLarge { limit });
        }
        Ok(Event::try_from(request)?)
    }
}

/// `ProcessEvent`, for [`Direct`](runtime::grpc::Direct).
#[derive(Clone, Debug)]
pub struct ProcessEvent(pub Events);

impl Unary for ProcessEvent {
    const PATH: &'static str = "/com.example.grpc.EventService/ProcessEvent";
    type Request = EventRequest;
    type Response = EventResponse;

    async fn call(
        &self,
        request: Request<EventRequest>,
    ) -> Result<Response<EventResponse>, Status> {
        self.0.process(request).await
    }
}

#[tonic::async_trait]
impl EventService for Events {
    async fn process_event(
        &self,
        request: Request<EventRequest>,
    ) -> Result<Response<EventResponse>, Status> {
        self.process(request).await
    }

    async fn health_check(
        &self,
        _request: Request<HealthRequest>,
    ) -> Result<Response<HealthResponse>, Status> {
        let response = match self.ingest.ping().await {
            Ok(()) => HealthResponse {
                healthy: true,
                message: ingest::HEALTHY.to_owned(),
            },
            Err(error) => HealthResponse {
                healthy: false,
                message: error.to_string(),
            },
        };
        Ok(Response::new(response))
    }

    type ProcessEventsStream = Pin<Box<dyn Stream<Item = Result<EventOutcome, Status>> + Send>>;

    async fn process_events(
        &self,
        request: Request<Streaming<EventRequest>>,
    ) -> Result<Response<Self::ProcessEventsStream>, Status> {
        let caller = grpc_caller(&request);
        let wait = wait(&request).map_err(|error| status(&error))?;
        let (lane, outcomes) = self.ingest.lane(STREAM_WINDOW, wait);
        let unanswered = Unanswered::new(self.in_flight.clone());
        // cancelled when the client drops the answers, so that reading ends too
        let gone = CancellationToken::new();
        let reader = Reader {
            events: self.clone(),
            caller,
            requests: request.into_inner(),
            lane,
            unanswered: unanswered.clone(),
        };
        let answers = Answers {
            outcomes,
            unanswered,
            refused: self.in_flight.refused().clone(),
            reader: Some(tokio::spawn(
                gone.clone().run_until_cancelled_owned(reader.run()),
            )),
            _gone: gone.drop_guard(),
        };
        Ok(Response::new(Box::pin(stream::unfold(
            answers,
            Answers::next,
        ))))
    }
}

/// The events of one stream that were read and have no outcome yet: at most [`STREAM_WINDOW`]. A stop waits for them.
#[derive(Clone)]
struct Unanswered {
    window: Arc<Semaphore>,
    in_flight: InFlight,
    read: Arc<Mutex<ReadEvents>>,
}

/// How many there are, and what keeps the service from stopping while there are any: one guard for all of them, since all
/// streams count in one place.
#[derive(Default)]
struct ReadEvents {
    count: usize,
    guard: Option<Guard>,
}

impl Unanswered {
    fn new(in_flight: InFlight) -> Self {
        Self {
            window: Arc::new(Semaphore::new(STREAM_WINDOW)),
            in_flight,
            read: Arc::default(),
        }
    }

    /// Waits for room for one more event.
    async fn room(&self) {
        if let Ok(permit) = self.window.acquire().await {
            // given back by `answered`
            permit.forget();
        }
    }

    /// Notes an event that was read.
    fn read(&self) -> Result<(), ShuttingDown> {
        let mut read = self.events();
        if read.guard.is_none() {
            read.guard = Some(self.in_flight.enter()?);
        }
        read.count += 1;
        Ok(())
    }

    /// Notes an outcome.
    fn answered(&self) {
        let mut read = self.events();
        read.count = read.count.saturating_sub(1);
        if read.count == 0 {
            read.guard = None;
        }
        drop(read);
        self.window.add_permits(1);
    }

    fn events(&self) -> MutexGuard<'_, ReadEvents> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the client's events and hands them in.
struct Reader {
    events: Events,
    caller: Caller,
    requests: Streaming<EventRequest>,
    lane: Lane,
    unanswered: Unanswered,
}

impl Reader {
    /// Ends with the client's last event, or with the status that the answers end with.
    async fn run(mut self) -> Result<(), Status> {
        // A child, so that streams do not wait for each other when they ask; and asked first, since to wait for it costs more
        // than to read an event that is there.
        let stop = self.events.in_flight.stop().child_token();
        for index in 0.. {
            self.unanswered.room().await;
            if stop.is_cancelled() {
                return Err(shutting_down(ShuttingDown));
            }
            let request = tokio::select! {
                biased;
                request = self.requests.message() => request.map_err(runtime::grpc::stream_status)?,
                () = stop.cancelled() => return Err(shutting_down(ShuttingDown)),
            };
            let Some(request) = request else {
                return Ok(());
            };
            tokio::select! {
                biased;
                // Held back to its limit; at once where there is none.
                () = self.caller.event() => {}
                () = stop.cancelled() => return Err(shutting_down(ShuttingDown)),
            }
            self.unanswered.read().map_err(shutting_down)?;
            match self.events.parse(request) {
                Ok(event) => self.lane.submit(index, event).await,
                Err(error) => self.lane.refuse(index, error).await,
            }
        }
        Ok(())
    }
}

type Ended = Option<Result<(), Status>>;

/// The outcomes as the client reads them.
struct Answers {
    outcomes: Outcomes,
    unanswered: Unanswered,
    /// Cancelled at the end of the grace period.
    refused: CancellationToken,
    /// Taken when it has ended.
    reader: Option<JoinHandle<Ended>>,
    _gone: DropGuard,
}

impl Answers {
    async fn next(mut self) -> Option<(Result<EventOutcome, Status>, Self)> {
        let next = tokio::select! {
            biased;
            next = self.outcomes.next() => next,
            () = self.refused.cancelled(), if self.reader.is_some() => {
                self.reader = None;
                return Some((Err(shutting_down(ShuttingDown)), self));
            }
        };
        if let Some((index, outcome)) = next {
            self.unanswered.answered();
            let (success, message) = match outcome {
                Ok(()) => (true, ingest::STORED.to_owned()),
                Err(error) => (false, error.to_string()),
            };
            return Some((
                Ok(EventOutcome {
                    index,
                    success,
                    message,
                }),
                self,
            ));
        }
        // all outcomes are in: the reader has dropped its lane and ended
        match self.reader.take()?.await {
            Ok(Some(Err(status))) => Some((Err(status), self)),
            Ok(Some(Ok(())) | None) => None,
            Err(error) => {
                tracing::error!(%error, "the reader of a stream ended abnormally");
                Some((Err(status(&IngestError::Internal)), self))
            }
        }
    }
}

/// What the caller wants to be waited for.
fn wait<T>(request: &Request<T>) -> Result<Wait, IngestError> {
    let value = request.metadata().get(Wait::NAME);
    Ok(Wait::parse(value.map(|value| value.as_bytes()))?)
}

fn shutting_down(reason: ShuttingDown) -> Status {
    Failure::from(reason).into()
}

fn status(error: &IngestError) -> Status {
    runtime::status::grpc_status(error.kind(), error.to_string())
}
