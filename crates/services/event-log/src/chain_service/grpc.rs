//! The gRPC face: `immutablelog.ImmutableLogService`. Decodes, calls [`Served`], encodes.

use api::immutable_log::immutable_log_service_server::{
    ImmutableLogService, ImmutableLogServiceServer,
};
use api::immutable_log::{
    AppendRequest, AppendResponse, GetLastEntryRequest, GetLastEntryResponse,
    ListPartitionsRequest, ListPartitionsResponse, ReadRequest, ReadResponse, TailRequest,
    TailResponse, VerifyRequest, VerifyResponse,
};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use hash_chain::{ChainError, Entry, MAX_DATA_BYTES};
use protect::Verb;
use runtime::protection::{denied, grpc_caller};
use runtime::status::Failure;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status};

use super::served::{Served, ServedEntries, ServedError};
use crate::access;

/// The service's full name.
pub const SERVICE: &str = "immutablelog.ImmutableLogService";
/// Largest message from a client: data, and what is around it.
pub const MAX_MESSAGE_BYTES: usize = MAX_DATA_BYTES + 64 * 1024;

/// The service; clones share the handle.
#[derive(Clone, Debug)]
pub struct Face(Served);

/// The tonic service over `served`.
#[must_use]
pub fn service(served: Served) -> ImmutableLogServiceServer<Face> {
    ImmutableLogServiceServer::new(Face(served))
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        // An entry is longer than the data that was sent, where that has much to escape.
        .max_encoding_message_size(usize::MAX)
}

#[tonic::async_trait]
impl ImmutableLogService for Face {
    async fn append(
        &self,
        request: Request<AppendRequest>,
    ) -> Result<Response<AppendResponse>, Status> {
        let caller = grpc_caller(&request);
        let request = request.into_inner();
        let allowed = caller.check(Verb::ChainsAppend, &request.partition);
        allowed.map_err(denied)?;
        let appended = self
            .0
            .append(&request.partition, request.data.as_bytes())
            .await;
        let response = match appended {
            Ok(appended) => AppendResponse {
                seq: appended.seq,
                timestamp: appended.timestamp.to_string(),
                hash: appended.hash.to_string(),
                success: true,
                error: String::new(),
            },
            Err(error) if error.is_refusal() => AppendResponse {
                error: error.to_string(),
                ..AppendResponse::default()
            },
            Err(error) => return Err(status(error)),
        };
        Ok(Response::new(response))
    }

    type ReadStream = BoxStream<'static, Result<ReadResponse, Status>>;

    async fn read(
        &self,
        request: Request<ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let request = checked(request, |request| &request.partition)?;
        let entries = self
            .0
            .read(&request.partition, request.start_seq, request.limit)
            .await
            .map_err(status)?;
        Ok(Response::new(messages(entries, |entry| ReadResponse {
            seq: entry.seq(),
            timestamp: entry.ts().to_owned(),
            partition: entry.partition().unwrap_or_default(),
            prev_hash: entry.prev_hash().to_owned(),
            data: entry.data().to_owned(),
            hash: entry.hash().to_string(),
        })))
    }

    async fn verify(
        &self,
        request: Request<VerifyRequest>,
    ) -> Result<Response<VerifyResponse>, Status> {
        let request = checked(request, |request| &request.partition)?;
        let found = self.0.verify(&request.partition).await;
        let found = found.map_err(status)?;
        Ok(Response::new(VerifyResponse {
            valid: found.valid,
            entries_verified: found.entries_verified,
            final_hash: found.final_hash.to_string(),
            error: found.error.unwrap_or_default(),
        }))
    }

    async fn list_partitions(
        &self,
        request: Request<ListPartitionsRequest>,
    ) -> Result<Response<ListPartitionsResponse>, Status> {
        let partitions = self.0.list().await.map_err(status)?;
        let partitions = access::seen(&grpc_caller(&request), Verb::ChainsRead, partitions);
        Ok(Response::new(ListPartitionsResponse { partitions }))
    }

    async fn get_last_entry(
        &self,
        request: Request<GetLastEntryRequest>,
    ) -> Result<Response<GetLastEntryResponse>, Status> {
        let request = checked(request, |request| &request.partition)?;
        let last = match self.0.last(&request.partition).await {
            Err(ServedError::Log(ChainError::Name(_))) => None,
            last => last.map_err(status)?,
        };
        let Some(entry) = last else {
            return Ok(Response::new(GetLastEntryResponse::default()));
        };
        Ok(Response::new(GetLastEntryResponse {
            found: true,
            seq: Some(entry.seq()),
            timestamp: Some(entry.ts().to_owned()),
            partition: entry.partition(),
            prev_hash: Some(entry.prev_hash().to_owned()),
            data: Some(entry.data().to_owned()),
            hash: Some(entry.hash().to_string()),
        }))
    }

    type TailStream = BoxStream<'static, Result<TailResponse, Status>>;

    async fn tail(
        &self,
        request: Request<TailRequest>,
    ) -> Result<Response<Self::TailStream>, Status> {
        let request = checked(request, |request| &request.partition)?;
        let entries = self
            .0
            .tail(&request.partition, request.start_seq, request.follow)
            .await
            .map_err(status)?;
        Ok(Response::new(messages(entries, |entry| TailResponse {
            seq: entry.seq(),
            timestamp: entry.ts().to_owned(),
            partition: entry.partition().unwrap_or_default(),
            prev_hash: entry.prev_hash().to_owned(),
            data: entry.data().to_owned(),
            hash: entry.hash().to_string(),
        })))
    }
}

/// A request whose caller may read the partition that it names.
fn checked<T>(request: Request<T>, partition: fn(&T) -> &String) -> Result<T, Status> {
    let caller = grpc_caller(&request);
    let request = request.into_inner();
    let allowed = caller.check(Verb::ChainsRead, partition(&request));
    allowed.map_err(denied)?;
    Ok(request)
}

/// A message for each entry; the last item may be why it ends.
fn messages<M: Send + 'static>(
    entries: ServedEntries,
    message: fn(&Entry) -> M,
) -> BoxStream<'static, Result<M, Status>> {
    let chunks = stream::unfold(Some(entries), move |entries| async move {
        let mut entries = entries?;
        match entries.next().await {
            Ok(Some(chunk)) => {
                let messages = chunk
                    .entries
                    .into_iter()
                    .map(move |entry| Ok(message(&entry)));
                Some((stream::iter(messages).left_stream(), Some(entries)))
            }
            Ok(None) => None,
            Err(error) => {
                let end = stream::once(std::future::ready(Err(status(error))));
                Some((end.right_stream(), None))
            }
        }
    });
    chunks.flatten().boxed()
}

fn status(error: ServedError) -> Status {
    Failure::from(error).into()
}
