-- Which records of a topic of events became dead letters, for producers whose callers wait until an event is merged
-- (wait=applied). Written in the transaction that passes them over, kept for a day; the records are in Kafka.
CREATE TABLE IF NOT EXISTS sink_dead_letters (
    group_id      text        NOT NULL,               -- the consumer group of the sinks
    topic         text        NOT NULL,               -- Kafka topic of events
    partition     integer     NOT NULL,               -- its partition, from 0
    record_offset bigint      NOT NULL,               -- offset of the record there
    reason        text        NOT NULL,               -- why it cannot be merged
    created_at    timestamptz NOT NULL DEFAULT now(), -- the database's clock
    PRIMARY KEY (group_id, topic, partition, record_offset)
);

COMMENT ON TABLE sink_dead_letters IS 'Records of a topic of events that the service sink could not merge, for a day';
