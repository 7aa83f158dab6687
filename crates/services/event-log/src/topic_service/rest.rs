//! The REST face of topics and groups. Decodes, calls [`TopicLog`], encodes.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use protect::Verb;
use runtime::http::{self, resource};
use runtime::protection::http_caller;
use runtime::shutdown::InFlight;
use runtime::status::Failure;
use serde::de::DeserializeOwned;
use topics::{Pace, Start, TopicDraft, TopicLog, TopicsError};

use super::failure::failure;
use crate::access;

mod json;
mod query;

use json::{
    Done, FetchedBody, GroupBody, GroupsBody, NewTopicBody, OffsetsBody, ProduceBody, ProducedBody,
    TopicBody, TopicsBody,
};

/// Largest body with records: 10 MiB of them, in Base64 or with escapes.
const MAX_RECORDS_BODY: usize = 32 * 1024 * 1024;
/// Largest other body.
const MAX_BODY: usize = 1024 * 1024;

/// What handlers work with: an app's data holds it.
#[derive(Clone, Debug)]
pub struct TopicsData {
    /// The handle.
    pub topics: Arc<dyn TopicLog>,
    /// Requests count here.
    pub in_flight: InFlight,
    /// Longest wait for a sync.
    pub timeout: Duration,
}

impl TopicsData {
    /// Runs `work` as a request in flight.
    async fn run<T>(
        &self,
        work: impl Future<Output = Result<T, TopicsError>>,
    ) -> Result<T, Failure> {
        let done = self.in_flight.run(work).await;
        let done = done.map_err(|_| TopicsError::ShuttingDown).flatten();
        done.map_err(failure)
    }
}

/// The routes of topics and groups. The app's data must hold `Data` of [`TopicsData`].
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/topics").get(list).post(create))
        .service(
            resource("/api/v1/topics/{topic}")
                .get(describe)
                .delete(delete),
        )
        .service(resource("/api/v1/topics/{topic}/records").post(produce))
        .service(resource("/api/v1/topics/{topic}/partitions/{partition}/records").get(consume))
        .service(resource("/api/v1/groups").get(groups))
        .service(
            resource("/api/v1/groups/{group}")
                .get(group)
                .delete(delete_group),
        )
        .service(resource("/api/v1/groups/{group}/offsets").put(commit));
}

async fn list(request: HttpRequest, data: Data<TopicsData>) -> Result<HttpResponse, Failure> {
    query::none(request.query_string()).map_err(failure)?;
    let names = data.topics.names().await.map_err(failure)?;
    let topics = access::seen_topics(&http_caller(&request), names);
    Ok(HttpResponse::Ok().json(TopicsBody { topics }))
}

async fn create(
    request: HttpRequest,
    payload: web::Payload,
    data: Data<TopicsData>,
) -> Result<HttpResponse, Failure> {
    let body: NewTopicBody = body(&request, payload, MAX_BODY).await?;
    let draft = TopicDraft::from(body);
    http_caller(&request).check(Verb::TopicsAdmin, &draft.name)?;
    let made = data.run(data.topics.create(draft)).await?;
    Ok(HttpResponse::Created().json(TopicBody::from(made)))
}

async fn describe(request: HttpRequest, data: Data<TopicsData>) -> Result<HttpResponse, Failure> {
    let topic = segment(&request, 4)?;
    access::see_topic(&http_caller(&request), &topic)?;
    let topic = data.topics.describe(&topic).await.map_err(failure)?;
    Ok(HttpResponse::Ok().json(TopicBody::from(topic)))
}

async fn delete(request: HttpRequest, data: Data<TopicsData>) -> Result<HttpResponse, Failure> {
    let topic = checked(&request, Verb::TopicsAdmin)?;
    data.run(data.topics.delete(&topic)).await?;
    Ok(HttpResponse::Ok().json(Done::default()))
}

async fn produce(
    request: HttpRequest,
    payload: web::Payload,
    data: Data<TopicsData>,
) -> Result<HttpResponse, Failure> {
    let topic = checked(&request, Verb::TopicsProduce)?;
    let body: ProduceBody = body(&request, payload, MAX_RECORDS_BODY).await?;
    http_caller(&request).take_events(body.count() as u64)?;
    let work = async {
        let acks = body.acks()?;
        let records = body.records()?;
        data.topics
            .produce_all(&topic, records, acks, data.timeout)
            .await
    };
    let produced = data.run(work).await?;
    Ok(HttpResponse::Ok().json(ProducedBody::from(produced)))
}

async fn consume(request: HttpRequest, data: Data<TopicsData>) -> Result<HttpResponse, Failure> {
    let topic = checked(&request, Verb::TopicsConsume)?;
    let partition = segment(&request, 6)?;
    let work = async {
        let partition = query::number("partition", &partition)?;
        let asked = query::fetch(request.query_string())?;
        let start = Start::parse(asked.offset)?;
        // Waits for one record, then gives what there is.
        let pace = Pace::parse(asked.max_bytes, 0, 0)?;
        let wait = query::wait(asked.max_wait_ms)?;
        data.topics
            .fetch(&topic, partition, start, pace, wait)
            .await
    };
    let delivery = data.run(work).await?;
    Ok(HttpResponse::Ok().json(FetchedBody::from(&delivery)))
}

async fn groups(request: HttpRequest, data: Data<TopicsData>) -> Result<HttpResponse, Failure> {
    query::none(request.query_string()).map_err(failure)?;
    let groups = data.topics.groups().await.map_err(failure)?;
    let groups = access::seen_groups(&http_caller(&request), groups);
    Ok(HttpResponse::Ok().json(GroupsBody::from(groups)))
}

async fn group(request: HttpRequest, data: Data<TopicsData>) -> Result<HttpResponse, Failure> {
    let group = checked(&request, Verb::GroupsUse)?;
    let group = data.topics.group(&group).await.map_err(failure)?;
    let group = access::seen_group(&http_caller(&request), group);
    Ok(HttpResponse::Ok().json(GroupBody::from(&group)))
}

async fn delete_group(
    request: HttpRequest,
    data: Data<TopicsData>,
) -> Result<HttpResponse, Failure> {
    let group = checked(&request, Verb::GroupsUse)?;
    data.run(data.topics.delete_group(&group)).await?;
    Ok(HttpResponse::Ok().json(Done::default()))
}

async fn commit(
    request: HttpRequest,
    payload: web::Payload,
    data: Data<TopicsData>,
) -> Result<HttpResponse, Failure> {
    let group = checked(&request, Verb::GroupsUse)?;
    let body: OffsetsBody = body(&request, payload, MAX_BODY).await?;
    let offsets = body.offsets();
    let named = offsets.iter().map(|(topic, ..)| topic.as_str());
    access::commit(&http_caller(&request), &group, named)?;
    data.run(data.topics.commit(&group, offsets)).await?;
    Ok(HttpResponse::Ok().json(Done::default()))
}

/// The topic or group that the path names, if the caller may do `verb` to it.
fn checked(request: &HttpRequest, verb: Verb) -> Result<String, Failure> {
    let name = segment(request, 4)?;
    http_caller(request).check(verb, &name)?;
    Ok(name)
}

/// A segment of the path, decoded; undecoded by actix-web, which would turn what is no UTF-8 into replacement characters.
fn segment(request: &HttpRequest, index: usize) -> Result<String, Failure> {
    let segment = request
        .uri()
        .path()
        .split('/')
        .nth(index)
        .unwrap_or_default();
    query::decode("the path", segment).map_err(failure)
}

/// The body as JSON.
async fn body<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
    limit: usize,
) -> Result<T, Failure> {
    let bytes = http::body(request, payload, limit).await?;
    http::require_json(request)?;
    json::parse(&bytes).map_err(failure)
}
