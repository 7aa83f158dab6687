//! Events to Apache Kafka: acknowledged without a database, or waited for until a sink has merged them. The cases of
//! producer-rest.

use std::time::{Duration, Instant};

use api::event::event_service_client::EventServiceClient;
use api::event::{EventOutcome, EventRequest, EventResponse, HealthRequest};
use serde_json::json;
use testkit::eventually;
use testkit::kafka::Kafka;
use testkit::postgres::Database;
use testkit::process::Service;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::support::{BINARY, event, stored};
use in_process::sink;

#[path = "../../../sink/tests/it/in_process.rs"]
mod in_process;

struct Client(EventServiceClient<Channel>);

impl Client {
    async fn of(service: &Service) -> Self {
        let channel = Channel::from_shared(format!("http://{}", service.grpc())).unwrap();
        Self(EventServiceClient::new(channel.connect().await.unwrap()))
    }

    async fn process(&self, event: EventRequest) -> Result<EventResponse, Status> {
        self.process_waiting(event, None).await
    }

    async fn process_waiting(
        &self,
        event: EventRequest,
        wait: Option<&str>,
    ) -> Result<EventResponse, Status> {
        let answer = self.0.clone().process_event(with(event, wait)).await;
        Ok(answer?.into_inner())
    }

    /// The outcomes of a stream, by index.
    async fn process_all(
        &self,
        events: Vec<EventRequest>,
        wait: Option<&str>,
    ) -> Result<Vec<EventOutcome>, Status> {
        let request = with(tokio_stream::iter(events), wait);
        let mut outcomes = self.0.clone().process_events(request).await?.into_inner();
        let mut all = Vec::new();
        while let Some(outcome) = outcomes.message().await? {
            all.push(outcome);
        }
        all.sort_by_key(|outcome| outcome.index);
        Ok(all)
    }

    async fn is_healthy(&self) -> bool {
        let asked = self.0.clone().health_check(HealthRequest::default()).await;
        asked.unwrap().into_inner().healthy
    }
}

fn with<T>(message: T, wait: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(wait) = wait {
        request.metadata_mut().insert("wait", wait.parse().unwrap());
    }
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_acknowledged_by_kafka_without_a_database_and_refused_while_it_is_away() {
    let Some(kafka) = Kafka::start(1) else { return };
    let settings = [
        ("WRITE_MODE", "kafka"),
        ("KAFKA_BROKERS", kafka.brokers()),
        // Nobody listens there.
        (
            "DATABASE_URL",
            "postgresql://postgres:password@127.0.0.1:1/none",
        ),
        ("REQUEST_TIMEOUT", "2s"),
    ];
    let service = Service::start(BINARY, &settings);
    let client = Client::of(&service).await;
    let car = || event("Car", "a", r#"{"n":1}"#);
    assert!(client.process(car()).await.unwrap().success);
    let bad = client.process(event("", "a", "{}")).await.unwrap_err();
    assert_eq!(bad.code(), Code::InvalidArgument, "{bad}");
    let events = vec![car(), event("", "a", "{}"), car(), car()];
    let outcomes = client.process_all(events, None).await.unwrap();
    let outcomes: Vec<bool> = outcomes.iter().map(|outcome| outcome.success).collect();
    assert_eq!(outcomes, [true, false, true, true]);
    assert!(client.is_healthy().await);

    kafka.kill(1);
    let begun = Instant::now();
    let refused = client.process(car()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.message().contains("retry later"), "{refused}");
    // Within its timeout, on a busy machine.
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    eventually("health says so", async || !client.is_healthy().await).await;
    kafka.start_again(1);
    eventually("events are taken again", async || {
        client.process(car()).await.is_ok()
    })
    .await;
    eventually("health says so", async || client.is_healthy().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_applied_is_answered_when_a_reader_of_the_table_sees_the_event() {
    let Some(kafka) = Kafka::start(1) else { return };
    let database = Database::fresh().await;
    let settings = [
        ("WRITE_MODE", "kafka"),
        ("KAFKA_BROKERS", kafka.brokers()),
        ("DATABASE_URL", database.url()),
        ("REQUEST_TIMEOUT", "4s"),
    ];
    let service = Service::start(BINARY, &settings);
    let client = Client::of(&service).await;
    let applied = Some("applied");

    // No sink runs, and none has made its tables.
    let early = event("Car", "early", r#"{"n":1}"#);
    let late = client.process_waiting(early, applied).await.unwrap_err();
    assert_eq!(late.code(), Code::Unavailable, "{late}");
    for named in [
        "wait=applied",
        "SINK_GROUP",
        "REQUEST_TIMEOUT",
        "do not send it again",
    ] {
        assert!(late.message().contains(named), "{late}");
    }
    let car = |id: &str| event("Car", id, r#"{"n":1}"#);
    let unknown = client.process_waiting(car("x"), Some("x")).await;
    let unknown = unknown.unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidArgument, "{unknown}");
    assert_eq!(unknown.message(), "wait must be 'applied' or 'stored'");
    let unknown = client.process_all(vec![car("x")], Some("x")).await;
    assert_eq!(unknown.unwrap_err().code(), Code::InvalidArgument);
    let at_once = client.process_waiting(car("b"), Some("stored")).await;
    assert!(at_once.unwrap().success);
    // The caller's own deadline counts too.
    let mut hasty = with(car("hasty"), applied);
    hasty.set_timeout(Duration::from_millis(300));
    let hasty = client.0.clone().process_event(hasty).await.unwrap_err();
    assert!(
        matches!(hasty.code(), Code::DeadlineExceeded | Code::Cancelled),
        "{hasty}"
    );

    let running = sink(&kafka, &database).await;
    eventually("the sink has caught up", async || {
        stored(&database, "Car", "early").await.is_some()
    })
    .await;
    for n in 0..20 {
        let id = format!("car-{n}");
        let sent = event("Car", &id, &format!(r#"{{"n":{n}}}"#));
        let answer = client.process_waiting(sent, applied).await;
        assert!(answer.unwrap().success);
        let seen = stored(&database, "Car", &id).await;
        assert_eq!(seen, Some(json!({"n": n})), "seen at once");
    }
    let cars = (0..20).map(|n| car(&format!("many-{n}"))).collect();
    let outcomes = client.process_all(cars, applied).await.unwrap();
    assert_eq!(outcomes.len(), 20);
    assert!(
        outcomes.iter().all(|outcome| outcome.success),
        "{outcomes:?}"
    );
    for n in 0..20 {
        let seen = stored(&database, "Car", &format!("many-{n}")).await;
        assert!(seen.is_some(), "{n}");
    }

    let refuse = "
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'data_exception'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON car_entities FOR EACH ROW
            WHEN (NEW.id = 'refused') EXECUTE FUNCTION refuse();";
    database.client().await.batch_execute(refuse).await.unwrap();
    let refused = client.process_waiting(car("refused"), applied).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert!(
        refused.message().contains("the database refused"),
        "a dead letter is told: {refused}"
    );
    let events = vec![car("good"), car("refused")];
    let outcomes = client.process_all(events, applied).await.unwrap();
    let outcomes: Vec<bool> = outcomes.iter().map(|outcome| outcome.success).collect();
    assert_eq!(outcomes, [true, false]);
    drop(running);
}
