//! Who makes a call, as handlers see it.

use std::sync::Arc;
use std::time::SystemTime;

use crate::limits::Budget;
use crate::principals::Principal;
use crate::refusal::Refusal;
use crate::rights::Verb;

/// Who makes a call. The default may do everything: no principals are set.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    principal: Option<Arc<Principal>>,
    budget: Option<Arc<Budget>>,
    expires: Option<SystemTime>,
}

impl Caller {
    pub(crate) fn new(
        principal: Option<Arc<Principal>>,
        budget: Option<Arc<Budget>>,
        expires: Option<SystemTime>,
    ) -> Self {
        Self {
            principal,
            budget,
            expires,
        }
    }

    /// The principal's name; `None` where none are set.
    pub fn name(&self) -> Option<&str> {
        Some(self.principal.as_ref()?.name())
    }

    /// Whether everything is allowed: no principals are set.
    pub fn is_unrestricted(&self) -> bool {
        self.principal.is_none()
    }

    /// Whether the caller may do `verb` to `name`: for lists, which show nothing else.
    pub fn may(&self, verb: Verb, name: &str) -> bool {
        self.principal
            .as_ref()
            .is_none_or(|principal| principal.rights().allow(verb, name))
    }

    /// Whether the caller may do `verb` to `name`. Ask before it is known whether `name` exists, so that the answer does not
    /// tell.
    ///
    /// # Errors
    /// The right is missing.
    pub fn check(&self, verb: Verb, name: &str) -> Result<(), Refusal> {
        if self.may(verb, name) {
            return Ok(());
        }
        Err(Refusal::missing(verb, name))
    }

    /// Whether the caller may do one of `verbs` to `name`.
    ///
    /// # Errors
    /// All are missing; the first is named.
    pub fn check_any(&self, verbs: &[Verb], name: &str) -> Result<(), Refusal> {
        if verbs.iter().any(|verb| self.may(*verb, name)) {
            return Ok(());
        }
        Err(verbs
            .first()
            .map_or(Refusal::NoCredentials, |verb| Refusal::missing(*verb, name)))
    }

    /// Whether the caller may do `verb` to every name.
    ///
    /// # Errors
    /// The right is missing, or granted for some names alone.
    pub fn check_all(&self, verb: Verb) -> Result<(), Refusal> {
        match &self.principal {
            Some(principal) if !principal.rights().allow_all(verb) => {
                Err(Refusal::missing(verb, ""))
            }
            _ => Ok(()),
        }
    }

    /// Takes `count` events from what the caller has left.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn take_events(&self, count: u64) -> Result<(), Refusal> {
        self.budget
            .as_ref()
            .map_or(Ok(()), |budget| budget.take_events(count))
    }

    /// Takes `count` bytes of a body from what the caller has left.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn take_bytes(&self, count: u64) -> Result<(), Refusal> {
        self.budget
            .as_ref()
            .map_or(Ok(()), |budget| budget.take_bytes(count))
    }

    /// Waits until the caller may send one more event, and takes it: in a stream, whose sender is held back.
    pub async fn event(&self) {
        if let Some(budget) = &self.budget {
            budget.event().await;
        }
    }

    /// What the caller has left; `None`: no limits.
    pub fn budget(&self) -> Option<&Arc<Budget>> {
        self.budget.as_ref()
    }

    /// Waits until the caller's credentials are no longer valid: its entry in the principals file was deleted or
    /// changed, or they have expired. Never ends for callers without a principal.
    pub async fn revoked(self) {
        let Some(principal) = self.principal else {
            return std::future::pending().await;
        };
        let expired = async {
            match self.expires.map(|at| at.duration_since(SystemTime::now())) {
                Some(Ok(left)) => tokio::time::sleep(left).await,
                Some(Err(_passed)) => {}
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = principal.revoked().cancelled() => {}
            () = expired => {}
        }
    }
}
