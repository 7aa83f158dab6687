-- What it takes to number transactions in the order in which they become visible; docs/decisions/0004-stream-numbering.md
-- says why it is done so. All of it has defaults: writers insert the columns of V1 and know nothing of this.

-- How the numberer finds what has become visible since it last looked: by the id of the transaction that wrote the row.
-- 64 bits with its epoch, so that it never wraps around. Rows that were there before get the id of this migration,
-- without a rewrite of the table.
ALTER TABLE transactions ADD COLUMN IF NOT EXISTS written_in xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX IF NOT EXISTS transactions_written_in ON transactions (written_in);

-- The numbered transactions: written once, in the order of their numbers, never changed. A copy rather than a reference,
-- since replay then reads consecutive pages, and what was streamed once stays as it was.
CREATE TABLE transaction_log (
    sequence       bigint      PRIMARY KEY,     -- from 1 without gaps, in the order of becoming visible
    tx_id          text        NOT NULL UNIQUE, -- as in transactions, like all that follows
    from_account   text        NOT NULL,
    to_account     text        NOT NULL,
    amount_tinybar bigint      NOT NULL,
    tx_type        text        NOT NULL,
    timestamp      timestamptz NOT NULL,
    written_in     xid8        NOT NULL,
    latest         timestamptz NOT NULL         -- the greatest timestamp of all up to this one
);
-- Where a replay since a time begins: timestamps come in no order, but the greatest so far only grows, and it reaches a
-- time with the first transaction that is not before it.
CREATE INDEX transaction_log_latest ON transaction_log (latest, sequence);

-- In which order transactions that the numberer finds at the same look were committed: a note each, taken while the
-- commit is under way. Without a note (a session that suppresses triggers) the transaction's id decides. Unlogged: what
-- a crash takes away is only the order of transactions that were found at one look after it.
CREATE SEQUENCE transaction_commit_order;
CREATE UNLOGGED TABLE transaction_commits (
    written_in   xid8   PRIMARY KEY,
    commit_order bigint NOT NULL
);

-- Runs with its owner's rights, since a writer needs no rights but on transactions; hence the names with their schema.
DO $$
BEGIN
    EXECUTE format(
        $body$
        CREATE FUNCTION transaction_note_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $function$
        BEGIN
            INSERT INTO %1$I.transaction_commits (written_in, commit_order)
            VALUES (pg_catalog.pg_current_xact_id(), pg_catalog.nextval('%1$I.transaction_commit_order'))
                ON CONFLICT DO NOTHING;
            RETURN NULL;
        END
        $function$
        $body$, current_schema());
END
$$;

-- Deferred to the commit, and queued for the first row alone that a transaction inserts: the setting lives as long as
-- the transaction and is taken back with a savepoint. CASE, since AND promises no order.
CREATE CONSTRAINT TRIGGER transaction_note_commit
    AFTER INSERT ON transactions DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW
    WHEN (CASE WHEN current_setting('weir.commit_noted', true) = 'yes' THEN false
               ELSE set_config('weir.commit_noted', 'yes', true) = 'yes' END)
    EXECUTE FUNCTION transaction_note_commit();

-- How far the numberer has looked, so that a new one need not look at everything: all that this snapshot sees is
-- numbered. At most one row; saved every few seconds, and trusted only in the cluster that it was taken in.
CREATE TABLE transaction_numbering (
    only_row boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    snapshot pg_snapshot NOT NULL,
    cluster  bigint      NOT NULL -- pg_control_system().system_identifier
);

COMMENT ON TABLE transaction_log IS 'Transactions with their sequence numbers, written by the numberer of the service stream.';
COMMENT ON TABLE transaction_commits IS 'Order of commits that are not numbered yet.';
COMMENT ON TABLE transaction_numbering IS 'How far the numberer has looked.';
