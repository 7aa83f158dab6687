//! A server on a directory of its own, and clients of its chains.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::immutable_log::immutable_log_service_client::ImmutableLogServiceClient;
use api::immutable_log::{AppendRequest, AppendResponse, ReadRequest, ReadResponse};
use tempfile::TempDir;
use testkit::process::Service;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_event-log");

const READY_PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) service: Service,
}

impl Fixture {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let service = serve(folder.path(), settings);
        Self { folder, service }
    }

    pub(crate) fn file(&self, stem: &str) -> PathBuf {
        self.folder.path().join(format!("{stem}.jsonl"))
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.service).await
    }
}

/// Starts a server on this directory and waits until it is ready.
pub(crate) fn serve(directory: &Path, settings: &[(&str, &str)]) -> Service {
    let directory = directory.to_str().unwrap();
    let mut environment = vec![("EVENT_LOG_DIR", directory)];
    environment.extend_from_slice(settings);
    let service = Service::spawn(BINARY, &["serve"], &environment);
    let ready = service.wait_for_log("ready", READY_PATIENCE);
    assert!(ready.is_some(), "not ready:\n{}", service.log());
    service
}

pub(crate) async fn channel(service: &Service) -> Channel {
    let uri = format!("http://{}", service.grpc());
    Endpoint::from_shared(uri).unwrap().connect().await.unwrap()
}

#[derive(Clone)]
pub(crate) struct Client(pub(crate) ImmutableLogServiceClient<Channel>);

impl Client {
    pub(crate) async fn connect(service: &Service) -> Self {
        let client = ImmutableLogServiceClient::new(channel(service).await);
        Self(client.max_decoding_message_size(usize::MAX))
    }

    pub(crate) async fn append(
        &self,
        partition: &str,
        data: &str,
    ) -> Result<AppendResponse, Status> {
        let request = AppendRequest {
            partition: partition.to_owned(),
            data: data.to_owned(),
        };
        Ok(self.0.clone().append(request).await?.into_inner())
    }

    pub(crate) async fn read(
        &self,
        partition: &str,
        start_seq: Option<u64>,
        limit: Option<u64>,
    ) -> Result<Vec<ReadResponse>, Status> {
        let request = ReadRequest {
            partition: partition.to_owned(),
            start_seq,
            limit,
        };
        let mut stream = self.0.clone().read(request).await?.into_inner();
        let mut entries = Vec::new();
        while let Some(entry) = stream.message().await? {
            entries.push(entry);
        }
        Ok(entries)
    }
}
