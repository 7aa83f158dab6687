//! The data of `weir seed` that balance and stream are measured with, and the live transactions that are added to it.

/// Number of accounts. Their ids follow each other from [`FIRST_ACCOUNT`] on.
pub const ACCOUNTS: u32 = 10_000;

/// Number of the first account: its id is `0.0.100000`.
pub const FIRST_ACCOUNT: u32 = 100_000;

/// Number of transactions, over the 24 hours of 2025-01-01 (UTC).
pub const TRANSACTIONS: u32 = 100_000;

/// The id of the account at a place from 0, e.g. `0.0.100000`.
#[must_use]
pub fn account_id(place: u32) -> String {
    format!("0.0.{}", FIRST_ACCOUNT + place)
}

/// What a live transaction says, apart from its id and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveTransaction {
    /// The account that gives.
    pub from: String,
    /// The account that receives; never the one that gives.
    pub to: String,
    /// Tinybar, at least 1.
    pub amount: i64,
    /// `transfer` (60 %), `vesting_release` (30 %) or `contract_call` (10 %).
    pub kind: &'static str,
}

impl LiveTransaction {
    /// The transaction of a number from 0, between seeded accounts that `random` draws; every ten have the seeded data's mix
    /// of types.
    #[must_use]
    pub fn new(number: u64, random: u64) -> Self {
        let accounts = u64::from(ACCOUNTS);
        let from = random % accounts;
        let to = (from + 1 + (random >> 16) % (accounts - 1)) % accounts;
        let account = |place: u64| account_id(u32::try_from(place).unwrap_or_default());
        Self {
            from: account(from),
            to: account(to),
            amount: i64::try_from(1 + (random >> 32) % 1_000_000_000).unwrap_or(1),
            kind: match number % 10 {
                0..6 => "transfer",
                6..9 => "vesting_release",
                _ => "contract_call",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use lab_verdict::random::SplitMix64;

    #[test]
    fn live_transactions_are_between_seeded_accounts_in_the_seeded_mix() {
        let mut random = SplitMix64::new(7);
        let mut kinds = std::collections::BTreeMap::new();
        for number in 0..1000 {
            let one = LiveTransaction::new(number, random.next_u64());
            assert_ne!(one.from, one.to);
            for account in [&one.from, &one.to] {
                assert!(
                    (account_id(0)..=account_id(ACCOUNTS - 1)).contains(account),
                    "{account}"
                );
            }
            assert!((1..=1_000_000_000).contains(&one.amount));
            *kinds.entry(one.kind).or_insert(0) += 1;
        }
        let mix = [
            ("contract_call", 100),
            ("transfer", 600),
            ("vesting_release", 300),
        ];
        assert!(kinds.into_iter().eq(mix));
    }

    /// The statements that make the data, and pgbench's own script in `ratios`, cannot read constants of Rust.
    #[test]
    fn the_statements_of_the_seed_make_as_many() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../postgres/seed");
        let read = |name| std::fs::read_to_string(folder.join(name)).unwrap();
        let accounts = read("accounts.sql");
        for part in [
            format!("'0.0.' || {FIRST_ACCOUNT} + n"),
            format!("generate_series(0, {})", ACCOUNTS - 1),
        ] {
            assert!(accounts.contains(&part), "{part}");
        }
        let transactions = read("transactions.sql");
        let part = format!("generate_series(0::bigint, {})", TRANSACTIONS - 1);
        assert!(transactions.contains(&part), "{part}");
    }
}
