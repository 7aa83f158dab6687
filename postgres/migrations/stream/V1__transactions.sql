-- Transactions, one row each, inserted by anyone; the stream only reads them.
-- The service applies this at start under an advisory lock; it also accepts a table that is there already.
CREATE TABLE IF NOT EXISTS transactions (
    tx_id          text        PRIMARY KEY,
    from_account   text        NOT NULL, -- the account that gave
    to_account     text        NOT NULL, -- the account that received
    amount_tinybar bigint      NOT NULL, -- 100,000,000 tinybar are one hbar
    tx_type        text        NOT NULL, -- transfer, vesting_release, contract_call, ...
    timestamp      timestamptz NOT NULL  -- when it took place, as its writer says; in no order
);

COMMENT ON TABLE transactions IS 'Transactions, one row each, inserted by anyone and streamed by the service stream.';
