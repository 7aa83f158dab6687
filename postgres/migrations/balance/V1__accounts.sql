-- Accounts and what they hold. `balance` applies this at start and `weir seed` before it seeds, both under the same
-- advisory lock; it also accepts a table that is there already.
CREATE TABLE IF NOT EXISTS accounts (
    account_id      text COLLATE "C" PRIMARY KEY,       -- such as 0.0.100000; compared by bytes, the cheapest way
    balance_tinybar bigint      NOT NULL,               -- 1 hbar is 100,000,000 tinybar
    updated_at      timestamptz NOT NULL DEFAULT now()  -- when the balance last changed
) WITH (fillfactor = 70); -- room on the page for the new version of an updated row (HOT updates)

COMMENT ON TABLE accounts IS 'Account balances, one row each, read by balance';
