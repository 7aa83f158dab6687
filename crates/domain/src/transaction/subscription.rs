//! What a subscriber asks for. Both faces end here; each names its parameters in its own words.

use std::num::{NonZeroU32, NonZeroU64};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Timestamp, Transaction};
use crate::account::AccountId;
use crate::invalid::Invalid;

/// What is said of a time that is none.
const TIME_PROBLEM: &str =
    "must be an RFC 3339 date with Z or an offset, such as 2024-01-15T10:30:00Z";

/// A subscription before the check, with the names that its face has for the parameters.
#[derive(Clone, Debug)]
pub struct SubscriptionDraft {
    /// RFC 3339; empty for none.
    pub since: (&'static str, String),
    /// Events a second; 0 for unlimited.
    pub rate: (&'static str, i64),
    /// An account; empty for all.
    pub account: (&'static str, String),
    /// The sequence number after which to go on; takes precedence over `since`.
    pub after: Option<u64>,
    /// Events after which the stream ends; 0 for unlimited.
    pub limit: u64,
}

/// A valid subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    start: Start,
    rate: Option<NonZeroU32>,
    account: Option<AccountId>,
    limit: Option<NonZeroU64>,
}

/// Where a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what becomes visible from now on.
    Live,
    /// With the transactions whose timestamp is not before this, of all that there are and will be.
    Since(Timestamp),
    /// With the transaction after this sequence number.
    After(u64),
}

impl Subscription {
    /// The greatest rate, in events a second: what fits the wire.
    pub const MAX_RATE: u32 = i32::MAX as u32;

    /// Checks what a subscriber asked for.
    ///
    /// # Errors
    /// The first fault: since, rate, account.
    pub fn new(draft: SubscriptionDraft) -> Result<Self, Invalid> {
        let since = since(draft.since)?;
        let rate = rate(draft.rate)?;
        let account = account(draft.account)?;
        Ok(Self {
            start: match (draft.after, since) {
                (Some(sequence), _) => Start::After(sequence),
                (None, Some(since)) => Start::Since(since),
                (None, None) => Start::Live,
            },
            rate,
            account,
            limit: NonZeroU64::new(draft.limit),
        })
    }

    /// Where the stream begins.
    #[must_use]
    pub fn start(&self) -> Start {
        self.start
    }

    /// Events a second at most.
    #[must_use]
    pub fn rate(&self) -> Option<NonZeroU32> {
        self.rate
    }

    /// Events in all at most.
    #[must_use]
    pub fn limit(&self) -> Option<NonZeroU64> {
        self.limit
    }

    /// The account that a transaction must concern.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// The earliest timestamp that a transaction may have.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        match self.start {
            Start::Since(since) => Some(since),
            Start::Live | Start::After(_) => None,
        }
    }

    /// Whether the subscriber wants this transaction, wherever the stream begins.
    #[must_use]
    pub fn wants(&self, transaction: &Transaction) -> bool {
        self.since()
            .is_none_or(|since| transaction.timestamp >= since)
            && self
                .account
                .as_ref()
                .is_none_or(|account| transaction.concerns(account.as_str()))
    }
}

fn since((name, text): (&'static str, String)) -> Result<Option<Timestamp>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    // The `time` crate takes any separator of date and time; RFC 3339 has one.
    let separated = matches!(text.as_bytes().get(10), Some(b'T' | b't'));
    let moment = OffsetDateTime::parse(&text, &Rfc3339).ok();
    match moment.filter(|_| separated) {
        Some(moment) => Ok(Some(Timestamp::at_or_after(moment))),
        None => Err(Invalid::new(name, TIME_PROBLEM)),
    }
}

fn rate((name, rate): (&'static str, i64)) -> Result<Option<NonZeroU32>, Invalid> {
    const MAX: u32 = Subscription::MAX_RATE;
    match u32::try_from(rate) {
        Ok(rate) if rate <= MAX => Ok(NonZeroU32::new(rate)),
        _ => Err(Invalid::new(
            name,
            format!("must be a whole number from 0 to {MAX}"),
        )),
    }
}

fn account((name, text): (&'static str, String)) -> Result<Option<AccountId>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    let id = AccountId::new(text);
    id.map(Some)
        .map_err(|invalid| Invalid::new(name, invalid.problem().to_owned()))
}
