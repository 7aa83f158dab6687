//! Records over `ProduceMessageStream`: a stream of its own for each worker, on which a batch is sent in one piece and
//! answered record by record.

use std::sync::Arc;

use anyhow::Context;
use api::takhin::{ProduceMessageRequest, ProduceMessageResponse, Record};
use bytes::{Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use prost::Message;

use crate::plan::{LogPlan, data};
use load_engine::plan::Route;
use load_engine::protocol::grpc::{
    STREAM_WINDOWS, describe, framed, grpc_status, head, next_message, open, status_name, target,
};
use load_engine::tally::{RequestOutcome, Wire};

const PRODUCE: &str = "/takhin.v1.TakhinService/ProduceMessageStream";

/// An open stream.
pub(super) struct GrpcProduce {
    requests: SendStream<Bytes>,
    answers: RecvStream,
    partial: BytesMut,
    /// A batch, encoded once.
    batch: Bytes,
    records: u64,
    /// One more than the last offset.
    after: i64,
    broken: bool,
}

impl GrpcProduce {
    pub(super) async fn open(
        plan: &LogPlan,
        server: &Route,
        wire: Arc<Wire>,
        worker: usize,
    ) -> anyhow::Result<Self> {
        let sender = open(&server.endpoint, &wire, server.timeout, STREAM_WINDOWS).await?;
        let mut sender = sender.ready().await?;
        let (uri, headers) = target(&server.endpoint, PRODUCE)?;
        let (response, mut requests) = sender.send_request(head(&uri, &headers), false)?;
        // A server may answer with its head only when the first message has come.
        let batch = batch(plan, worker, plan.batch);
        requests.send_data(batch.clone(), false)?;
        let response = tokio::time::timeout(server.timeout, response)
            .await
            .context("the stream was not answered")??;
        if let Some(status) = grpc_status(response.headers()) {
            anyhow::bail!("the stream was refused: {}", status_name(status));
        }
        let mut stream = Self {
            requests,
            answers: response.into_body(),
            partial: BytesMut::new(),
            batch,
            records: plan.batch,
            after: 0,
            broken: false,
        };
        let first = stream.collect().await.map_err(anyhow::Error::msg);
        first.context("the first batch was not taken")?;
        Ok(stream)
    }

    /// Sends a batch and waits for the answers to all of it.
    pub(super) async fn run(&mut self) -> RequestOutcome {
        if self.broken {
            // Nothing will come of this stream any more.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            return RequestOutcome::NotSent("the stream is broken".into());
        }
        if let Err(error) = self.requests.send_data(self.batch.clone(), false) {
            self.broken = true;
            return RequestOutcome::NotSent(describe(&error));
        }
        match self.collect().await {
            Ok(()) => RequestOutcome::Acknowledged,
            Err(error) => {
                self.broken = true;
                RequestOutcome::Unanswered(error)
            }
        }
    }

    /// Reads as many answers as a batch has records.
    async fn collect(&mut self) -> Result<(), String> {
        let mut answered = 0;
        while answered < self.records {
            let data = self.answers.data().await;
            let data = data.ok_or("the stream ended")?;
            let data = data.map_err(|error| describe(&error))?;
            let released = self.answers.flow_control().release_capacity(data.len());
            released.map_err(|error| describe(&error))?;
            self.partial.extend_from_slice(&data);
            while let Some(message) = next_message(&mut self.partial) {
                let answer = ProduceMessageResponse::decode(message);
                let answer = answer.map_err(|_| "unreadable answer")?;
                if !answer.error.is_empty() {
                    return Err(answer.error);
                }
                if answer.offset < self.after {
                    return Err("stored before an earlier record".into());
                }
                self.after = answer.offset + 1;
                answered += 1;
            }
        }
        Ok(())
    }
}

fn batch(plan: &LogPlan, worker: usize, records: u64) -> Bytes {
    let mut batch = BytesMut::new();
    for number in 0..records {
        let request = ProduceMessageRequest {
            topic: plan.name(),
            partition: 0,
            record: Some(Record {
                key: Bytes::from(format!("{worker}-{number}")),
                value: Bytes::from(data(worker, number)),
                ..Record::default()
            }),
            required_acks: plan.acks,
            timeout_ms: 10_000,
        };
        batch.extend_from_slice(&framed(&request.encode_to_vec()));
    }
    batch.freeze()
}
