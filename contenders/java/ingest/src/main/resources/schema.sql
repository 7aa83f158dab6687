-- The one table of ingestion: an entity is its type and id, and a document that events merge into.
-- Every service applies this at start under an advisory lock; it also accepts a table that is there already.
CREATE TABLE IF NOT EXISTS car_entities (
    id          varchar(255) NOT NULL,               -- unique within its type
    entity_type varchar(255) NOT NULL,               -- Car, Loan, LoanPayment, ServiceRecord, Service, ...
    created_at  timestamptz  NOT NULL DEFAULT now(), -- the database's clock at the first write
    updated_at  timestamptz  NOT NULL DEFAULT now(), -- the database's clock at the last write
    data        jsonb        NOT NULL,               -- attributes; a top-level key is replaced by the event that names it
    -- No second index on entity_type: while the table is new PostgreSQL may prefer it for look-ups by key, and
    -- then reads every row of a type.
    PRIMARY KEY (entity_type, id)
) WITH (fillfactor = 70); -- room on the page for the new version of an updated row (HOT updates)

COMMENT ON TABLE car_entities IS 'Entities, one row each, written by producer-rest and producer-grpc';
