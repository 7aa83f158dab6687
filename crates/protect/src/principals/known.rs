//! All principals at one moment, and which of them sends what.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use super::file::Entry;
use super::jwt::Verifier;
use super::tokens::{self, Tokens};
use crate::limits::{Budget, Limits};
use crate::refusal::Refusal;
use crate::rights::Rights;

/// A caller that is known. Lives as long as its entry in the file stays the same.
#[derive(Debug)]
pub struct Principal {
    entry: Entry,
    budget: Option<Arc<Budget>>,
    revoked: CancellationToken,
}

impl Principal {
    fn new(entry: Entry, before: Option<&Principal>) -> Self {
        let limits = entry.limits;
        let budget = (limits != Limits::default()).then(|| {
            // A reload does not refill a budget.
            before
                .filter(|before| before.entry.limits == limits)
                .and_then(|before| before.budget.clone())
                .unwrap_or_else(|| Arc::new(Budget::new(&limits)))
        });
        Self {
            entry,
            budget,
            revoked: CancellationToken::new(),
        }
    }

    /// Its name in the file.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// What it may do.
    pub fn rights(&self) -> &Rights {
        &self.entry.rights
    }

    /// What it has left; `None`: it is not limited.
    pub fn budget(&self) -> Option<&Arc<Budget>> {
        self.budget.as_ref()
    }

    /// Cancelled when its entry is deleted or changed: open streams end then, and ask again.
    pub fn revoked(&self) -> &CancellationToken {
        &self.revoked
    }
}

/// Who is calling, and until when the credentials are valid.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The principal.
    pub principal: Arc<Principal>,
    /// When the credentials expire; `None`: when the file says so.
    pub expires: Option<SystemTime>,
}

/// What came with a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// The value of the header `authorization`.
    pub authorization: Option<&'a [u8]>,
    /// The names of the client certificate, verified.
    pub certificate: &'a [String],
}

/// All principals at one moment.
#[derive(Debug, Default)]
pub struct Principals {
    all: Vec<Arc<Principal>>,
    names: HashMap<String, usize>,
    certificates: HashMap<String, usize>,
    tokens: Tokens,
    jwt: Option<Verifier>,
}

impl Principals {
    /// Of the entries of a file, whose names, tokens and certificates are distinct. Entries that are as in `before` keep
    /// their principal; the others of `before` are revoked by [`Principals::revoke_all_but`].
    pub(super) fn new(
        entries: Vec<Entry>,
        jwt: Option<Verifier>,
        before: Option<&Principals>,
    ) -> Self {
        let mut principals = Self {
            jwt,
            ..Self::default()
        };
        for (index, entry) in entries.into_iter().enumerate() {
            for token in &entry.tokens {
                principals.tokens.insert(*token, index);
            }
            for name in &entry.certificates {
                principals.certificates.insert(name.clone(), index);
            }
            principals.names.insert(entry.name.clone(), index);
            let before = before.and_then(|before| before.named(&entry.name));
            principals.all.push(match before {
                Some(same) if same.entry == entry => Arc::clone(same),
                before => Arc::new(Principal::new(entry, before.map(AsRef::as_ref))),
            });
        }
        principals
    }

    fn named(&self, name: &str) -> Option<&Arc<Principal>> {
        Some(&self.all[*self.names.get(name)?])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Ends the open streams of principals that are no longer in `after`.
    pub(super) fn revoke_all_but(&self, after: &Principals) {
        for principal in &self.all {
            let kept = after.named(principal.name());
            if !kept.is_some_and(|kept| Arc::ptr_eq(kept, principal)) {
                principal.revoked.cancel();
            }
        }
    }

    /// Who sends `credentials`. A bearer token decides where one is sent, else the certificate.
    ///
    /// # Errors
    /// There are no credentials, or they belong to no principal.
    pub fn identify(&self, credentials: Credentials<'_>) -> Result<Identified, Refusal> {
        if let Some(value) = credentials.authorization {
            return self.by_token(tokens::bearer(value).ok_or(Refusal::BadCredentials)?);
        }
        let names = credentials.certificate;
        let found = names.iter().find_map(|name| self.certificates.get(name));
        match found {
            Some(index) => Ok(Identified {
                principal: Arc::clone(&self.all[*index]),
                expires: None,
            }),
            None if names.is_empty() => Err(Refusal::NoCredentials),
            None => Err(Refusal::BadCredentials),
        }
    }

    fn by_token(&self, token: &[u8]) -> Result<Identified, Refusal> {
        if let Some(index) = self.tokens.find(token) {
            return Ok(Identified {
                principal: Arc::clone(&self.all[index]),
                expires: None,
            });
        }
        let jwt = self.jwt.as_ref().ok_or(Refusal::BadCredentials)?;
        let verified = jwt.verify(token).map_err(|reason| {
            // The reason contains no part of the token.
            tracing::debug!(%reason, "a JSON Web Token was refused");
            Refusal::BadCredentials
        })?;
        let principal = self
            .named(&verified.subject)
            .ok_or(Refusal::BadCredentials)?;
        Ok(Identified {
            principal: Arc::clone(principal),
            expires: Some(verified.expires),
        })
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
