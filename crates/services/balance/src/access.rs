//! What the calls of both faces need. Which accounts, the handlers check.

use domain::AccountId;
use protect::access::{Call, Demand, segments};
use protect::{Caller, Refusal, Verb};

/// Health is open; reading balances needs `balance:read`.
pub(crate) fn demand(call: Call<'_>) -> Demand {
    let reads = match call {
        Call::Rest { path, .. } => {
            matches!(segments(path).next(), Some("accounts" | "balances"))
        }
        Call::Grpc {
            path: "/benchmark.Health/Check",
        } => return Demand::HEALTH,
        Call::Grpc { path } => matches!(
            path,
            "/benchmark.BalanceService/GetBalance" | "/benchmark.BalanceService/GetBalances"
        ),
    };
    if reads {
        Demand::right(Verb::BalanceRead)
    } else {
        Demand::OTHER
    }
}

/// Whether the caller may read all of these accounts. Asked before it is known whether they exist.
///
/// # Errors
/// The first that it may not read.
pub(crate) fn check<'a>(
    caller: &Caller,
    ids: impl IntoIterator<Item = &'a AccountId>,
) -> Result<(), Refusal> {
    let mut ids = ids.into_iter();
    ids.try_for_each(|id| caller.check(Verb::BalanceRead, id.as_str()))
}
