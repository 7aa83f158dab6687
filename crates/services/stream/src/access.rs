//! What the calls of both faces need, and which accounts a subscription may show.

use domain::Subscription;
use protect::access::{Call, Demand};
use protect::{Caller, Refusal, Verb};

/// Health is open; streams need `stream:read`.
pub(crate) fn demand(call: Call<'_>) -> Demand {
    match call {
        Call::Grpc {
            path: "/benchmark.Health/Check",
        } => Demand::HEALTH,
        Call::Rest {
            path: "/api/v1/transactions/stream",
            ..
        }
        | Call::Grpc {
            path: "/benchmark.TransactionService/StreamTransactions",
        } => Demand::right(Verb::StreamRead).streaming(),
        _ => Demand::OTHER,
    }
}

/// Who may not read all accounts has to filter by one that it may read.
///
/// # Errors
/// The right for the filter's account, or for all accounts, is missing.
pub(crate) fn check(caller: &Caller, subscription: &Subscription) -> Result<(), Refusal> {
    match subscription.account() {
        Some(account) => caller.check(Verb::StreamRead, account.as_str()),
        None => caller.check_all(Verb::StreamRead),
    }
}
