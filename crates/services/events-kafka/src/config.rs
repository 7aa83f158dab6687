//! Settings of the topic of events and of the group that merges it, the same for producers and sinks.

use clap::Args;
use krafka::Kafka;
use krafka::admin::{CreateTopicsOptions, NewTopic};
use krafka::error::ErrorCode;
use krafka::{KrafkaError, Result};

/// An event may have this many bytes and more around it.
const MAX_MESSAGE_BYTES: &str = "11534336";

/// The topic of events.
#[derive(Args, Clone, Debug)]
pub struct EventsTopic {
    /// Kafka topic of events; made where it is not there
    #[arg(
        long,
        env = "EVENTS_TOPIC",
        default_value = "events",
        value_name = "TOPIC"
    )]
    pub events_topic: String,

    /// Partitions of a topic that is made: as many sinks can share the work
    #[arg(long, env = "EVENTS_PARTITIONS", default_value = "12", value_name = "N", value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub events_partitions: i32,

    /// Consumer group that the sinks of one database form; producers look at how far it is for wait=applied
    #[arg(long, env = "SINK_GROUP", default_value = "sink", value_name = "GROUP")]
    pub sink_group: String,
}

impl EventsTopic {
    /// Makes the topic `name` where it is not there, with the brokers' default of replicas.
    ///
    /// # Errors
    /// Kafka refuses it or does not answer.
    pub async fn make(&self, kafka: &Kafka, name: &str) -> Result<()> {
        let topic = NewTopic::new(name, self.events_partitions, -1)?
            .with_config("max.message.bytes", MAX_MESSAGE_BYTES);
        let admin = kafka.admin().metrics_push(false);
        let made = admin.create_topics([topic], CreateTopicsOptions::default());
        match made.await?.remove(name) {
            Some(Err(KrafkaError::Broker {
                code: ErrorCode::TopicAlreadyExists,
                ..
            })) => Ok(()),
            Some(made) => made,
            None => Err(KrafkaError::unknown_topic(name)),
        }
    }
}
