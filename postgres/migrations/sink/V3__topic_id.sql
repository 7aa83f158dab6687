-- Which topic a position is of: Kafka gives a topic that is made again, or made in another cluster, another identity, and its
-- offsets begin anew. NULL: noted before this column was there, of the topic that has the name now.
ALTER TABLE sink_offsets ADD COLUMN IF NOT EXISTS topic_id text;

COMMENT ON COLUMN sink_offsets.topic_id IS 'Kafka''s id of the topic, 32 hexadecimal digits';
