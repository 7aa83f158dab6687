//! The members of groups that read through this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use krafka::consumer::Consumer;

/// The members that read through this process: only a member can commit for a group that has some.
#[derive(Debug, Default)]
pub(crate) struct LocalMembers(Mutex<Vec<Local>>);

struct Local {
    group: String,
    consumer: Arc<Consumer>,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.group)
    }
}

impl LocalMembers {
    fn lock(&self) -> MutexGuard<'_, Vec<Local>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of all groups.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// A consumer has become a member.
    pub(crate) fn add(&self, group: &str, consumer: &Arc<Consumer>) {
        self.lock().push(Local {
            group: group.to_owned(),
            consumer: Arc::clone(consumer),
        });
    }

    /// Forgets a consumer, if it is a member's.
    pub(crate) fn remove(&self, consumer: &Arc<Consumer>) {
        self.lock()
            .retain(|local| !Arc::ptr_eq(&local.consumer, consumer));
    }

    /// Those of a group.
    pub(crate) fn of(&self, group: &str) -> Vec<Arc<Consumer>> {
        let all = self.lock();
        let members = all.iter().filter(|local| local.group == group);
        members.map(|local| Arc::clone(&local.consumer)).collect()
    }
}
