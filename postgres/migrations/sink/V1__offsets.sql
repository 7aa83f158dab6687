-- How far the sink has merged each partition of a topic of events. Written in the transaction that merges, so that an event
-- is merged once whatever crashes.
CREATE TABLE IF NOT EXISTS sink_offsets (
    group_id    text        NOT NULL,               -- the consumer group of the sinks
    topic       text        NOT NULL,               -- Kafka topic of events
    partition   integer     NOT NULL,               -- its partition, from 0
    next_offset bigint      NOT NULL,               -- the first offset that is not merged
    updated_at  timestamptz NOT NULL DEFAULT now(), -- the database's clock at the last merge
    PRIMARY KEY (group_id, topic, partition)
);

COMMENT ON TABLE sink_offsets IS 'How far the service sink has merged each partition of a topic of events';
