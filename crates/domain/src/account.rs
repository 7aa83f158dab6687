//! Accounts: ids as callers give them, and balances as the database has them.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{attributes::Fault, invalid::Invalid};

/// Longest account id, in characters.
const MAX_ID_CHARS: usize = 255;

/// The most accounts that one request may name.
pub const MAX_ACCOUNT_IDS: usize = 1000;

/// The id of an account that may or may not exist, such as `0.0.100000`: 1 to 255 characters, none of them NUL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

impl AccountId {
    /// Checks the id of a request for one account.
    ///
    /// # Errors
    /// What is wrong with `id`, by that name.
    pub fn new(id: String) -> Result<Self, Invalid> {
        match problem(&id) {
            None => Ok(Self(id)),
            Some(problem) => Err(Invalid::new("id", problem)),
        }
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it was given.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

fn problem(id: &str) -> Option<&'static str> {
    if id.is_empty() {
        return Some("must not be empty");
    }
    // Counting characters is only worth it where there are more bytes than that.
    if id.len() > MAX_ID_CHARS && id.chars().count() > MAX_ID_CHARS {
        return Some("must be at most 255 characters");
    }
    // PostgreSQL's text cannot hold it.
    let nul = memchr::memchr(0, id.as_bytes()).is_some();
    nul.then(|| Fault::Nul.problem())
}

/// The accounts of one request: 1 to [`MAX_ACCOUNT_IDS`] ids in the order asked, maybe some of them more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountIds(Vec<AccountId>);

impl AccountIds {
    /// Checks the ids of a request for several accounts.
    ///
    /// # Errors
    /// The first fault: the number of `ids`, else the first id that is none, as `ids[index]` counted from 0.
    pub fn new(ids: Vec<String>) -> Result<Self, Invalid> {
        if !(1..=MAX_ACCOUNT_IDS).contains(&ids.len()) {
            let problem = format!("must hold 1 to {MAX_ACCOUNT_IDS} account ids");
            return Err(Invalid::new("ids", problem));
        }
        let checked = ids
            .into_iter()
            .enumerate()
            .map(|(index, id)| match problem(&id) {
                None => Ok(AccountId(id)),
                Some(problem) => Err(Invalid::new(format!("ids[{index}]"), problem)),
            });
        checked.collect::<Result<_, _>>().map(Self)
    }

    /// In the order asked.
    #[must_use]
    pub fn as_slice(&self) -> &[AccountId] {
        &self.0
    }
}

impl IntoIterator for AccountIds {
    type Item = AccountId;
    type IntoIter = std::vec::IntoIter<AccountId>;

    /// In the order asked.
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// What an account holds, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    tinybar: i64,
    updated_at: OffsetDateTime,
}

impl Balance {
    /// `updated_us` is in microseconds since 1970. A time beyond the years 0 to 9999 (the database has infinity too)
    /// becomes the nearest one within, since RFC 3339 has no other.
    #[must_use]
    pub fn new(tinybar: i64, updated_us: i64) -> Self {
        const FIRST_US: i64 = -62_167_219_200_000_000;
        const LAST_US: i64 = 253_402_300_799_999_999;
        let nanoseconds = i128::from(updated_us.clamp(FIRST_US, LAST_US)) * 1000;
        Self {
            tinybar,
            updated_at: OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
                .unwrap_or(OffsetDateTime::UNIX_EPOCH),
        }
    }

    /// In tinybar, of which 100,000,000 are one hbar.
    #[must_use]
    pub fn tinybar(&self) -> i64 {
        self.tinybar
    }

    /// When the balance last changed.
    #[must_use]
    pub fn updated_at(&self) -> OffsetDateTime {
        self.updated_at
    }

    /// [`Self::updated_at`] as RFC 3339 in UTC, with as many digits of the second as it has, at most six.
    #[must_use]
    pub fn timestamp(&self) -> String {
        // Within the years 0 to 9999 every time has this form.
        self.updated_at.format(&Rfc3339).unwrap_or_default()
    }
}
