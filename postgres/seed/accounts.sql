-- 10,000 accounts, 0.0.100000 to 0.0.109999, with 1 to about 10^12 tinybar, evenly over the orders of magnitude.
-- Every value is a hash of the account's number with a fixed seed (the second argument), so that each machine gets the
-- same rows whatever the plan. Accounts that are there already stay as they are.
INSERT INTO accounts (account_id, balance_tinybar, updated_at)
SELECT '0.0.' || 100000 + n,
       (1 + random.digits % 999999) * ('1' || repeat('0', (random.magnitude % 7)::integer))::bigint,
       timestamptz '2025-01-01 00:00:00+00' - (random.age_us % 31536000000000) * interval '1 microsecond'
  FROM generate_series(0, 9999) AS n
 CROSS JOIN LATERAL (
       SELECT hashint8extended(n, 1) & 9223372036854775807 AS digits,
              hashint8extended(n, 2) & 9223372036854775807 AS magnitude,
              hashint8extended(n, 3) & 9223372036854775807 AS age_us -- up to a year
     ) AS random
 ORDER BY n
    ON CONFLICT (account_id) DO NOTHING
