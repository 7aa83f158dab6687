//! The REST face: `/api/v1/logs`. Decodes, calls [`Served`], encodes.

use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bytes::{BufMut, Bytes, BytesMut};
use domain::Kind;
use futures_util::{Stream, stream};
use hash_chain::{Chunk, MAX_DATA_BYTES};
use protect::Verb;
use runtime::http::{self, resource};
use runtime::protection::http_caller;
use runtime::status::Failure;
use serde::Serialize;

use super::served::{Served, ServedEntries, ServedError};
use crate::{access, uri};

/// Longest silence of a tail: then a comment, which clients skip.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);
const HEARTBEAT: Bytes = Bytes::from_static(b": heartbeat\n\n");
/// Where in a path the partition stands.
const PARTITION_SEGMENT: usize = 4;

/// The routes. The app's data must hold `Data` of [`Served`].
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/logs").get(list))
        // An empty name takes this way too, so that it is told what is wrong with it.
        .service(
            resource("/api/v1/logs/{partition:[^/]*}")
                .get(read)
                .post(append),
        )
        .service(resource("/api/v1/logs/{partition:[^/]*}/last").get(last))
        .service(resource("/api/v1/logs/{partition:[^/]*}/verify").get(verify))
        .service(resource("/api/v1/logs/{partition:[^/]*}/tail").get(tail));
}

/// Where an append went, on both the network and the command line.
#[derive(Debug, Serialize)]
pub(crate) struct AppendedAnswer<'a> {
    pub(crate) seq: u64,
    pub(crate) ts: &'a str,
    pub(crate) hash: &'a str,
}

/// What a check found, on both the network and the command line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifiedAnswer<'a> {
    pub(crate) valid: bool,
    pub(crate) entries_verified: u64,
    pub(crate) final_hash: &'a str,
    pub(crate) error: Option<&'a str>,
}

#[derive(Serialize)]
struct Partitions {
    partitions: Vec<String>,
}

async fn list(request: HttpRequest, served: Data<Served>) -> Result<HttpResponse, Failure> {
    uri::parameters(request.query_string(), [])?;
    let partitions = served.list().await?;
    let partitions = access::seen(&http_caller(&request), Verb::ChainsRead, partitions);
    Ok(HttpResponse::Ok().json(Partitions { partitions }))
}

async fn append(
    request: HttpRequest,
    payload: web::Payload,
    served: Data<Served>,
) -> Result<HttpResponse, Failure> {
    let partition = checked(&request, Verb::ChainsAppend);
    if let Err(failure) = &partition
        && failure.kind == Kind::PermissionDenied
    {
        return Err(failure.clone());
    }
    let data = http::body(&request, payload, MAX_DATA_BYTES).await?;
    uri::parameters(request.query_string(), [])?;
    let appended = served.append(&partition?, &data).await?;
    Ok(HttpResponse::Created().json(AppendedAnswer {
        seq: appended.seq,
        ts: &appended.timestamp.to_string(),
        hash: appended.hash.as_str(),
    }))
}

async fn read(request: HttpRequest, served: Data<Served>) -> Result<HttpResponse, Failure> {
    let [start, limit] = uri::parameters(request.query_string(), ["start", "limit"])?;
    let start = start.map(|start| uri::whole("start", &start)).transpose()?;
    let limit = limit.map(|limit| uri::whole("limit", &limit)).transpose()?;
    let mut entries = served
        .read(&checked(&request, Verb::ChainsRead)?, start, limit)
        .await?;
    // Damage at the very place that was asked for is an error of the request.
    let first = entries.next().await?.unwrap_or_default();
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(lines(first, entries)))
}

/// Breaks off, so that the client sees no end of the body, where damage is found.
fn lines(first: Chunk, entries: ServedEntries) -> impl Stream<Item = Result<Bytes, Failure>> {
    stream::unfold((Some(first), entries), |(first, mut entries)| async move {
        let chunk = match first {
            Some(first) if first.entries.is_empty() => return None,
            Some(first) => first,
            None => match entries.next().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return None,
                Err(error) => return Some((Err(error.into()), (Some(Chunk::default()), entries))),
            },
        };
        Some((Ok(chunk.lines), (None, entries)))
    })
}

async fn last(request: HttpRequest, served: Data<Served>) -> Result<HttpResponse, Failure> {
    uri::parameters(request.query_string(), [])?;
    let partition = checked(&request, Verb::ChainsRead)?;
    let last = served.last(&partition).await?;
    let entry = last.ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            format!("no such partition, or no entry in it: '{partition}'"),
        )
    })?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(entry.line().clone()))
}

async fn verify(request: HttpRequest, served: Data<Served>) -> Result<HttpResponse, Failure> {
    uri::parameters(request.query_string(), [])?;
    let found = served.verify(&checked(&request, Verb::ChainsRead)?).await?;
    Ok(HttpResponse::Ok().json(VerifiedAnswer {
        valid: found.valid,
        entries_verified: found.entries_verified,
        final_hash: found.final_hash.as_str(),
        error: found.error.as_deref(),
    }))
}

async fn tail(request: HttpRequest, served: Data<Served>) -> Result<HttpResponse, Failure> {
    let [start] = uri::parameters(request.query_string(), ["start"])?;
    let start = start.map(|start| uri::whole("start", &start)).transpose()?;
    let start = last_event_id(&request)?
        .map(|seq| seq.saturating_add(1))
        .or(start);
    let partition = checked(&request, Verb::ChainsRead)?;
    let entries = served.tail(&partition, start, true).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // nginx would hold events back.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events(entries)))
}

/// An empty header is none: browsers have no event to go on after.
fn last_event_id(request: &HttpRequest) -> Result<Option<u64>, Failure> {
    const NAME: &str = "Last-Event-ID";
    let mut values = request.headers().get_all("last-event-id");
    let Some(value) = values.next().filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Failure::new(
            Kind::InvalidArgument,
            format!("{NAME} must be given once"),
        ));
    }
    uri::whole(NAME, &String::from_utf8_lossy(value.as_bytes())).map(Some)
}

/// Ends at the stop of the service, and where damage is found.
fn events(entries: ServedEntries) -> impl Stream<Item = Result<Bytes, Failure>> {
    // A read that is under way goes on behind a heartbeat.
    let chunks = stream::unfold(Some(entries), |entries| async move {
        let mut entries = entries?;
        match entries.next().await {
            Ok(Some(chunk)) => Some((Ok(encoded(&chunk)), Some(entries))),
            Ok(None) | Err(ServedError::ShuttingDown) => None,
            Err(error) => Some((Err(error.into()), None)),
        }
    });
    stream::unfold(Box::pin(chunks), |mut chunks| async move {
        use futures_util::StreamExt;
        match tokio::time::timeout(HEARTBEAT_EVERY, chunks.next()).await {
            Ok(chunk) => chunk.map(|chunk| (chunk, chunks)),
            Err(_) => Some((Ok(HEARTBEAT), chunks)),
        }
    })
}

fn encoded(chunk: &Chunk) -> Bytes {
    let mut events = BytesMut::with_capacity(chunk.lines.len() + 48 * chunk.entries.len());
    for entry in &chunk.entries {
        events.put_slice(b"id: ");
        events.put_slice(entry.seq().to_string().as_bytes());
        events.put_slice(b"\ndata: ");
        events.put_slice(entry.line());
        events.put_slice(b"\n\n");
    }
    events.freeze()
}

/// The partition that the path names, if the caller may do `verb` to it.
fn checked(request: &HttpRequest, verb: Verb) -> Result<String, Failure> {
    let partition = partition(request)?;
    http_caller(request).check(verb, &partition)?;
    Ok(partition)
}

fn partition(request: &HttpRequest) -> Result<String, Failure> {
    // Undecoded: actix-web would turn what is no UTF-8 into replacement characters.
    uri::path_segment("partition", request.uri().path(), PARTITION_SEGMENT)
}
