//! The log over gRPC: appends and checks on the light caller, reads on a generated client.

use std::sync::Arc;

use anyhow::Context;
use api::immutable_log::immutable_log_service_client::ImmutableLogServiceClient;
use api::immutable_log::{
    AppendRequest, AppendResponse, TailRequest, VerifyRequest, VerifyResponse,
};
use bytes::BytesMut;
use prost::Message;
use service_client::ClientChannel;
use service_client::channel::endpoint;
use tokio_util::sync::CancellationToken;

use crate::plan::{LogPlan, data};
use crate::produce::GrpcProduce;
use crate::topic;
use load_engine::plan::Route;
use load_engine::protocol::Caller;
use load_engine::protocol::grpc::{GrpcCaller, GrpcConnection, WINDOWS, framed};
use load_engine::tally::{RequestOutcome, Wire};

pub(super) const APPEND: &str = "/immutablelog.ImmutableLogService/Append";
const VERIFY: &str = "/immutablelog.ImmutableLogService/Verify";

/// Connections to a server.
pub(super) struct GrpcStore {
    route: Route,
    wire: Arc<Wire>,
    connections: Vec<Arc<GrpcConnection>>,
}

impl GrpcStore {
    pub(super) async fn connect(
        plan: &LogPlan,
        route: &Route,
        wire: Arc<Wire>,
        halted: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..route.connections {
            let (endpoint, wire) = (route.endpoint.clone(), Arc::clone(&wire));
            let connection =
                GrpcConnection::connect(endpoint, wire, route.timeout, WINDOWS, halted).await;
            let connection = connection
                .with_context(|| format!("cannot connect to {}", route.endpoint.authority))?;
            connections.push(connection);
        }
        let store = Self {
            route: route.clone(),
            wire,
            connections,
        };
        topic::make(plan, store.channel()?).await?;
        Ok(store)
    }

    /// A light caller of one method, on one of the connections.
    pub(super) async fn caller(&self, worker: usize, path: &str) -> anyhow::Result<GrpcCaller> {
        let connection = self.connections.get(worker % self.connections.len().max(1));
        let connection = connection.context("a server without a connection")?;
        GrpcCaller::new(Arc::clone(connection), path).await
    }

    /// A channel of a generated client, connected when it is used.
    pub(super) fn channel(&self) -> anyhow::Result<ClientChannel> {
        let at = &self.route.endpoint;
        let to = endpoint(&at.authority, at.access())?
            .tcp_nodelay(true)
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(8 << 20);
        Ok(at.access().lazy_channel(to))
    }

    pub(super) async fn append(&self, plan: &LogPlan, worker: usize) -> anyhow::Result<GrpcAppend> {
        Ok(GrpcAppend {
            caller: self.caller(worker, APPEND).await?,
            partition: plan.name(),
            worker,
            number: 0,
            after: 0,
        })
    }

    pub(super) async fn tail(&self, plan: &LogPlan, _worker: usize) -> anyhow::Result<GrpcTail> {
        Ok(GrpcTail {
            client: ImmutableLogServiceClient::new(self.channel()?),
            partition: plan.name(),
            entries: plan.entries,
        })
    }

    pub(super) async fn verify(&self, plan: &LogPlan, worker: usize) -> anyhow::Result<GrpcVerify> {
        Ok(GrpcVerify {
            caller: self.caller(worker, VERIFY).await?,
            partition: plan.name(),
            entries: Some(plan.entries),
        })
    }

    pub(super) async fn produce(
        &self,
        plan: &LogPlan,
        worker: usize,
    ) -> anyhow::Result<GrpcProduce> {
        let wire = Arc::clone(&self.wire);
        GrpcProduce::open(plan, &self.route, wire, worker).await
    }

    pub(super) async fn count(&self, plan: &LogPlan) -> anyhow::Result<u64> {
        let mut client = ImmutableLogServiceClient::new(self.channel()?);
        let request = VerifyRequest {
            partition: plan.name(),
        };
        let found = client.verify(request).await?.into_inner();
        anyhow::ensure!(found.valid, "the chain is broken: {}", found.error);
        Ok(found.entries_verified)
    }
}

pub(super) struct GrpcAppend {
    caller: GrpcCaller,
    partition: String,
    worker: usize,
    number: u64,
    /// One more than the place of this worker's last entry.
    after: u64,
}

impl GrpcAppend {
    pub(super) async fn run(&mut self) -> RequestOutcome {
        let request = AppendRequest {
            partition: self.partition.clone(),
            data: data(self.worker, self.number),
        };
        self.number += 1;
        let mut request = BytesMut::from(framed(&request.encode_to_vec()));
        let after = &mut self.after;
        let check = |answer: &[u8]| {
            let answer = AppendResponse::decode(answer).map_err(|_| "unreadable answer")?;
            if !answer.success {
                return Err("success=false");
            }
            // An append that begins after another's end stands after it.
            if answer.seq < *after {
                return Err("appended before an earlier entry");
            }
            *after = answer.seq + 1;
            Ok(())
        };
        self.caller.call(&mut request, check).await
    }
}

pub(super) struct GrpcVerify {
    caller: GrpcCaller,
    partition: String,
    entries: Option<u64>,
}

impl GrpcVerify {
    pub(super) async fn run(&mut self) -> RequestOutcome {
        let request = VerifyRequest {
            partition: self.partition.clone(),
        };
        let mut request = BytesMut::from(framed(&request.encode_to_vec()));
        let entries = self.entries;
        let check = |answer: &[u8]| {
            let answer = VerifyResponse::decode(answer).map_err(|_| "unreadable answer")?;
            if !answer.valid {
                return Err("the chain is broken");
            }
            if entries.is_some_and(|entries| answer.entries_verified != entries) {
                return Err("another number of entries");
            }
            Ok(())
        };
        self.caller.call(&mut request, check).await
    }
}

pub(super) struct GrpcTail {
    client: ImmutableLogServiceClient<ClientChannel>,
    partition: String,
    entries: u64,
}

impl GrpcTail {
    pub(super) async fn run(&mut self) -> RequestOutcome {
        match self.read().await {
            Ok(read) if read == self.entries => RequestOutcome::Acknowledged,
            Ok(read) => RequestOutcome::Failed(format!("{read} entries of {}", self.entries)),
            Err(status) => RequestOutcome::Failed(format!("grpc {:?}", status.code())),
        }
    }

    /// How many entries came in order, each linked to the one before.
    async fn read(&mut self) -> Result<u64, tonic::Status> {
        let request = TailRequest {
            partition: self.partition.clone(),
            start_seq: None,
            follow: false,
        };
        let mut stream = self.client.tail(request).await?.into_inner();
        let (mut read, mut hash) = (0, String::new());
        while let Some(entry) = stream.message().await? {
            let linked = read == 0 || entry.prev_hash == hash;
            if entry.seq != read || !linked {
                return Err(tonic::Status::data_loss("not the next entry"));
            }
            hash = entry.hash;
            read += 1;
        }
        Ok(read)
    }
}
