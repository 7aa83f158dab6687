//! What a gRPC server says of itself (`grpc.reflection`): the files that describe the calls asked for, and what they import.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::BytesMut;
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::protocol::grpc::{GrpcCaller, GrpcConnection, WINDOWS, framed};
use crate::protocol::{Caller, Endpoint};
use crate::stop::Stop;
use crate::tally::{RequestOutcome, Wire};

/// Newest first; their messages are the same.
const VERSIONS: [&str; 2] = ["v1", "v1alpha"];
/// More files than this are no description of a service.
const MOST_FILES: usize = 1000;

/// The descriptions of these calls (`package.Service/Method`).
///
/// # Errors
/// The server cannot be reached, has no reflection, or does not know a service.
pub(super) async fn calls(
    names: &[&str],
    endpoint: &Endpoint,
    timeout: Duration,
    stop: &Stop,
) -> anyhow::Result<DescriptorPool> {
    let wire = Arc::<Wire>::default();
    let connecting =
        GrpcConnection::connect(endpoint.clone(), wire, timeout, WINDOWS, stop.halted()).await;
    let connection =
        connecting.with_context(|| format!("cannot connect to {}", endpoint.authority))?;
    let mut last = None;
    for version in VERSIONS {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let mut caller = GrpcCaller::new(Arc::clone(&connection), &path).await?;
        match described(names, &mut caller).await {
            Ok(pool) => return Ok(pool),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| anyhow::anyhow!("nobody was asked"))).context(
        "the server's reflection does not describe the calls: name the proto file in weir.toml (scenario.proto)",
    )
}

async fn described(names: &[&str], caller: &mut GrpcCaller) -> anyhow::Result<DescriptorPool> {
    let mut files: BTreeMap<String, FileDescriptorProto> = BTreeMap::new();
    for name in names {
        let service = name.split('/').next().unwrap_or_default().to_owned();
        let question = MessageRequest::FileContainingSymbol(service);
        ask(question, caller, &mut files).await?;
    }
    loop {
        let missing: BTreeSet<String> = files
            .values()
            .flat_map(|file| &file.dependency)
            .filter(|name| !files.contains_key(*name))
            .cloned()
            .collect();
        if missing.is_empty() {
            break;
        }
        for name in missing {
            let before = files.len();
            ask(
                MessageRequest::FileByFilename(name.clone()),
                caller,
                &mut files,
            )
            .await?;
            if files.len() == before || files.len() > MOST_FILES {
                bail!("the file {name} is not described");
            }
        }
    }
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos(files.into_values())?;
    Ok(pool)
}

/// Adds the files of an answer.
async fn ask(
    question: MessageRequest,
    caller: &mut GrpcCaller,
    files: &mut BTreeMap<String, FileDescriptorProto>,
) -> anyhow::Result<()> {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    };
    let mut request = BytesMut::from(framed(&request.encode_to_vec()));
    let mut answered: Option<MessageResponse> = None;
    let keep = |message: &[u8]| {
        let answer = ServerReflectionResponse::decode(message).map_err(|_| "unreadable answer")?;
        answered = answer.message_response;
        Ok(())
    };
    match caller.call(&mut request, keep).await {
        RequestOutcome::Acknowledged => {}
        RequestOutcome::Failed(kind)
        | RequestOutcome::Unanswered(kind)
        | RequestOutcome::NotSent(kind) => bail!(kind),
    }
    match answered {
        Some(MessageResponse::FileDescriptorResponse(found)) => {
            for file in found.file_descriptor_proto {
                let file = FileDescriptorProto::decode(&file[..])?;
                files.insert(file.name().to_owned(), file);
            }
            Ok(())
        }
        Some(MessageResponse::ErrorResponse(error)) => bail!(error.error_message),
        _ => bail!("an answer without a description"),
    }
}
