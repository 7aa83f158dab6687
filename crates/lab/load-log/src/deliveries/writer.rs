//! One write in flight: a record of the topic or an entry of the chain, whenever one is due.

use std::sync::Arc;

use api::immutable_log::{AppendRequest, AppendResponse};
use api::takhin::{ProduceMessageRequest, ProduceMessageResponse, Record};
use bytes::{Bytes, BytesMut};
use prost::Message;

use super::shared::Shared;
use crate::grpc::{APPEND, GrpcStore};
use crate::plan::{LogPlan, LogScenario, data};
use load_engine::protocol::Caller;
use load_engine::protocol::grpc::{GrpcCaller, framed};
use load_engine::schedule::Schedule;
use load_engine::tally::RequestOutcome;

const PRODUCE: &str = "/takhin.v1.TakhinService/ProduceMessage";
/// What begins the data of an entry of this load, before its number.
const BEFORE_NUMBER: &str = "\"id\":\"0-";

pub(super) struct Writer {
    caller: GrpcCaller,
    of: LogScenario,
    /// The topic or the partition of the chain.
    name: String,
    partitions: u32,
    acks: i32,
}

impl Writer {
    pub(super) async fn new(
        plan: &LogPlan,
        store: &GrpcStore,
        worker: usize,
    ) -> anyhow::Result<Self> {
        let path = match plan.scenario {
            LogScenario::Follow => APPEND,
            _ => PRODUCE,
        };
        Ok(Self {
            caller: store.caller(worker, path).await?,
            of: plan.scenario,
            name: plan.name(),
            partitions: plan.feed.partitions,
            acks: plan.acks,
        })
    }

    pub(super) async fn run(mut self, schedule: Arc<Schedule>, shared: Shared) {
        while let Some((_, due)) = schedule.next().await {
            let number = shared.ledger.sending(due);
            let fate = self.write(number).await;
            let acknowledged = fate == RequestOutcome::Acknowledged;
            shared.ledger.settled(number, acknowledged);
            if !acknowledged {
                shared.failed(&fate);
            }
        }
    }

    async fn write(&mut self, number: u64) -> RequestOutcome {
        match self.of {
            LogScenario::Follow => self.append(number).await,
            _ => self.produce(number).await,
        }
    }

    async fn append(&mut self, number: u64) -> RequestOutcome {
        let request = AppendRequest {
            partition: self.name.clone(),
            data: data(0, number),
        };
        let mut request = BytesMut::from(framed(&request.encode_to_vec()));
        let check = |answer: &[u8]| match AppendResponse::decode(answer) {
            Ok(answer) if answer.success => Ok(()),
            Ok(_) => Err("success=false"),
            Err(_) => Err("unreadable answer"),
        };
        self.caller.call(&mut request, check).await
    }

    async fn produce(&mut self, number: u64) -> RequestOutcome {
        let request = ProduceMessageRequest {
            topic: self.name.clone(),
            partition: (number % u64::from(self.partitions)) as i32,
            record: Some(Record {
                key: Bytes::from(number.to_string()),
                value: Bytes::from(data(0, number)),
                ..Record::default()
            }),
            required_acks: self.acks,
            timeout_ms: 10_000,
        };
        let mut request = BytesMut::from(framed(&request.encode_to_vec()));
        let check = |answer: &[u8]| match ProduceMessageResponse::decode(answer) {
            Ok(answer) if answer.error.is_empty() => Ok(()),
            Ok(_) => Err("the record was refused"),
            Err(_) => Err("unreadable answer"),
        };
        self.caller.call(&mut request, check).await
    }
}

/// The number of a record by its key.
pub(super) fn number_of_key(key: &[u8]) -> Option<u64> {
    std::str::from_utf8(key).ok()?.parse().ok()
}

/// The number of an entry by its data.
pub(super) fn number_of_data(data: &str) -> Option<u64> {
    let (_, rest) = data.split_once(BEFORE_NUMBER)?;
    let (number, _) = rest.split_once('"')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_its_number() {
        assert_eq!(number_of_data(&data(0, 4711)), Some(4711));
        assert_eq!(number_of_data(&data(1, 4711)), None);
        assert_eq!(number_of_data("{}"), None);
    }
}
