//! What a sink has taken from Kafka.

use domain::Event;
use events_kafka::record;
use krafka::consumer::ConsumerRecord;

use super::store::Dead;

/// A record, and the event that it is.
pub(crate) struct Taken {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// The record is not a valid event; this is the reason.
    pub(crate) event: Result<Event, String>,
}

impl Taken {
    /// Reads the event; one that cannot be read is taken all the same.
    pub(crate) fn new(record: ConsumerRecord) -> Self {
        let value = record.value.unwrap_or_default();
        Self {
            partition: record.partition,
            offset: record.offset,
            key: record.key.unwrap_or_default().to_vec(),
            event: record::event(&value).map_err(|invalid| invalid.to_string()),
            value: value.to_vec(),
        }
    }

    /// The row of a dead letter.
    pub(crate) fn dead(&self, reason: &str) -> Dead {
        Dead {
            partition: self.partition,
            offset: self.offset,
            reason: reason.to_owned(),
        }
    }
}
