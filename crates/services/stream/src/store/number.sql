/* stream::store::number */
-- $1: the snapshot of the look before, or NULL to look at everything. pg_current_snapshot() is this statement's own.
-- $2: how many of the numbered rows to give back, from the first.
WITH fresh AS (
    -- begun after the look before, and ended: a row that is seen was committed. Up to the end of this snapshot, so that
    -- ids from elsewhere (a restored dump) that lie in the future are not looked at each time.
    SELECT t.tx_id, t.from_account, t.to_account, t.amount_tinybar, t.tx_type, t.timestamp, t.written_in,
           t.cmin::text::bigint AS command, t.ctid AS place
      FROM transactions t
     WHERE t.written_in >= coalesce(pg_snapshot_xmax($1::text::pg_snapshot), '0')
       AND t.written_in < CASE WHEN $1 IS NULL THEN '18446744073709551615'
                               ELSE pg_snapshot_xmax(pg_current_snapshot()) END
    UNION ALL
    -- under way at the look before, and ended. What is still under way is left out: its rows, maybe many, cannot be seen.
    SELECT t.tx_id, t.from_account, t.to_account, t.amount_tinybar, t.tx_type, t.timestamp, t.written_in,
           t.cmin::text::bigint, t.ctid
      FROM transactions t
     WHERE t.written_in = ANY (ARRAY(
               SELECT pg_snapshot_xip($1::text::pg_snapshot)
               EXCEPT
               SELECT pg_snapshot_xip(pg_current_snapshot())))
), numbered AS (
    INSERT INTO transaction_log
           (sequence, tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp, written_in, latest)
    SELECT (SELECT coalesce(max(sequence), 0) FROM transaction_log) + row_number() OVER in_order,
           -- coalesce: a table that was there before this service may lack the NOT NULL
           f.tx_id, coalesce(f.from_account, ''), coalesce(f.to_account, ''), coalesce(f.amount_tinybar, 0),
           coalesce(f.tx_type, ''), coalesce(f.timestamp, '-infinity'),
           -- an id that lies in the future is from elsewhere (a restored dump): long ended, to whoever asks
           CASE WHEN f.written_in < pg_snapshot_xmax(pg_current_snapshot()) THEN f.written_in ELSE '0' END,
           greatest((SELECT l.latest FROM transaction_log l ORDER BY l.sequence DESC LIMIT 1),
                    max(coalesce(f.timestamp, '-infinity')) OVER in_order)
      FROM fresh f
      LEFT JOIN transaction_commits c ON c.written_in = f.written_in
           -- A subquery rather than NOT EXISTS: always a look-up by key, whatever the statistics say.
     WHERE (SELECT l.sequence FROM transaction_log l WHERE l.tx_id = f.tx_id) IS NULL
    WINDOW in_order AS (
           -- the rows of one transaction became visible together: by their time, then as they were inserted
           ORDER BY c.commit_order NULLS FIRST, f.written_in, f.timestamp NULLS FIRST, f.command, f.place
           ROWS UNBOUNDED PRECEDING)
    -- nothing wide is kept where it is not to be given back
    RETURNING sequence, CASE WHEN $2::bigint > 0 THEN tx_id END AS tx_id,
              CASE WHEN $2 > 0 THEN from_account END AS from_account,
              CASE WHEN $2 > 0 THEN to_account END AS to_account,
              amount_tinybar, CASE WHEN $2 > 0 THEN tx_type END AS tx_type, timestamp, written_in
)
SELECT n.sequence, n.tx_id, n.from_account, n.to_account, n.amount_tinybar, n.tx_type, n.timestamp, n.written_in,
       pg_current_snapshot()::text, found.count, found.last
  FROM (SELECT count(*) AS count, max(sequence) AS last FROM numbered) AS found
  LEFT JOIN (SELECT * FROM numbered ORDER BY sequence LIMIT $2) AS n ON true
 ORDER BY n.sequence
