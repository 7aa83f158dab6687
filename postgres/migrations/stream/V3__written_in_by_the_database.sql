-- transactions.written_in is set by the database, whatever a writer gives: a row that brings a value of its own, as
-- INSERT ... SELECT * FROM a copy of the table does, could lie below what the numberer has looked at, and would never be
-- streamed.

-- Called only where a value must change: the triggers' conditions are evaluated without it.
CREATE FUNCTION transaction_written_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.tx_id IS NOT DISTINCT FROM OLD.tx_id THEN
        NEW.written_in := OLD.written_in;
    ELSE
        -- A changed tx_id is another transaction: it comes under its new id.
        NEW.written_in := pg_catalog.pg_current_xact_id();
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER transaction_written_in
    BEFORE INSERT ON transactions
    FOR EACH ROW
    WHEN (NEW.written_in IS DISTINCT FROM pg_current_xact_id())
    EXECUTE FUNCTION transaction_written_in();
-- For replicated rows too, which bring the ids of another cluster (session_replication_role = replica).
ALTER TABLE transactions ENABLE ALWAYS TRIGGER transaction_written_in;

-- Rows that were lost that way become new ones: those without a number that the numberer has passed. Where no look is
-- saved, the next one looks at everything. The trigger's creation waited for the writers that were under way, so that
-- none of their rows is overlooked.
UPDATE transactions
   SET written_in = pg_current_xact_id()
  FROM transaction_numbering n
 WHERE NOT EXISTS (SELECT FROM transaction_log l WHERE l.tx_id = transactions.tx_id)
   AND (   transactions.written_in < pg_snapshot_xmax(n.snapshot)
        OR transactions.written_in < (SELECT l.written_in FROM transaction_log l
                            WHERE l.written_in < pg_snapshot_xmax(pg_current_snapshot())
                            ORDER BY l.written_in DESC LIMIT 1)
        OR transactions.written_in >= pg_snapshot_xmax(pg_current_snapshot()));

CREATE TRIGGER transaction_kept_in
    BEFORE UPDATE ON transactions
    FOR EACH ROW
    WHEN (NEW.written_in IS DISTINCT FROM OLD.written_in OR NEW.tx_id IS DISTINCT FROM OLD.tx_id)
    EXECUTE FUNCTION transaction_written_in();
ALTER TABLE transactions ENABLE ALWAYS TRIGGER transaction_kept_in;

-- A row with a changed tx_id has its place in the order of commits too.
CREATE CONSTRAINT TRIGGER transaction_note_change
    AFTER UPDATE OF tx_id ON transactions DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW
    WHEN (CASE WHEN current_setting('weir.commit_noted', true) = 'yes' THEN false
               ELSE set_config('weir.commit_noted', 'yes', true) = 'yes' END)
    EXECUTE FUNCTION transaction_note_commit();
