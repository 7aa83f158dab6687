-- 100,000 transactions between the accounts of accounts.sql over the 24 hours of 2025-01-01 (UTC): one every 864 ms,
-- each moved by up to that, so that all times differ. Of them 60,000 are transfers, 30,000 vesting releases and 10,000
-- contract calls, in random order. Every value is a hash of the transaction's number with a fixed seed (the second
-- argument), so that each machine gets the same rows. Transactions that are there already stay as they are.
INSERT INTO transactions (tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp)
SELECT '0.0.' || 100000 + payer || '@' || 1735689600 + at_us / 1000000 || '.' || lpad((at_us % 1000000)::text, 6, '0') || '000',
       '0.0.' || 100000 + payer,
       '0.0.' || 100000 + (payer + 1 + distance) % 10000, -- never the payer
       amount,
       CASE WHEN place <= 60000 THEN 'transfer'
            WHEN place <= 90000 THEN 'vesting_release'
            ELSE 'contract_call'
        END,
       timestamptz '2025-01-01 00:00:00+00' + at_us * interval '1 microsecond'
  FROM (
       SELECT n,
              (hashint8extended(n, 11) & 9223372036854775807) % 10000 AS payer,
              (hashint8extended(n, 12) & 9223372036854775807) % 9999 AS distance,
              (1 + (hashint8extended(n, 13) & 9223372036854775807) % 999)
              * ('1' || repeat('0', 2 + ((hashint8extended(n, 14) & 9223372036854775807) % 8)::integer))::bigint AS amount,
              n * 864000 + (hashint8extended(n, 15) & 9223372036854775807) % 864000 AS at_us,
              row_number() OVER (ORDER BY hashint8extended(n, 16), n) AS place
         FROM generate_series(0::bigint, 99999) AS n
     ) AS random
 ORDER BY n
    ON CONFLICT (tx_id) DO NOTHING
